-- expect: update-whole-table
DELETE FROM sessions WHERE user_id IS NULL OR user_id IS NOT NULL;
