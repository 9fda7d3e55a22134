"""The old names that views keep alive, and what each witness knows of their use."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import Error, errors
from psycopg.types.json import Jsonb

from runner.errors import UsageError
from runner.ledger.tables import find_stranger
from runner.postgres.connect import OURS, connect
from runner.quoting import Name, quote_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime, timedelta

    from psycopg import Connection

# A view of the service that reads a marker.
_NAMES = """
    SELECT DISTINCT n.nspname, v.relname
    FROM pg_catalog.pg_class m
    JOIN pg_catalog.pg_depend d
        ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = m.oid
    JOIN pg_catalog.pg_rewrite r
        ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
    JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
    JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
    WHERE m.relnamespace = pg_catalog.to_regnamespace('trueup') AND m.relkind = 'm'
    ORDER BY 1, 2
"""
_USERS = """
    SELECT pg_catalog.format('%%s (%%s), sessions: %%s',
        coalesce(nullif(a.application_name, ''), 'no application name'), a.usename, count(*))
    FROM pg_catalog.pg_stat_activity a
    WHERE a.datname = current_database() AND a.pid <> pg_catalog.pg_backend_pid()
        AND a.application_name NOT LIKE 'trueup%%'
        AND a.query ~* ('\\m' || pg_catalog.regexp_replace(
            (pg_catalog.parse_ident(%s))[2], '([^[:alnum:]_])', '\\\\\\1', 'g') || '\\M')
    GROUP BY a.application_name, a.usename
    ORDER BY count(*) DESC, 1
"""
_WITNESSES = """
    SELECT w.witness, w.heard, w.unused_since IS NULL, nullif(w.unused_since, '-infinity'), w.says
    FROM trueup.witnesses(%s::pg_catalog.regclass, %s::pg_catalog.jsonb, %s) w
