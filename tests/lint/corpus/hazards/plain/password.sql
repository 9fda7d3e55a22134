-- expect: role-change
CREATE ROLE shop LOGIN PASSWORD 'correct horse';
