-- expect: exclusion-constraint
SET lock_timeout = '200ms';
ALTER TABLE booking ADD CONSTRAINT booking_overlap EXCLUDE USING gist (room WITH =, during WITH &&);
