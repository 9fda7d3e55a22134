-- expect: update-whole-table
UPDATE users SET full_name = first_name || ' ' || last_name WHERE full_name IS NULL;
