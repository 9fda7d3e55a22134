"""The tables of the ledger: yoyo's four, in the format of yoyo 9, and trueup's one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Connection, errors, sql
from psycopg.rows import tuple_row

from runner.errors import LedgerError

DEFAULT_SCHEMA = "public"
_YOYO_VERSION = 2
YOYO_TABLES = ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock")


def in_schema(schema: str, table: str) -> sql.SQL:
    """A qualified name for a query with parameters, where a % of the name must be doubled."""
    name = sql.Identifier(schema, table).as_string().replace("%", "%%")
    return sql.SQL(name)


def create_tables(connection: Connection, schema: str) -> None:
    """Create yoyo's tables and trueup's, those that are missing.

    Args:
        connection: to the database, in autocommit mode.
        schema: the schema of yoyo's tables.

    Raises:
        LedgerError: when the role may not create them, or somebody else has a hand in the schema.
    """
    require_own_schema(connection, schema)
    yoyo = sql.SQL(_YOYO_TABLES).format(schema=sql.Identifier(schema), version=_YOYO_VERSION)
    try:
        with connection.transaction():
            connection.execute("SET LOCAL client_min_messages = warning")
            present = connection.execute(
                "SELECT to_regclass(%s || '._yoyo_version') IS NOT NULL"
                " AND to_regclass(%s || '.yoyo_lock') IS NOT NULL,"
                " to_regclass('trueup.ledger') IS NOT NULL",
                [quoted := sql.Identifier(schema).as_string(), quoted],
            ).fetchone()
            assert present is not None
            # CREATE ... IF NOT EXISTS asks for the privilege even when there is nothing to do.
            if not present[0]:
                connection.execute(yoyo)
                for table in YOYO_TABLES:
                    keep_private(connection, schema, table)
            if not present[1]:
                make_schema(connection)
                connection.execute(_TRUEUP_TABLE)
                keep_private(connection, "trueup", "ledger")
    except errors.InsufficientPrivilege as error:
        raise LedgerError(
            f"the ledger's tables cannot be created: {error.diag.message_primary}",
            hint="`trueup grants` prints the SQL that gives a role what it needs",
        ) from None


_STRANGERS = """
SELECT coalesce(r.rolname, 'PUBLIC'), o.what
FROM (
    SELECT n.nspowner, 'owns the schema trueup' FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = 'trueup'
    UNION ALL
    SELECT acl.grantee, 'may create in the schema trueup'
    FROM pg_catalog.pg_namespace AS n
    CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) AS acl
    WHERE n.nspname = 'trueup' AND acl.privilege_type = 'CREATE'
    UNION ALL
    SELECT p.proowner, 'owns ' || p.oid::regprocedure FROM pg_catalog.pg_proc AS p
    WHERE p.pronamespace = pg_catalog.to_regnamespace('trueup')
        AND NOT (p.prosecdef AND p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype)
    UNION ALL
    SELECT c.relowner, 'owns ' || c.oid::regclass FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = pg_catalog.to_regnamespace('trueup')
        AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION ALL
    SELECT y.role_id, y.what || c.oid::regclass
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
        SELECT c.relowner, 'owns '
        UNION ALL
        SELECT acl.grantee, 'may create triggers on '
        FROM pg_catalog.aclexplode(c.relacl) AS acl WHERE acl.privilege_type = 'TRIGGER'
        UNION ALL
        SELECT p.proowner, 'has a trigger on '
        FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
    ) AS y (role_id, what)
    WHERE n.nspname = ANY (%(schemas)s) AND c.relname = ANY (%(yoyo)s)
) AS o (role_id, what)
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = o.role_id
JOIN pg_catalog.pg_database AS d ON d.datname = current_database()
WHERE NOT coalesce(r.rolsuper OR r.rolname = current_user OR r.oid = d.datdba, false)
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_class AS t
        JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
        WHERE (n.nspname, t.relname) IN (
                SELECT * FROM unnest(%(places)s::text[], %(tables)s::text[])
            )
            AND t.relkind IN ('r', 'p') AND pg_catalog.pg_has_role(r.oid, t.relowner, 'MEMBER')
    )
