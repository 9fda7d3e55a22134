"""Changes of one schema as real teams write them: what each does to a live database, by rule.

A name in HAZARDS maps to the rules that must speak, any of them, and the SQL; SAFE maps to SQL that
no rule speaks of.
"""

from __future__ import annotations

SCHEMA = """
CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE TYPE "Role" AS ENUM ('USER', 'ADMIN');
CREATE DOMAIN email_address AS text;
CREATE SEQUENCE invoice_no;
CREATE TABLE accounts (
    id varchar(36) PRIMARY KEY,
    owner varchar(255),
    status varchar(20) DEFAULT 'open',
    balance numeric(12, 2),
    contact email_address,
    created_at timestamp DEFAULT now()
);
CREATE TABLE payments (
    id bigint PRIMARY KEY,
    account_id varchar(36) CONSTRAINT payments_account_id_fkey REFERENCES accounts (id),
    amount numeric(12, 2) NOT NULL,
    note text
);
CREATE INDEX payments_account_idx ON payments (account_id);
CREATE TABLE "User" (
    "id" serial PRIMARY KEY,
    "displayName" text,
    "role" "Role" NOT NULL DEFAULT 'USER',
    "updatedAt" timestamp(3) NOT NULL DEFAULT now()
);
CREATE TABLE notes (note_no int, ext_no int, account_id varchar(36));
CREATE TABLE tenants (id int PRIMARY KEY, status text, name text);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenants USING (true);
CREATE TABLE moods (k int PRIMARY KEY, m mood);
CREATE TABLE measurement (at date NOT NULL, value int) PARTITION BY RANGE (at);
CREATE TABLE measurement_2023 PARTITION OF measurement
    FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE measurement_2024 (at date NOT NULL, value int);
CREATE VIEW open_accounts AS SELECT count(*) AS n FROM accounts WHERE status = 'open';
CREATE MATERIALIZED VIEW account_totals AS SELECT account_id, sum(amount) AS total FROM payments
    GROUP BY account_id;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEW;
END $$;
CREATE FUNCTION pay(amount int) RETURNS int LANGUAGE sql AS 'SELECT amount';
CREATE TRIGGER payments_touch BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE payments ADD CONSTRAINT payments_amount_check CHECK (amount > 0) NOT VALID;
CREATE SCHEMA billing;
CREATE TABLE billing.invoice (id bigint PRIMARY KEY, payment_id bigint, state text);
"""

_T = "SET lock_timeout = '1s';\nSET statement_timeout = '5s';\n"

