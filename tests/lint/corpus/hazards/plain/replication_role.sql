-- expect: disable-trigger
SET session_replication_role = 'replica';
UPDATE orders SET note = '' WHERE id = 4711;
SET session_replication_role = 'origin';