LIMIT 1
"""


def find_stranger(
    connection: Connection[Any], schemas: Sequence[str], tables: Iterable[Sequence[str]] = ()
) -> str:
    """Who could run code of their own through trueup's schema and yoyo's tables, with our rights.

    Args:
        connection: to the database.
        schemas: where yoyo's tables are, or may be looked for.
        tables: of the service, as schema and name: whoever acts for their owner is in good hands,
            too, for a role that only looks.

    Returns:
        The role and what it has; empty where they are not there or are in good hands: the role's
        own, the database owner's or a superuser's.
    """
    named = [name for name in tables if len(name) == 2]
    wanted = {
        "schemas": list(schemas),
        "yoyo": list(YOYO_TABLES),
        "places": [schema for schema, _ in named],
        "tables": [table for _, table in named],
    }
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(_STRANGERS, wanted).fetchone()
    return "" if row is None else f"{row[0]} {row[1]}"


_IS_TABLE = """
SELECT c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""


def hold_table(connection: Connection[Any], schema: str, table: str) -> None:
    """Make sure that a table is one until the transaction ends: a view could run anybody's code.

    Args:
        connection: in a transaction.
        schema, table: its name.

    Raises:
        LedgerError: it is something else.
        psycopg.Error: it is not there, or may not be read.
    """
    name = sql.Identifier(schema, table)
    with connection.cursor(row_factory=tuple_row) as cursor:
        # As the SELECT to come will do; nobody can put another thing in its place then.
        cursor.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS SHARE MODE").format(name))
        if cursor.execute(_IS_TABLE, [schema, table]).fetchone() != (True,):
            raise LedgerError(
                f"{schema}.{table} is not the plain table that it was made as, and could run code"
                " of its owner",
                hint="see who has changed it: \\d+ in psql",
            )


def may_read(connection: Connection[Any], table: str) -> bool:
    """Whether a table of the schema trueup is there, and the role may read it."""
    # Not by to_regclass(), which fails where the schema is closed to this role.
    query = """
        SELECT FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'trueup' AND c.relname = %s
            AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
            AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
    """
    return connection.execute(query, [table]).fetchone() is not None


# What the role's sessions begin with, whatever this one has been given.
_SEARCH_PATH = """
SELECT pg_catalog.set_config(
    'search_path',
    coalesce(
        (
            SELECT substring(c.setting from '^search_path=(.*)$')
            FROM pg_catalog.pg_db_role_setting AS s
            CROSS JOIN LATERAL unnest(s.setconfig) AS c (setting)
            WHERE c.setting LIKE 'search_path=%'
                AND s.setrole IN (0, pg_catalog.quote_ident(session_user)::regrole)
                AND s.setdatabase IN (
                    0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
                )
            ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC
            LIMIT 1
        ),
        '"$user", public'
    ),
    true
)
"""


def searched_schemas(connection: Connection[Any]) -> list[str]:
    """The schemas in which yoyo looks for its tables when it connects as the session's role.

    Args:
        connection: in a transaction.
    """
    with connection.cursor(row_factory=tuple_row) as cursor:
        before = cursor.execute("SELECT pg_catalog.current_setting('search_path')").fetchone()
        cursor.execute(_SEARCH_PATH)
        found = cursor.execute("SELECT pg_catalog.current_schemas(false)::text[]").fetchone()
        cursor.execute("SELECT pg_catalog.set_config('search_path', %s, true)", before)
    return list(found[0]) if found else []


_PUBLISHED = """
SELECT p.pubname, s.slot_name
FROM pg_catalog.pg_publication AS p
CROSS JOIN pg_catalog.pg_replication_slots AS s
WHERE p.puballtables AND s.plugin = 'pgoutput' AND s.database = current_database()
LIMIT 1
"""
PUBLISHED_HINT = (
    "publish the tables by name: CREATE PUBLICATION ... FOR TABLE ..., then at the subscriber"
    " ALTER SUBSCRIPTION ... SET PUBLICATION ..., then drop this one"
)


def find_published(connection: Connection[Any]) -> str:
    """The publication that would send the tables of trueup to a subscriber, and to whom.

    Args:
        connection: to the database.

    Returns:
        What is wrong with it; empty where there is none. Without a subscriber it does no harm.
    """
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(_PUBLISHED).fetchone()
    if row is None:
        return ""
    return (
        f"the publication {row[0]} is FOR ALL TABLES: the subscriber of {row[1]} would stop at the"
        " tables of trueup, which it has not"
    )