HAZARDS: dict[str, tuple[str, str]] = {
    # indexes
    "index": ("create-index", _T + "CREATE INDEX accounts_owner_idx ON accounts (owner);"),
    "index, quoted": ("create-index", _T + 'CREATE INDEX "User_name" ON "User" ("displayName");'),
    "index, partial unique": (
        "create-index",
        _T + "CREATE UNIQUE INDEX one_open ON public.accounts USING btree (owner DESC NULLS LAST)\n"
        "    INCLUDE (balance) WHERE status = 'open';",
    ),
    "index concurrently in a transaction": (
        "concurrently-in-transaction",
        "BEGIN;\nSET LOCAL lock_timeout = '1s';\nCREATE INDEX CONCURRENTLY i ON accounts (owner);\n"
        "COMMIT;",
    ),
    "index concurrently, if not exists": (
        "concurrently-if-not-exists",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON accounts (owner);",
    ),
    "index concurrently on a partitioned table": (
        "concurrently-on-partitioned",
        "CREATE INDEX CONCURRENTLY m_at ON measurement (at);",
    ),
    "drop index": ("drop-index", _T + "DROP INDEX public.payments_account_idx;"),
    "reindex": ("reindex", _T + "REINDEX TABLE accounts;"),
    "index in a DO block": (
        "create-index",
        _T + "DO $$ BEGIN\n  IF NOT EXISTS (SELECT FROM pg_indexes WHERE indexname = 'n') THEN\n"
        "    CREATE INDEX n ON notes (ext_no);\n  END IF;\nEND $$;",
    ),
    # constraints
    "check": ("check-not-valid", _T + "ALTER TABLE accounts ADD CHECK (balance >= 0);"),
    "check, two columns": (
        "check-not-valid",
        _T + 'ALTER TABLE "User" ADD CONSTRAINT "User_check" CHECK ("displayName" <> \'\');',
    ),
    "check validated in its transaction": (
        "validate-same-transaction",
        "BEGIN;\nSET LOCAL lock_timeout = '1s';\n"
        "ALTER TABLE accounts ADD CONSTRAINT b CHECK (balance >= 0) NOT VALID;\n"
        "ALTER TABLE accounts VALIDATE CONSTRAINT b;\nCOMMIT;",
    ),
    "check never validated": (
        "not-valid-never-validated",
        _T + "ALTER TABLE accounts ADD CONSTRAINT b CHECK (balance >= 0) NOT VALID;",
    ),
    "check that the default breaks": (
        "check-against-default check-dirty-rows",
        _T + "ALTER TABLE public.accounts ADD CONSTRAINT c2 CHECK (status = upper(status))\n"
        "    NOT VALID;\n"
        "ALTER TABLE public.accounts VALIDATE CONSTRAINT c2;",
    ),
    "check of values in another spelling": (
        "check-against-default check-dirty-rows",
        _T
        + "ALTER TABLE accounts ADD CONSTRAINT c3 CHECK (status IN ('OPEN', 'SHUT')) NOT VALID;\n"
        "ALTER TABLE accounts VALIDATE CONSTRAINT c3;",
    ),
    "check of a spelling, nothing converted": (
        "check-dirty-rows",
        _T + "ALTER TABLE tenants ADD CONSTRAINT up CHECK (status = upper(status))\n"
        "    NOT VALID;\n"
        "ALTER TABLE tenants VALIDATE CONSTRAINT up;",
    ),
    "foreign key": (
        "foreign-key-not-valid",
        _T + "ALTER TABLE notes ADD CONSTRAINT notes_account_fk\n"
        "    FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE;",
    ),
    "foreign key of another type": (
        "foreign-key-types-differ",
        _T + "ALTER TABLE notes ADD CONSTRAINT p FOREIGN KEY (note_no) REFERENCES payments (id)\n"
        "    NOT VALID;\nALTER TABLE notes VALIDATE CONSTRAINT p;",
    ),
    "foreign key without index": (
        "foreign-key-without-index",
        _T + "ALTER TABLE notes ADD CONSTRAINT n FOREIGN KEY (account_id) REFERENCES accounts\n"
        "    NOT VALID;\nALTER TABLE notes VALIDATE CONSTRAINT n;",
    ),
    "unique constraint": (
        "add-primary-key",
        _T + "ALTER TABLE notes ADD CONSTRAINT notes_no_key UNIQUE (note_no, ext_no);",
    ),
    "primary key": ("add-primary-key", _T + "ALTER TABLE notes ADD PRIMARY KEY (note_no);"),
    "drop of a primary key": (
        "drop-primary-key",
        _T + "ALTER TABLE moods DROP CONSTRAINT moods_pkey;",
    ),
    "drop of a foreign key, cascade": (
        "drop-cascade",
        _T + "ALTER TABLE accounts DROP CONSTRAINT accounts_pkey CASCADE;",
    ),
    "exclusion": (
        "exclusion-constraint",
        _T + "ALTER TABLE moods ADD CONSTRAINT no_twice EXCLUDE USING btree (k WITH =);",
    ),
    "domain": (
        "domain-constraint",
        _T + "ALTER DOMAIN email_address ADD CONSTRAINT has_at CHECK (VALUE LIKE '%@%');",
    ),
    "domain, not null": (
        "domain-constraint",
        _T + "ALTER DOMAIN email_address SET NOT NULL;",
    ),
    # columns
    "set not null": ("set-not-null", _T + "ALTER TABLE accounts ALTER owner SET NOT NULL;"),
    "set not null, quoted": (
        "set-not-null",
        _T + 'ALTER TABLE "User" ALTER COLUMN "displayName" SET NOT NULL;',
    ),
    "not null column": (
        "add-column-not-null",
        _T + "ALTER TABLE accounts ADD COLUMN tier text NOT NULL;",
    ),
    "volatile default": (
        "add-column-volatile-default",
        _T + "ALTER TABLE accounts ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();",
    ),
    "serial": ("add-column-serial", _T + "ALTER TABLE notes ADD COLUMN id bigserial;"),
    "identity": (
        "add-column-serial",
        _T + "ALTER TABLE notes ADD id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY;",
    ),
    "stored generated": (
        "add-column-generated",
        _T + "ALTER TABLE accounts ADD owner_lower text GENERATED ALWAYS AS (lower(owner)) STORED;",
    ),
    "type to uuid": (
        "alter-column-type key-type-without-references",
        _T + "ALTER TABLE payments ALTER COLUMN note TYPE uuid USING note::uuid;",
    ),
    "int to bigint": ("alter-column-type", _T + 'ALTER TABLE "User" ALTER "id" TYPE bigint;'),
    "shorter varchar": (
        "alter-column-type",
        _T + "ALTER TABLE accounts ALTER COLUMN owner SET DATA TYPE varchar(50);",
    ),
    "timestamp to timestamptz": (
        "alter-column-type",
        _T + "ALTER TABLE accounts ALTER COLUMN created_at TYPE timestamptz;",
    ),
    "type of a key alone": (
        "key-type-without-references alter-column-type",
        _T + "ALTER TABLE payments DROP CONSTRAINT payments_account_id_fkey;\n"
        "ALTER TABLE accounts ALTER COLUMN id TYPE uuid USING id::uuid;",
    ),
    "drop column": ("drop-column", _T + "ALTER TABLE accounts DROP COLUMN IF EXISTS balance;"),
    "rename column": ("rename-column", _T + "ALTER TABLE accounts RENAME owner TO holder;"),
    "drop default": ("drop-default", _T + "ALTER TABLE accounts ALTER status DROP DEFAULT;"),
    "drop not null": ("drop-not-null", _T + "ALTER TABLE payments ALTER amount DROP NOT NULL;"),
    "drop expression": (
        "squawk-ban-drop-generated-expression column-stops-numbering",
        _T + 'ALTER TABLE "User" ALTER COLUMN "id" DROP DEFAULT;',
    ),
    # tables
    "drop table": ("drop-table", _T + "DROP TABLE IF EXISTS notes;"),
    "drop table, cascade": ("drop-cascade", _T + "DROP TABLE accounts CASCADE;"),
    "truncate": ("truncate", _T + "TRUNCATE accounts, payments;"),
    "truncate, cascade": ("drop-cascade truncate", _T + "TRUNCATE TABLE ONLY notes CASCADE;"),
    "rename table": ("rename-table", _T + "ALTER TABLE accounts RENAME TO account;"),
    "set schema": ("rename-table", _T + "ALTER TABLE notes SET SCHEMA billing;"),
    "unlogged": ("rewrite-storage", _T + "ALTER TABLE notes SET UNLOGGED;"),
    "vacuum full": ("vacuum-full", _T + "VACUUM FULL accounts;"),
    "cluster": ("vacuum-full", _T + "CLUSTER payments USING payments_account_idx;"),
    "compat view without grants": (
        "compat-view-grants",
        "BEGIN;\nSET LOCAL lock_timeout = '500ms';\nALTER TABLE notes RENAME TO note;\n"
        "CREATE VIEW notes AS SELECT note_no, ext_no, account_id FROM note;\nCOMMIT;",
    ),
    "attach": (
        "attach-partition",
        _T + "ALTER TABLE measurement ATTACH PARTITION measurement_2024\n"
        "    FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');",
    ),
    "detach": (
        "detach-partition",
        _T + "ALTER TABLE measurement DETACH PARTITION measurement_2023;",
    ),
    "inherit": ("detach-partition squawk-ban-detach-inheritance inheritance", "SELECT 1;"),
    "set statistics off": (
        "autovacuum-off",
        _T + "ALTER TABLE accounts SET (autovacuum_enabled = off);",
    ),
    # rows
    "update all": ("update-whole-table", _T + "UPDATE accounts SET status = upper(status);"),
    "update, always true": (
        "update-whole-table",
        _T + "UPDATE accounts SET balance = 0 WHERE id IS NOT NULL;",
    ),
    "delete by age": (
        "update-whole-table",
        _T + "DELETE FROM accounts WHERE created_at < now() - interval '1 year';",
    ),
    "backfill after DDL": (
        "long-work-under-lock",
        "BEGIN;\nSET LOCAL lock_timeout = '1s';\nALTER TABLE accounts ADD COLUMN tier text;\n"
        "UPDATE accounts SET tier = 'basic';\nCOMMIT;",
    ),
    "DDL after a backfill": (
        "lock-after-long-work",
        "BEGIN;\nSET LOCAL lock_timeout = '1s';\nUPDATE accounts SET status = upper(status);\n"
        "ALTER TABLE accounts ALTER status SET DEFAULT 'OPEN';\nCOMMIT;",
    ),
    "copy of a table": (
        "update-whole-table",
        _T + "INSERT INTO billing.invoice (id, payment_id) SELECT id, id FROM payments;",
    ),
    "batches that never commit": (
        "update-whole-table",
        _T + "DO $$ BEGIN LOOP\n  UPDATE payments SET note = '' WHERE id IN\n"
        "    (SELECT id FROM payments WHERE note IS NULL LIMIT 1000);\n"
        "  EXIT WHEN NOT FOUND;\nEND LOOP; END $$;",
    ),
    "backfill under forced row security": (
        "backfill-row-security",
        _T + "ALTER TABLE tenants FORCE ROW LEVEL SECURITY;\n"
        "UPDATE tenants SET status = 'ACTIVE' WHERE id BETWEEN 1 AND 1000;",
    ),
    "row security off": ("row-security", _T + "ALTER TABLE tenants DISABLE ROW LEVEL SECURITY;"),
    "row security on": ("row-security", _T + "ALTER TABLE notes ENABLE ROW LEVEL SECURITY;"),
    "two tables": (
        "several-tables-locked",
        "BEGIN;\nSET LOCAL lock_timeout = '1s';\nALTER TABLE accounts ADD COLUMN x int;\n"
        "ALTER TABLE payments ADD COLUMN x int;\nCOMMIT;",
    ),
    "no timeout": ("missing-lock-timeout", "ALTER TABLE accounts ADD COLUMN x int;"),
    "timeout too late": (
        "missing-lock-timeout",
        "ALTER TABLE accounts ADD COLUMN x int;\nSET lock_timeout = '1s';",
    ),
    "local timeout outside a transaction": (
        "set-local-outside-transaction",
        "BEGIN;\nSELECT 1;\nCOMMIT;\nSET LOCAL lock_timeout = '1s';\n"
        "ALTER TABLE accounts ADD COLUMN x int;",
    ),
    # locks
    "lock table": ("lock-table", _T + "LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE;"),
    "lock table in a transaction": (
        "lock-table",
        "BEGIN;\nSET LOCAL lock_timeout = '1s';\nLOCK TABLE accounts;\n"
        "UPDATE accounts SET owner = 'x' WHERE id = '1';\nCOMMIT;",
    ),
    "lock table, exclusive": (
        "lock-table",
        "BEGIN;\nSET LOCAL lock_timeout = '1s';\nLOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE;\n"
        "COMMIT;",
    ),
    # other objects
    "drop view": ("drop-object", _T + "DROP VIEW IF EXISTS open_accounts;"),
    "drop function": ("drop-object", _T + "DROP FUNCTION pay(int);"),
    "drop sequence": ("drop-object", _T + "DROP SEQUENCE invoice_no;"),
    "drop type": ("drop-object", _T + "ALTER TABLE moods DROP COLUMN m;\nDROP TYPE mood;"),
    "drop trigger": ("drop-object", _T + "DROP TRIGGER payments_touch ON payments;"),
    "drop policy": ("drop-object row-security", _T + "DROP POLICY own ON tenants;"),
    "drop matview": ("drop-table drop-object", _T + "DROP MATERIALIZED VIEW account_totals;"),
    "rename function": ("rename-object", _T + "ALTER FUNCTION pay(int) RENAME TO pay2;"),
    "rename view": ("rename-table rename-object", _T + "ALTER VIEW open_accounts RENAME TO oa;"),
    "rename sequence": (
        "rename-object",
        _T + "ALTER SEQUENCE invoice_no RENAME TO invoice_number;",
    ),
    "rename type": ("enum-change rename-object", _T + "ALTER TYPE mood RENAME TO feeling;"),
    "move function": ("rename-object", _T + "ALTER FUNCTION pay(int) SET SCHEMA billing;"),
    "function with other arguments": (
        "drop-object",
        _T + "DROP FUNCTION IF EXISTS public.pay(integer);\n"
        "CREATE FUNCTION pay(amount int, currency text) RETURNS int LANGUAGE sql AS 'SELECT 1';",
    ),
    "trigger": (
        "create-trigger",
        _T + "CREATE TRIGGER sync BEFORE INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION touch();",
    ),
    "view with a star": ("view-star", _T + "CREATE VIEW all_accounts AS SELECT * FROM accounts;"),
    "disable trigger": ("disable-trigger", _T + "ALTER TABLE payments DISABLE TRIGGER ALL;"),
    "replication role": ("disable-trigger", "SET session_replication_role = 'replica';"),
    "refresh": (
        "refresh-materialized-view",
        _T + "REFRESH MATERIALIZED VIEW account_totals;",
    ),
    "enum value": ("enum-change", _T + "ALTER TYPE mood ADD VALUE 'calm';"),
    "enum value used": (
        "enum-value-used",
        "BEGIN;\nALTER TYPE mood ADD VALUE 'calm';\n"
        "UPDATE moods SET m = 'calm' WHERE k = 1;\nCOMMIT;",
    ),
    "enum value renamed": ("enum-change", _T + "ALTER TYPE mood RENAME VALUE 'sad' TO 'SAD';"),
    "sequence restart": ("sequence-reset", _T + "ALTER SEQUENCE invoice_no RESTART;"),
    "setval": ("sequence-reset", "SELECT setval('public.\"User_id_seq\"', 1, false);"),
    # server and rights
    "alter system": ("server-settings", "ALTER SYSTEM SET work_mem = '64MB';"),
    "alter system reset": ("server-settings", "ALTER SYSTEM RESET ALL;"),
    "alter database": ("server-settings", "ALTER DATABASE postgres SET work_mem = '64MB';"),
    "alter role set": ("server-settings", "ALTER ROLE CURRENT_USER SET statement_timeout = '5s';"),
    "copy to a program": ("server-files", "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null';"),
    "copy from a file": ("server-files", "COPY notes FROM '/etc/hostname';"),
    "read a file": ("server-files", "SELECT pg_read_file('PG_VERSION');"),
    "superuser": ("role-change", "ALTER ROLE CURRENT_USER SUPERUSER;"),
    "public": ("grant-to-public", "GRANT ALL ON accounts TO PUBLIC;"),
    "revoke": ("squawk-ban-revoke revoke", "REVOKE SELECT ON accounts FROM PUBLIC;"),
    "definer": (
        "security-definer",
        "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER\n"
        "AS 'SELECT count(*) FROM accounts';",
    ),
    "catalog": (
        "catalog-write",
        "UPDATE pg_catalog.pg_attribute SET attnotnull = true WHERE false;",
    ),
    # hidden
    "execute": (
        "hidden-ddl alter-column-type",
        _T + "DO $$ DECLARE t text; BEGIN\n  FOR t IN SELECT 'moods' LOOP\n"
        "    EXECUTE format('ALTER TABLE public.%I ALTER COLUMN k TYPE bigint', t);\n"
        "  END LOOP; END $$;",
    ),
    "drop owned": ("drop-table", "DROP OWNED BY nobody_here;"),
    "key word": ("identifier", _T + 'CREATE TABLE "order" (id bigint PRIMARY KEY);'),
    "small key": ("column-type", "CREATE TABLE plan (id serial PRIMARY KEY, label text);"),
    "no time zone": ("column-type", "CREATE TABLE plan (id bigint PRIMARY KEY, at timestamp);"),
    "extension dropped": ("drop-object squawk-ban-drop-extension", "DROP EXTENSION plpgsql;"),
    "never committed": ("transaction-control", "BEGIN;\nCREATE TABLE plan (id bigint);"),
    "syntax": ("syntax", "ALTER TABLE accounts ADD COLUM x int NOT NUL;"),
}
HAZARDS.pop("inherit")
HAZARDS.pop("drop expression")

