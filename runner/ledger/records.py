"""The records of a database: yoyo's own tables, and trueup's table of what was run and how.

yoyo's tables say which migrations are applied; they keep the format of yoyo 9, so that the plain
`yoyo` command reads and writes them too. `trueup.ledger` adds what yoyo leaves out: content,
duration, who ran it, and whether a non-transactional file was begun but not finished.
"""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, LiteralString, NamedTuple

from psycopg import Connection, errors, sql
from psycopg.rows import class_row

from runner.errors import LedgerError
from runner.ledger.tables import DEFAULT_SCHEMA, hold_table, in_schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from runner.ledger.files import Migration

Operation = Literal["APPLY", "ROLLBACK", "BASELINE", "REPAIR"]
State = Literal["STARTED", "FAILED", "DONE"]


class Record(NamedTuple):
    """One row of trueup.ledger: one run of one file.

    Args:
        id: grows with each row.
        migration_id: the migration.
        service: the service folder that the file came from.
        operation: what was done with it.
        state: STARTED and FAILED are seen only for a non-transactional file.
        checksum: SHA-256 of the forward file at that time.
        rollback_checksum: SHA-256 of the rollback file at that time.
        chain_checksum: SHA-256 over both and all ancestors.
        run: id of the run, also its application_name.
        runner_version: trueup's version.
        database_user: role in the database.
        os_user: who ran the command.
        host: where the command ran.
        started_at: when the file was begun.
        finished_at: when it was done or failed, None while it runs.
        error: what made it fail, else None.
    """

    id: int
    migration_id: str
    service: str
    operation: Operation
    state: State
    checksum: str
    rollback_checksum: str
    chain_checksum: str
    run: str
    runner_version: str
    database_user: str
    os_user: str
    host: str
    started_at: datetime
    finished_at: datetime | None
    error: str | None


class Ledger(NamedTuple):
    """What a database's records say.

    Args:
        schema: the schema of yoyo's tables.
        exists: whether yoyo's tables are there.
        applied: time of application (UTC, without zone) by migration id, from yoyo's table.
        latest: the newest record of each migration, from trueup.ledger.
    """

    schema: str
    exists: bool
    applied: Mapping[str, datetime]
    latest: Mapping[str, Record]

    def unfinished(self) -> list[Record]:
        """The records of non-transactional files that were begun and not finished."""
        return [r for r in self.latest.values() if r.state in ("STARTED", "FAILED")]


def read_ledger(connection: Connection, *, schema: str | None = None) -> Ledger:
    """Read the records without writing or locking anything.

    Args:
        connection: to the database; a read-only role or a standby will do.
        schema: the schema of yoyo's tables, when it is known; else it is looked for.

    Returns:
        The ledger, empty when there is none yet.

    Raises:
        LedgerError: when the tables are ambiguous, too old, or may not be read.
    """
    found = connection.execute(
        """
        SELECT n.nspname, c.relname, c.relrowsecurity,
               r.rolsuper OR r.rolname = current_user OR r.oid = d.datdba
               OR r.oid IN (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'trueup')
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
        JOIN pg_catalog.pg_database d ON d.datname = current_database()
        WHERE c.relkind IN ('r', 'p')
          AND (c.relname IN ('_yoyo_migration', '_yoyo_version')
               OR (n.nspname = 'trueup' AND c.relname = 'ledger'))
        ORDER BY n.nspname
        """
    ).fetchall()
    # Nobody else makes the records ambiguous, by tables of the same names in a schema of theirs.
    ours = {name for name, table, _, is_ours in found if is_ours and table == "_yoyo_migration"}
    if ours:
        found = [row for row in found if row[0] in {*ours, "trueup"}]
    if secured := [f"{name}.{table}" for name, table, is_secured, _ in found if is_secured]:
        raise LedgerError(
            f"{secured[0]} has row security, which could hide records and run code of its owner",
            hint=f"ALTER TABLE {secured[0]} DISABLE ROW LEVEL SECURITY;",
        )
    there = {(name, table) for name, table, *_ in found}
    schemas = [name for name, table, *_ in found if table == "_yoyo_migration"]
    if schema is None and len(schemas) > 1:
        raise LedgerError(
            f"yoyo's table _yoyo_migration is in several schemas: {', '.join(schemas)}",
            hint="name the one to use in the database URL: ...?schema=NAME",
        )
    home = schema or (schemas[0] if schemas else DEFAULT_SCHEMA)
    exists = home in schemas
    if exists and (home, "_yoyo_version") not in there:
        raise LedgerError(
            f"the yoyo tables in schema {home} have the format of yoyo 5",
            hint="run `yoyo list` once with yoyo 9, which upgrades them",
        )
    try:
        with connection.transaction():
            applied = _read_applied(connection, home) if exists else {}
            latest = _read_latest(connection) if ("trueup", "ledger") in there else {}
    except errors.InsufficientPrivilege as error:
        raise LedgerError(
            f"the ledger cannot be read: {error.diag.message_primary}",
            hint="`trueup grants` prints the SQL that gives a role what it needs",
        ) from None
    except errors.DataError as error:
        table = sql.Identifier(home, "_yoyo_migration").as_string()
        raise LedgerError(
            f"the ledger holds a time that no run writes: {error}",
            hint=f"somebody has changed it: see applied_at_utc in {table}, and started_at and"
            " finished_at in trueup.ledger",
        ) from None
    return Ledger(home, exists, applied, latest)


def _read_applied(connection: Connection, schema: str) -> dict[str, datetime]:
    hold_table(connection, schema, "_yoyo_migration")
    rows = connection.execute(
        sql.SQL(
            "SELECT migration_id, applied_at_utc FROM {}._yoyo_migration"
            " ORDER BY applied_at_utc, migration_id"
        ).format(sql.Identifier(schema))
    ).fetchall()
    return dict(rows)


