-- expect: update-whole-table
UPDATE users SET email = lower(email);
