"""What will happen, in order, before it happens: files, statements, locks, times, the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from runner.layouts.applied import read_applied
from runner.ledger import selection
from runner.ledger.files import Migration, chain_checksums
from runner.ledger.records import Ledger, read_ledger
from runner.ledger.strategies import look_aside
from runner.ledger.units import unit_of
from runner.postgres.connect import OURS, connect
from runner.postgres.locks import LockMode
from runner.quoting import told_name
from runner.review import certificate as certificates
from runner.review.certificate import Certificate
from runner.review.measures import Estimate, FileCost, LockCost

if TYPE_CHECKING:
    from runner.ledger.scanner import Statement

_NAME = "trueup plan"
_MOST_NAMED = 3
_OLD_SECONDS = 1.0  # a transaction that is open for longer is worth a word


@dataclass(frozen=True)
class Blocker:
    """A session that is in the way now.

    Args:
        pid: its server process.
        who: role and application.
        state: what it does, as pg_stat_activity says.
        seconds: since its transaction began.
        relation: what it holds.
        mode: how.
        query: its newest statement, cut.
    """

    pid: int
    who: str
    state: str
    seconds: float
    relation: str
    mode: LockMode
    query: str


@dataclass(frozen=True)
class PlannedStatement:
    """A statement of a file; its costs are empty when it was not rehearsed."""

    line: int
    sql: str
    locks: tuple[LockCost, ...] = ()
    seconds: float | None = None
    at_live: Estimate | None = None
    rewrites: tuple[str, ...] = ()
    rows_read: int = 0
    rows_written: int = 0
    sampled: bool = False


@dataclass(frozen=True)
class PlannedFile:
    """A file that is going to run.

    Args:
        migration: id.
        phase: its phase, or empty.
        title: what its header says it does.
        transactional: all of it or nothing.
        on_request: it runs only when it, or its phase, is named.
        header: the header's locks, cost and undo.
        rehearsed: whether the costs were measured with this very file.
        seconds: measured at the largest sample, None when it was not rehearsed.
        at_live: at the live size, None when that is not known.
        locks: the strongest on each relation.
        back_seconds: how long its rollback took, None when it was not rehearsed.
        back_at_live: the same at the live size.
        back_locks: the strongest lock of the rollback on each relation.
        reversible: whether there is a rollback file.
        in_the_way: sessions that hold now what it is going to ask for.
        statements: in their order.
    """

    migration: str
    phase: str
    title: str
    transactional: bool
    on_request: bool
    header: dict[str, str]
    rehearsed: bool
    seconds: float | None
    at_live: Estimate | None
    locks: tuple[LockCost, ...]
    back_seconds: float | None
    back_at_live: Estimate | None
    back_locks: tuple[LockCost, ...]
    reversible: bool
    in_the_way: tuple[Blocker, ...]
    statements: tuple[PlannedStatement, ...]


@dataclass(frozen=True)
class Plan:
    """What a run of apply would do.

    Args:
        service: the service, or the folder.
        database: the live database's name; empty when none is named.
        certificate: fingerprint of the rehearsal that the costs come from, or empty.
        passed: whether that rehearsal passed.
        notes: what to know.
        sessions: transactions that are open for longer than a second.
        files: in the order in which they run.
        left: which tables only the other strategy converts; empty for none.
    """

    service: str
    database: str
    certificate: str
    passed: bool
    notes: tuple[str, ...]
    sessions: tuple[Blocker, ...]
    files: tuple[PlannedFile, ...]
    left: str = ""


def find_certificate(named: Path | None, connection: Connection[Any] | None) -> Certificate | None:
    """The certificate to take costs from.

    Args:
        named: a file that the user named.
        connection: to the live database, if there is one.

    Returns:
        That of the named file; else of trueup-rehearsal.json in this folder; else the one that is
        stored in the database; else None.

    Raises:
        RehearsalError: a certificate cannot be read.
    """
    here = Path(certificates.FILENAME)
    if named is not None or here.is_file():
        return certificates.read_file(named or here)
    return certificates.load_stored(connection) if connection is not None else None


def make_plan(
    dsn: str | None,
    migrations: Sequence[Migration],
    *,
    to: str | None = None,
    unit: str | None = None,
    rehearsal: Path | None = None,
) -> Plan:
    """Find out what a run of apply would do. Reads only.

    Args:
        dsn: the live database; None to plan every file as if none were applied.
        migrations: all that the sources hold, in the order of read_migrations.
        to: the last phase or id; None for what a plain apply would do.
        unit: a table by its old or new name: plan its unit of tables alone.
        rehearsal: a certificate's file; else it is looked for.

    Returns:
        The plan.

    Raises:
        TrueupError: one of its kinds.
    """
    within = unit_of(migrations, unit) if unit else None
    if dsn is None:
        found = find_certificate(rehearsal, None)
        # Without a ledger, what the rehearsal took for applied is.
        applied = {m.id for m in migrations if m.phase == "baseline"}
        if found is not None:
            applied = {m.id for m in migrations if m.id not in found.files}
        pending = selection.to_apply(migrations, applied, to=to, unit=within)
        left = (
            ""
            if within
            else str(look_aside(migrations, Ledger("", exists=False, applied={}, latest={})))
        )
        return replace(_plan("", migrations, pending, found, ()), left=left)
    with connect(dsn, application_name=_NAME, settings=OURS) as connection:
        applied = read_applied(connection, migrations)
        aside = look_aside(migrations, read_ledger(connection))
        pending = selection.to_apply(migrations, applied, to=to, unit=within, taken=aside.taken)
        found = find_certificate(rehearsal, connection)
        blockers = read_blockers(connection)
        plan = _plan(connection.info.dbname, migrations, pending, found, blockers)
        return replace(plan, left="" if within else str(aside))


def read_blockers(connection: Connection[Any]) -> tuple[Blocker, ...]:
    """The locks that other sessions hold on tables in transactions open for over a second."""
    rows = connection.execute(
        """
        SELECT a.pid, coalesce(a.usename, '?'), a.application_name, coalesce(a.state, 'hidden'),
            extract(epoch FROM clock_timestamp() - a.xact_start)::float,
            n.nspname, c.relname, l.mode, left(a.query, 80)
        FROM pg_catalog.pg_locks AS l
        JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
        JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE l.locktype = 'relation' AND l.granted AND a.datname = current_database()
            AND a.pid <> pg_backend_pid() AND c.relkind IN ('r', 'p', 'v', 'm')
            AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            AND a.xact_start < clock_timestamp() - make_interval(secs => %s)
        ORDER BY a.xact_start, a.pid, 6, 7
        """,
        [_OLD_SECONDS],
    ).fetchall()
    return tuple(
        Blocker(
            pid,
            f"{user}, {application}" if application else user,
            state,
            seconds,
            told_name(schema, name),
            LockMode.of_catalog(mode),
            " ".join(query.split()),
        )
        for pid, user, application, state, seconds, schema, name, mode, query in rows
    )


def _plan(
    database: str,
    migrations: Sequence[Migration],
    pending: Sequence[Migration],
    found: Certificate | None,
    sessions: tuple[Blocker, ...],
) -> Plan:
    chain = chain_checksums(migrations)
    notes = []
    if found is None:
        notes.append("nothing was rehearsed: locks and times are what the headers say")
    files, others = [], []
    for migration in pending:
        known = found is not None and found.files.get(migration.id) == chain[migration.id]
        if found is not None and not known:
            others.append(migration.id)
        files.append(_file(migration, found if known else None, sessions))
    if len(others) == 1:
        notes.append(f"{others[0]} was not rehearsed as it is now")
    elif others:
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        named = ", ".join(others[:_MOST_NAMED])
        notes.append(f"{len(others)} files were not rehearsed as they are now: {named}{more}")
    return Plan(
        pending[0].service if pending else (migrations[0].service if migrations else ""),
        database,
        found.fingerprint if found else "",
        found.passed if found else False,
        (*notes, *(found.notes if found else ())),
        sessions,
        tuple(files),
    )


def _file(
    migration: Migration, found: Certificate | None, sessions: Sequence[Blocker]
) -> PlannedFile:
    up = found.cost(migration.id) if found else None
    down = found.cost(migration.id, "down") if found else None
    locks = up.locks if up else ()
    return PlannedFile(
        migration.id,
        migration.phase,
        migration.title,
        migration.transactional,
        migration.on_request,
        {k: migration.metadata[k] for k in ("locks", "cost", "undo") if k in migration.metadata},
        up is not None,
        up.seconds if up else None,
        up.at_live if up else None,
        locks,
        down.seconds if down else None,
        down.at_live if down else None,
        down.locks if down else (),
        migration.rollback_path is not None,
        tuple(
            session
            for session in sessions
            if any(
                session.relation in (lock.table, lock.relation)
                and lock.mode.conflicts_with(session.mode)
                for lock in locks
            )
        ),
        tuple(
            _statement(statement, up, index) for index, statement in enumerate(migration.statements)
        ),
    )


def _statement(statement: Statement, up: FileCost | None, index: int) -> PlannedStatement:
    if up is None or index >= len(up.statements):
        return PlannedStatement(statement.line, statement.text)
    cost = up.statements[index]
    return PlannedStatement(
        statement.line,
        statement.text,
        cost.locks,
        cost.seconds,
        cost.at_live,
        tuple(touch.relation for touch in cost.touches if touch.rewritten),
        sum(touch.read for touch in cost.touches),
        sum(touch.inserted + touch.updated + touch.deleted for touch in cost.touches),
        cost.sampled,
    )