def require_own_schema(connection: Connection, schema: str) -> None:
    """Refuse tables and a schema that somebody else has a hand in, or that a subscriber would meet.

    Args:
        connection: to the database, as the role that migrates.
        schema: the schema of yoyo's tables.

    Raises:
        LedgerError: naming the role and what it has, or the publication.
    """
    if stranger := find_stranger(connection, [schema]):
        raise LedgerError(
            f"{stranger}, and could run code of its own with the privileges of this role",
            hint=STRANGER_HINT,
        )
    if published := find_published(connection):
        raise LedgerError(published, hint=PUBLISHED_HINT)


STRANGER_HINT = (
    "migrate as that role; if it has no business there, give its tables another owner and REVOKE"
    " CREATE ON SCHEMA trueup and TRIGGER on the tables from it, or, before anything is migrated,"
    " drop what it made: DROP SCHEMA trueup CASCADE"
)


def make_schema(connection: Connection[Any]) -> None:
    """Make the schema trueup where it is missing, its owner's alone by any default privileges.

    Args:
        connection: in a transaction.
    """
    there = "SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'trueup'"
    if connection.execute(there).fetchone() is not None:
        return
    connection.execute("CREATE SCHEMA trueup")
    for (grantee,) in connection.execute(
        "SELECT DISTINCT r.rolname FROM pg_catalog.pg_namespace AS n"
        " CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) AS acl"
        " LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = acl.grantee"
        " WHERE n.nspname = 'trueup' AND acl.grantee <> n.nspowner"
    ).fetchall():
        who = sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee)
        connection.execute(sql.SQL("REVOKE ALL ON SCHEMA trueup FROM {}").format(who))


def keep_private(connection: Connection[Any], schema: str, table: str) -> None:
    """Take back what default privileges gave on a table: records are their owner's to write.

    Args:
        connection: in the transaction that has made the table.
        schema, table: its name.
    """
    for (grantee,) in connection.execute(
        "SELECT DISTINCT r.rolname FROM pg_catalog.pg_class AS c"
        " CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS acl"
        " LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = acl.grantee"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s AND acl.grantee <> c.relowner"
        " AND c.relowner = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)",
        [schema, table],
    ).fetchall():
        who = sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee)
        connection.execute(
            sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.Identifier(schema, table), who)
        )


_YOYO_TABLES = """
CREATE TABLE IF NOT EXISTS {schema}.yoyo_lock (
    locked int DEFAULT 1,
    ctime timestamp,
    pid int NOT NULL,
    PRIMARY KEY (locked)
);
CREATE TABLE IF NOT EXISTS {schema}._yoyo_migration (
    migration_hash varchar(64),
    migration_id varchar(255),
    applied_at_utc timestamp,
    PRIMARY KEY (migration_hash)
);
CREATE TABLE IF NOT EXISTS {schema}._yoyo_log (
    id varchar(36),
    migration_hash varchar(64),
    migration_id varchar(255),
    operation varchar(10),
    username varchar(255),
    hostname varchar(255),
    comment varchar(255),
    created_at_utc timestamp,
    PRIMARY KEY (id)
);
CREATE TABLE IF NOT EXISTS {schema}._yoyo_version (
    version int NOT NULL PRIMARY KEY,
    installed_at_utc timestamp
);
INSERT INTO {schema}._yoyo_version (version, installed_at_utc)
VALUES ({version}, clock_timestamp() AT TIME ZONE 'UTC')
ON CONFLICT (version) DO NOTHING
"""

_TRUEUP_TABLE = """
CREATE TABLE trueup.ledger (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration_id varchar(255) NOT NULL,
    service text NOT NULL,
    operation varchar(20) NOT NULL
        CONSTRAINT ledger_operation_check
        CHECK (operation IN ('APPLY', 'ROLLBACK', 'BASELINE', 'REPAIR')),
    state varchar(20) NOT NULL
        CONSTRAINT ledger_state_check CHECK (state IN ('STARTED', 'FAILED', 'DONE')),
    checksum varchar(64) NOT NULL,
    rollback_checksum varchar(64) NOT NULL,
    chain_checksum varchar(64) NOT NULL,
    forward_sql text NOT NULL,
    rollback_sql text NOT NULL,
    run text NOT NULL,
    runner_version text NOT NULL,
    database_user text NOT NULL DEFAULT current_user,
    os_user text NOT NULL,
    host text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    error text
);
CREATE INDEX ledger_migration_id_idx ON trueup.ledger (migration_id, id);
COMMENT ON TABLE trueup.ledger IS
    'Each run of a migration file by trueup: what, with which content, when, by whom'
"""
