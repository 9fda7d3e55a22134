"""The tables of the ledger: yoyo's four, in the format of yoyo 9, and trueup's one."""

from __future__ import annotations

from psycopg import Connection, errors, sql

from runner.errors import LedgerError

_YOYO_VERSION = 2


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
        LedgerError: when the role may not create them.
    """
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
            if not present[1]:
                if not _schema_exists(connection, "trueup"):
                    connection.execute("CREATE SCHEMA trueup")
                connection.execute(_TRUEUP_TABLE)
    except errors.InsufficientPrivilege as error:
        raise LedgerError(
            f"the ledger's tables cannot be created: {error.diag.message_primary}",
            hint="`trueup grants` prints the SQL that gives a role what it needs",
        ) from None


def _schema_exists(connection: Connection, schema: str) -> bool:
    row = connection.execute(
        "SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s", [schema]
    ).fetchone()
    return row is not None


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
