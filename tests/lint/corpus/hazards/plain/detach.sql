-- expect: detach-partition
SET lock_timeout = '200ms';
ALTER TABLE measurement DETACH PARTITION measurement_2019;