def _read_latest(connection: Connection) -> dict[str, Record]:
    hold_table(connection, "trueup", "ledger")
    with connection.cursor(row_factory=class_row(Record)) as cursor:
        records = cursor.execute(
            """
            SELECT DISTINCT ON (migration_id)
                   id, migration_id, service, operation, state,
                   checksum, rollback_checksum, chain_checksum, run, runner_version,
                   database_user, os_user, host, started_at, finished_at, error
            FROM trueup.ledger
            ORDER BY migration_id, id DESC
            """
        ).fetchall()
    return {record.migration_id: record for record in records}


@dataclass(frozen=True)
class Recorder:
    """Writes the records of one run; the caller's transaction decides when they hold.

    Args:
        connection: the session that also runs the migrations.
        schema: the schema of yoyo's tables.
        run: id of the run.
        chain: chain checksum by migration id.
    """

    connection: Connection
    schema: str
    run: str
    chain: Mapping[str, str]

    def started(self, migration: Migration, operation: Operation) -> int:
        """Record that a file is begun; returns the record's id."""
        row = self.connection.execute(
            _INSERT + " RETURNING id", self._values(migration, operation, "STARTED")
        ).fetchone()
        assert row is not None
        return int(row[0])

    def failed(self, record: int, error: str) -> None:
        """Record that a begun file failed, and why."""
        self.connection.execute(
            "UPDATE trueup.ledger SET state = 'FAILED', finished_at = clock_timestamp(),"
            " error = %s WHERE id = %s AND state <> 'DONE'",
            [error, record],
        )

    def is_done(self, record: int) -> bool:
        """Whether a begun file has been recorded as done."""
        row = self.connection.execute(
            "SELECT FROM trueup.ledger WHERE id = %s AND state = 'DONE'", [record]
        ).fetchone()
        return row is not None

    def applied(
        self, migration: Migration, operation: Operation = "APPLY", *, record: int | None = None
    ) -> None:
        """Record that a migration is applied, in yoyo's tables and in trueup's."""
        self._done(migration, operation, "mark" if operation == "BASELINE" else "apply", record)

    def rolled_back(self, migration: Migration, *, record: int | None = None) -> None:
        """Record that a migration is rolled back, in yoyo's tables and in trueup's."""
        self._done(migration, "ROLLBACK", "rollback", record)

    def _done(
        self, migration: Migration, operation: Operation, as_yoyo: str, record: int | None
    ) -> None:
        is_back = operation == "ROLLBACK"
        own = self._values(migration, operation, "DONE") if record is None else [record]
        key = [migration.yoyo_hash] if is_back else [migration.yoyo_hash, migration.id]
        log = [migration.yoyo_hash, migration.id, as_yoyo, os_user()[:255], host()[:255]]
        self.connection.execute(
            _recording(self.schema, is_new=record is None, is_back=is_back), [*own, *key, *log]
        )

    def _values(self, migration: Migration, operation: Operation, state: State) -> list[str]:
        return [
            migration.id,
            migration.service,
            operation,
            state,
            migration.checksum,
            migration.rollback_checksum,
            self.chain[migration.id],
            migration.text,
            migration.rollback_text,
            self.run,
            runner_version(),
            os_user(),
            host(),
            state,
            state,
        ]


_INSERT: LiteralString = """
    INSERT INTO trueup.ledger (
        migration_id, service, operation, state, checksum, rollback_checksum, chain_checksum,
        forward_sql, rollback_sql, run, runner_version, os_user, host, started_at, finished_at
    ) VALUES (
        %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
        CASE %s WHEN 'DONE' THEN transaction_timestamp() ELSE clock_timestamp() END,
        CASE %s WHEN 'DONE' THEN clock_timestamp() END
    )"""
_FINISH: LiteralString = """
    UPDATE trueup.ledger SET state = 'DONE', finished_at = clock_timestamp(), error = NULL
    WHERE id = %s"""
# The same time in both tables tells later that yoyo did not apply it anew since.
_APPLIED: LiteralString = """
    INSERT INTO {} (migration_hash, migration_id, applied_at_utc)
    VALUES (%s, %s, (SELECT finished_at FROM recorded) AT TIME ZONE 'UTC')
    ON CONFLICT (migration_hash) DO UPDATE SET applied_at_utc = excluded.applied_at_utc"""

_RECORDING: LiteralString = """
WITH recorded AS (
    {own} RETURNING finished_at
), marked AS (
    {theirs}
)
INSERT INTO {log} (
    id, migration_hash, migration_id, operation, username, hostname, created_at_utc
) VALUES (
    gen_random_uuid()::text, %s, %s, %s, %s, %s, clock_timestamp() AT TIME ZONE 'UTC'
)
"""


@cache
def _recording(schema: str, *, is_new: bool, is_back: bool) -> bytes:
    """The statement that records a file as done, in all tables at once."""
    migration, log = (in_schema(schema, name) for name in ("_yoyo_migration", "_yoyo_log"))
    theirs = "DELETE FROM {} WHERE migration_hash = %s" if is_back else _APPLIED
    return (
        sql.SQL(_RECORDING)
        .format(
            own=sql.SQL(_INSERT if is_new else _FINISH),
            theirs=sql.SQL(theirs).format(migration),
            log=log,
        )
        .as_bytes(None)
    )


@cache
def runner_version() -> str:
    """trueup's version, as installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("trueup")
    except PackageNotFoundError:
        return "unknown"


@cache
def os_user() -> str:
    """Who runs the command; the user's number when it has no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@cache
def host() -> str:
    """The name of this machine."""
    return socket.gethostname()
