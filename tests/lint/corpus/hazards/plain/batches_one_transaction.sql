-- expect: update-whole-table
DO $$
BEGIN
    LOOP
        UPDATE users SET region = 'EU'
        WHERE id IN (SELECT id FROM users WHERE region IS NULL LIMIT 1000);
        EXIT WHEN NOT FOUND;
    END LOOP;
END $$;