"""

# The toolkit is not there, or not readable, or this is a standby, which has no readings.
_DEAF = (errors.UndefinedFunction, errors.InsufficientPrivilege, errors.FeatureNotSupported)


@dataclass(frozen=True)
class Witness:
    """What one witness knows of the use of an old name.

    Args:
        name: counter, pg_stat_statements, locks or definitions; of a standby, with its address.
        heard: whether it could be asked.
        objects: whether by it the name may be in use.
        unused_since: since when the name is unused by it, None when it cannot say.
        says: what it knows, or why it could not be asked.
    """

    name: str
    heard: bool
    objects: bool
    unused_since: datetime | None
    says: str

    def __str__(self) -> str:
        return f"{self.name}: {self.says}" if self.heard else f"not heard: {self.name}: {self.says}"


@dataclass(frozen=True)
class OldName:
    """How much an old name is used.

    Args:
        name: the compat view.
        queries: how many queries went through it since its counter was read.
        last_use: when, None for never or when the server (before 16) does not tell.
        unused_since: since when all witnesses know that nobody used it, None when it may be in use.
        allowed_from: when contract may remove it if nobody uses it until then, None likewise.
        users: sessions whose last query names it: `application (role)`, with how many.
        witnesses: what each knows.
    """

    name: str
    queries: int
    last_use: datetime | None
    unused_since: datetime | None
    allowed_from: datetime | None
    users: tuple[str, ...]
    witnesses: tuple[Witness, ...] = ()


@dataclass(frozen=True)
class Standby:
    """A standby whose clients are asked for, too.

    Args:
        address: its host and port.
        connection: to it, in autocommit mode.
    """

    address: str
    connection: Connection


@contextmanager
def open_standbys(connection: Connection, dsns: Sequence[str]) -> Iterator[list[Standby]]:
    """Connect to the standbys of a server.

    Args:
        connection: to the server.
        dsns: of the same database on each standby.

    Raises:
        ConnectionFailedError: one cannot be reached.
        UsageError: one is no standby of that server.
    """
    with ExitStack() as stack:
        found = []
        for dsn in dsns:
            other = stack.enter_context(
                connect(dsn, application_name="trueup witness", settings=OURS)
            )
            address = f"{other.info.host}:{other.info.port}"
            here, there = _identity(connection), _identity(other)
            if not there[2] or here[:2] != there[:2]:
                what = "not a standby of this server" if there[2] else "no standby: it takes writes"
                raise UsageError(
                    f"--standby {address}: database {other.info.dbname} there is {what}",
                    hint="name the same database on each physical standby that clients read from",
                )
            found.append(Standby(address, other))
        yield found


def _identity(connection: Connection) -> tuple[Any, ...]:
    row = connection.execute(
        "SELECT system_identifier, current_database(), pg_catalog.pg_is_in_recovery()"
        " FROM pg_catalog.pg_control_system()"
    ).fetchone()
    assert row is not None
    return row


def old_names(connection: Connection) -> list[str]:
    """The views that keep old names alive, quoted where they must be."""
    return [quote_name(Name(*row)) for row in connection.execute(_NAMES).fetchall()]


def await_counts(connection: Connection) -> None:
    """Wait until what sessions have just counted can be seen.

    Before PostgreSQL 15 another process writes it, twice a second.
    """
    if connection.info.server_version < 150000:
        time.sleep(1.2)


def read_old_names(
    connection: Connection,
    waiting_period: timedelta,
    standbys: Sequence[Standby] = (),
    *,
    of: Iterable[Sequence[str]] = (),
) -> list[OldName]:
    """Read who uses the old contract.

    Args:
        connection: to the database.
        waiting_period: how long an old name must be unused before contract removes it.
        standbys: asked, too.
        of: the service's tables, as schema and name: who acts for their owner is trusted.

    Returns:
        One entry for each compat view; sessions of other roles show their query to a superuser
        or a member of pg_read_all_stats only.
    """
    names = old_names(connection)
    # What answers are functions of the schema: nobody else's is called.
    if names and (stranger := find_stranger(connection, (), of)):
        says = f"{stranger}, and could run code of its own with the privileges of this role"
        trap = Witness("counter", heard=False, objects=True, unused_since=None, says=says)
        return [OldName(name, 0, None, None, None, (), (trap,)) for name in names]
    return [_read(connection, name, waiting_period, standbys) for name in names]


def read_again(connection: Connection, name: str, standbys: Sequence[Standby] = ()) -> bool:
    """Read the counters of an old name: its waiting period begins anew.

    Args:
        connection: to the database, of a role that owns the readings.
        name: the compat view.
        standbys: whose counters are read, too.

    Returns:
        Whether there is a reading now: none while uses are not counted.
    """
    connection.execute("CALL trueup.read_odometer(%s)", [name])
    for standby in standbys:
        shows = Jsonb(_show(standby.connection, name, counting=True))
        connection.execute("CALL trueup.read_odometer(%s, %s, %s)", [name, shows, standby.address])
    row = connection.execute(
        "SELECT count(*) FROM trueup.odometer WHERE compat_view = %s AND server = ANY (%s)",
        [_show(connection, name)["name"], ["", *(standby.address for standby in standbys)]],
    ).fetchone()
    return row == (1 + len(standbys),)


def begin_waiting(connection: Connection) -> None:
    """Read the counters of all old names, as an operator does once the old release is gone.

    Servers before PostgreSQL 16 do not date the last use: one before this reading counts no more.

    Args:
        connection: to the database, of a role that owns the readings.
    """
    await_counts(connection)
    for name in old_names(connection):
        read_again(connection, name)


def describe_old_name(name: OldName) -> list[str]:
    """The use of an old name as lines of text."""
    used = f", last used {name.last_use:%Y-%m-%d %H:%M:%S %Z}" if name.last_use else ""
    if name.allowed_from is None:
        when = "may be in use, so contract is not allowed"
    else:
        when = (
            f"contract allowed from {name.allowed_from:%Y-%m-%d %H:%M:%S %Z} if unused until then"
        )
    head = f"{name.name}: {name.queries:,} queries{used}; {when}"
    return [
        head,
        *(f"  by {user}" for user in name.users),
        *(f"  {witness}" for witness in name.witnesses),
    ]


def _read(
    connection: Connection, name: str, waiting_period: timedelta, standbys: Sequence[Standby]
) -> OldName:
    queries, last_use, shows = 0, None, dict[str, Any]()
    witnesses: list[Witness] = []
    try:
        shows = _show(connection, name)
        witnesses += _ask(connection, name, shows, "")
        queries, last_use = _counted(connection, shows)
        for standby in standbys:
            witnesses += _ask_standby(connection, name, standby)
    except _DEAF as error:
        witnesses.append(_deaf("counter", error))
    dates = [w.unused_since for w in witnesses if w.unused_since]
    since = max(dates) if dates and not any(w.objects for w in witnesses) else None
    return OldName(
        name,
        queries,
        last_use,
        since,
        since + waiting_period if since else None,
        # By a name that both contracts have, a session does not tell which one it uses.
        ()
        if shows.get("one_name")
        else tuple(user for (user,) in connection.execute(_USERS, [name]).fetchall()),
        tuple(witnesses),
    )


def _ask_standby(connection: Connection, name: str, standby: Standby) -> list[Witness]:
    try:
        shows = _show(standby.connection, name)
    except Error as error:  # it may be behind, cancel the query, or be gone
        return [_deaf(f"standby {standby.address}, counter", error)]
    return _ask(connection, name, shows, standby.address)


def _deaf(witness: str, error: Error) -> Witness:
    """The counter must be heard: the name may be in use."""
    why = error.diag.message_primary or str(error)
    return Witness(witness, heard=False, objects=True, unused_since=None, says=why)


def _show(connection: Connection, name: str, *, counting: bool = False) -> dict[str, Any]:
    row = connection.execute(
        "SELECT trueup.show_odometer(%s::pg_catalog.regclass, %s)", [name, counting]
    ).fetchone()
    assert row is not None
    shows: dict[str, Any] = row[0]
    return shows


def _ask(connection: Connection, name: str, shows: dict[str, Any], server: str) -> list[Witness]:
    rows = connection.execute(_WITNESSES, [name, Jsonb(shows), server]).fetchall()
    if not server:
        return [Witness(*row) for row in rows]
    # What is defined is the same on a standby.
    return [Witness(f"standby {server}, {w}", *rest) for w, *rest in rows if w != "definitions"]


def _counted(connection: Connection, shows: dict[str, Any]) -> tuple[int, datetime | None]:
    """How many queries since the counter was read, or since it began, and when the last was."""
    row = connection.execute(
        """
        SELECT %(now)s - coalesce(sum(o.queries), 0)::bigint, %(last)s::timestamptz
        FROM trueup.odometer o WHERE o.compat_view = %(name)s AND o.server = ''
        """,
        {"now": shows["queries"], "last": shows["last_use"], "name": shows["name"]},
    ).fetchone()
    assert row is not None
    queries, last_use = row
    return max(queries, 0), last_use if queries > 0 else None
