"""One session for one run: its name, its settings, and the migration lock."""

from __future__ import annotations

import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString, NamedTuple

from psycopg import Connection, DataError, Error, sql
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from runner.errors import ConnectionFailedError
from runner.ledger.lock import migration_lock
from runner.ledger.tables import create_tables
from runner.postgres.connect import connect, parse_dsn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runner.execute.events import Event, Listener
    from runner.ledger.files import Migration


# What a role or a database may have set, and would end a run halfway or let it read wrongly.
_STEADY = {
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "default_transaction_isolation": "read committed",
    "exit_on_error": "off",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
}


@dataclass(frozen=True)
class Settings:
    """How a run behaves.

    Args:
        deadline: seconds that the run, and then each file, goes on trying for a lock.
        lock_timeout: for statements whose file sets none; below deadlock_timeout, so that the
            migration gives way and never a client.
        waiting_period: how long the old contract must be unused before contract removes it, as
            a PostgreSQL interval; None leaves it to the files.
        schema: the schema of yoyo's tables, None to look for them.
        accept: kinds of runner.ledger.audit.ACCEPTABLE that do not stop the run.
        cancel_blockers: seconds after which queries that hold a table are cancelled; None: never.
        jobs: how many sessions walk a backfill's pages side by side; while clients are active, also
            how many processes a statement may use.
        max_lag: seconds that a standby may be behind while a backfill works.
        pause: seconds between two stretches of a backfill; None: as long as clients need.
        force: old names that contract removes although they may be in use; all others are still
            held to the waiting period.
        standbys: the same database on standbys, whose clients contract waits for, too.
        approve: called under the lock with what is about to run; stops the run by raising.
    """

    deadline: float = 600.0
    lock_timeout: str = "200ms"
    waiting_period: str | None = None
    schema: str | None = None
    accept: frozenset[str] = frozenset()
    cancel_blockers: float | None = None
    jobs: int = 1
    max_lag: float = 10.0
    pause: float | None = None
    force: tuple[str, ...] = ()
    standbys: tuple[str, ...] = ()
    approve: Callable[[Connection, Sequence[Migration]], None] | None = None


class Session(NamedTuple):
    """A connection and the run it belongs to.

    Args:
        dsn: the database.
        run: id of the run, also its application_name.
        connection: in autocommit mode; names in its queries are PostgreSQL's own.
        search_path: what the role has, by which files find names.
        afresh: what undoes what a file may have set for the session.
    """

    dsn: str
    run: str
    connection: Connection
    search_path: str
    afresh: bytes


def ignore(_event: Event) -> None:
    """A listener that does nothing."""


@contextmanager
def open_session(dsn: str, settings: Settings) -> Iterator[Session]:
    """Connect for one run.

    Args:
        dsn: the database.
        settings: how the run behaves.

    Raises:
        ConnectionFailedError: when the database cannot be reached, or is lost within the context.
    """
    run = f"trueup-{uuid.uuid4()}"
    variables = {"lock_timeout": settings.lock_timeout, "trueup.run": run}
    if settings.waiting_period is not None:
        variables["trueup.waiting_period"] = settings.waiting_period
    if settings.force:
        import json

        variables["trueup.force"] = json.dumps(settings.force)
    values = {**parse_dsn(dsn), "client_encoding": "utf8", "application_name": run}
    connection = connect(make_conninfo(**values), application_name=run, settings=variables)
    try:
        path = search_path_of(connection)
        yield Session(dsn, run, connection, path, _begin_afresh(connection))
    except Error as error:
        # A value that Python cannot hold has no SQLSTATE either.
        if isinstance(error, DataError) or not (connection.closed or error.sqlstate is None):
            raise
        raise ConnectionFailedError(
            f"the connection was lost: {str(error).strip()}",
            hint="run the same command again: it continues where the records say it is",
        ) from None
    finally:
        connection.close()


def open_job(session: Session, settings: Settings, number: int) -> Connection:
    """A further session of a run, in autocommit mode; the caller closes it."""
    variables = {"lock_timeout": settings.lock_timeout, "trueup.run": session.run}
    name = f"{session.run} job {number}"
    values = {**parse_dsn(session.dsn), "client_encoding": "utf8", "application_name": name}
    connection = connect(make_conninfo(**values), application_name=name, settings=variables)
    connection.execute(session.afresh)
    return connection