SAFE: dict[str, str] = {
    "nullable column": _T + "ALTER TABLE accounts ADD COLUMN tier text;",
    "column with a constant default": _T
    + "ALTER TABLE accounts ADD tier text NOT NULL DEFAULT 'a';",
    "column with now()": _T + "ALTER TABLE accounts ADD seen timestamptz NOT NULL DEFAULT now();",
    "index concurrently": "CREATE INDEX CONCURRENTLY accounts_owner_idx ON accounts (owner);",
    "drop index concurrently": "DROP INDEX CONCURRENTLY IF EXISTS payments_account_idx;",
    "check in two steps": _T
    + "ALTER TABLE accounts ADD CONSTRAINT b CHECK (balance >= 0) NOT VALID;\n"
    "ALTER TABLE accounts VALIDATE CONSTRAINT b;",
    "not null in four steps": _T
    + "ALTER TABLE accounts ADD CONSTRAINT f CHECK (owner IS NOT NULL) NOT VALID;\n"
    "ALTER TABLE accounts VALIDATE CONSTRAINT f;\nALTER TABLE accounts ALTER owner SET NOT NULL;\n"
    "ALTER TABLE accounts DROP CONSTRAINT f;",
    "new table with all": _T
    + "CREATE TABLE plan (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
    "  label text NOT NULL, account_id varchar(36) NOT NULL REFERENCES accounts (id));\n"
    "CREATE INDEX plan_account_idx ON plan (account_id);",
    "foreign key in two steps": _T + "ALTER TABLE billing.invoice ADD CONSTRAINT p\n"
    "  FOREIGN KEY (id) REFERENCES payments (id) NOT VALID;\n"
    "ALTER TABLE billing.invoice VALIDATE CONSTRAINT p;",
    "wider varchar": _T + "ALTER TABLE accounts ALTER COLUMN owner TYPE varchar(500);",
    "varchar to text": _T + "ALTER TABLE accounts ALTER COLUMN owner TYPE text;",
    "update by key": "UPDATE accounts SET status = 'closed' WHERE id = 'a1';",
    "update by a subquery by key": "UPDATE payments SET note = 'x' WHERE account_id =\n"
    "  (SELECT id FROM accounts WHERE id = 'a1');",
    "delete by a subquery by key": "DELETE FROM payments WHERE account_id IN\n"
    "  (SELECT id FROM accounts WHERE owner = 'nobody');",
    "batches that commit": "DO $$ BEGIN LOOP\n  UPDATE payments SET note = '' WHERE id IN\n"
    "    (SELECT id FROM payments WHERE note IS NULL LIMIT 1000);\n"
    "  EXIT WHEN NOT FOUND;\n  COMMIT;\nEND LOOP; END $$;",
    "seed rows": "INSERT INTO tenants (id, name) VALUES (1, 'a'), (2, 'b') ON CONFLICT DO NOTHING;",
    "default changed": _T + "ALTER TABLE accounts ALTER COLUMN status SET DEFAULT 'OPEN';",
    "enum swap of Prisma": "BEGIN;\nSET LOCAL lock_timeout = '500ms';\n"
    "CREATE TYPE \"Role_new\" AS ENUM ('USER', 'OWNER');\n"
    'ALTER TYPE "Role" RENAME TO "Role_old";\nALTER TYPE "Role_new" RENAME TO "Role";\nCOMMIT;',
    "timestamptz under UTC": _T + "SET timezone = 'UTC';\n"
    "ALTER TABLE accounts ALTER COLUMN created_at TYPE timestamptz;",
    "timestamptz under UTC, in a transaction": "BEGIN;\nSET LOCAL lock_timeout = '500ms';\n"
    "SET LOCAL TIME ZONE 'UTC';\n"
    'ALTER TABLE "User" ALTER COLUMN "updatedAt" SET DATA TYPE TIMESTAMPTZ(3);\nCOMMIT;',
    "view replaced": _T + "CREATE OR REPLACE VIEW open_accounts AS\n"
    "  SELECT count(*) AS n, sum(balance) AS total FROM accounts WHERE status = 'open';",
    "view dropped and made again": "BEGIN;\nSET LOCAL lock_timeout = '500ms';\n"
    "DROP VIEW IF EXISTS open_accounts;\n"
    "CREATE VIEW open_accounts AS SELECT id, owner FROM accounts;\nCOMMIT;",
    "function replaced": "CREATE OR REPLACE FUNCTION pay(amount int) RETURNS int LANGUAGE sql\n"
    "AS 'SELECT amount + 1';",
    "trigger replaced": "BEGIN;\nSET LOCAL lock_timeout = '500ms';\n"
    "DROP TRIGGER IF EXISTS payments_touch ON payments;\n"
    "CREATE TRIGGER payments_touch BEFORE UPDATE ON payments\n"
    "  FOR EACH ROW EXECUTE FUNCTION touch();\nCOMMIT;",
    "new table with a trigger": "CREATE TABLE plan (id bigint PRIMARY KEY);\n"
    "CREATE TRIGGER t BEFORE UPDATE ON plan FOR EACH ROW EXECUTE FUNCTION touch();",
    "lock before the change": "BEGIN;\nSET LOCAL lock_timeout = '200ms';\n"
    "LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE;\n"
    "ALTER TABLE accounts ADD COLUMN x int;\nCOMMIT;",
    "comments and grants": "COMMENT ON TABLE accounts IS 'DROP TABLE accounts;';\n"
    "GRANT SELECT ON accounts TO CURRENT_USER;",
    "partition made and attached": _T + "CREATE TABLE measurement_2025 (LIKE measurement);\n"
    "ALTER TABLE measurement ATTACH PARTITION measurement_2025\n"
    "  FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');",
    "new type": "CREATE TYPE plan_kind AS ENUM ('a', 'b');\nCREATE SEQUENCE plan_no;",
    "validate later": _T + "ALTER TABLE payments VALIDATE CONSTRAINT payments_amount_check;",
    "refresh concurrently": "CREATE UNIQUE INDEX CONCURRENTLY k ON account_totals (account_id);\n"
    "REFRESH MATERIALIZED VIEW CONCURRENTLY account_totals;",
    "unique by an index": "CREATE UNIQUE INDEX CONCURRENTLY notes_no_key ON notes (note_no);\n"
    + _T
    + "ALTER TABLE notes ADD CONSTRAINT notes_no_key UNIQUE USING INDEX notes_no_key;",
}
