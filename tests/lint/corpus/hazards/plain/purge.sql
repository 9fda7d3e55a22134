-- expect: update-whole-table
DELETE FROM events WHERE created_at < now() - interval '90 days';