def search_path_of(connection: Connection) -> str:
    """By which schemas a session finds names."""
    row = connection.execute("SELECT pg_catalog.current_setting('search_path')").fetchone()
    assert row is not None
    return str(row[0])


def beginning(session: Session) -> bytes:
    """What opens a transaction in which names mean what they mean to the role."""
    path = sql.Literal(session.search_path)
    begin = sql.SQL("BEGIN; SELECT pg_catalog.set_config('search_path', {}, true)").format(path)
    return begin.as_bytes(session.connection)


@contextmanager
def names_of_files(connection: Connection, search_path: str) -> Iterator[None]:
    """Let names mean in a file what they mean to its role, under trueup as under yoyo.

    Args:
        connection: a run's; in a transaction, it is set until that ends.
        search_path: what the role has.
    """
    _set_search_path(connection, search_path)
    try:
        yield
    finally:
        # A failed transaction brings it back itself.
        if connection.info.transaction_status in (
            TransactionStatus.IDLE,
            TransactionStatus.INTRANS,
        ):
            _set_search_path(connection, "pg_catalog")


def _set_search_path(connection: Connection, search_path: str) -> None:
    is_local = connection.info.transaction_status == TransactionStatus.INTRANS
    connection.execute(
        "SELECT pg_catalog.set_config('search_path', %s, %s)", [search_path, is_local]
    )


def _begin_afresh(connection: Connection) -> bytes:
    """Give a new session what all files begin with.

    Returns:
        The statements that do so again after a file; yoyo gives each file a new connection.
    """
    connection.execute("SET search_path = pg_catalog")
    # What the DSN says is asked for.
    found = connection.execute(
        "SELECT name FROM pg_catalog.pg_settings WHERE name = ANY (%s) AND source <> 'client'",
        [list(_STEADY)],
    ).fetchall()
    # The server ends the session, and with it the lock, soon after the client has died; where
    # the server's system cannot tell, TCP will in the end.
    for checked in ({"client_connection_check_interval": "1s"}, {}):
        values = {name: _STEADY[name] for (name,) in found} | checked
        steady = sql.SQL("").join(
            sql.SQL("; SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
            for name, value in values.items()
        )
        afresh = (sql.SQL(_AFRESH) + steady).as_bytes(connection)
        with suppress(DataError):
            connection.execute(afresh)
            break
    return afresh


_AFRESH: LiteralString = (
    "RESET SESSION AUTHORIZATION; RESET ALL; DISCARD TEMP; DISCARD SEQUENCES; UNLISTEN *;"
    " SET search_path = pg_catalog"
)


def require_writable(connection: Connection) -> tuple[str, str]:
    """Make sure that migrations can write.

    Args:
        connection: to the database.

    Returns:
        The names of the database and of the role.

    Raises:
        ConnectionFailedError: on a standby, or when the role may only read.
    """
    row = connection.execute(
        "SELECT current_database(), current_user, pg_catalog.pg_is_in_recovery(),"
        " current_setting('transaction_read_only') = 'on'"
    ).fetchone()
    assert row is not None
    database, user, standby, read_only = row
    if standby or read_only:
        what = "a standby" if standby else "read-only for this role"
        raise ConnectionFailedError(
            f"database {database} is {what}, and migrations write",
            hint="connect to the primary with a role that may write",
        )
    return database, user


@contextmanager
def hold_lock(
    session: Session, schema: str, settings: Settings, listener: Listener
) -> Iterator[None]:
    """Hold the migration lock and have the ledger's tables.

    Args:
        session: the session that will write.
        schema: the schema of yoyo's tables.
        settings: the deadline.
        listener: told when another run holds the lock.

    Raises:
        LockedError: when the lock was not free within the deadline.
    """
    from runner.execute.events import LockAwaited

    with migration_lock(
        session.connection,
        schema=schema,
        deadline=settings.deadline,
        prepare=lambda: create_tables(session.connection, schema),
        waiting=lambda holder: listener(LockAwaited(holder)),
    ):
        yield
