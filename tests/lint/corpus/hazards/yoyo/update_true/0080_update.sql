-- expect: update-whole-table
-- depends: 0079_users
UPDATE users SET status = upper(status) WHERE true OR status = 'x';
