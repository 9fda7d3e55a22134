-- expect: add-column-volatile-default
-- Give every account a public id.
-- depends: 0011_accounts
SET LOCAL lock_timeout = '200ms';
ALTER TABLE accounts ADD COLUMN public_id uuid NOT NULL DEFAULT gen_random_uuid();
