"""What an operator looks at while a conversion is under way: backfills and old names."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psycopg import errors
from psycopg.rows import class_row

from runner import screen
from runner.execute.events import Phase, Vitals, percent
from runner.execute.old_names import (
    OldName,
    describe_old_name,
    open_standbys,
    read_old_names,
)
from runner.execute.picture import phases_of
from runner.execute.vitals import Ear
from runner.ledger.lock import lock_holder
from runner.ledger.owners import find_left_behind
from runner.ledger.records import read_ledger
from runner.ledger.spellings import read_spellings
from runner.ledger.status import describe_status, read_status, sum_up_status
from runner.ledger.strategies import look_aside
from runner.ledger.tables import hold_table
from runner.ledger.units import Stand, all_tables, find_units, is_of, stand_of, tables_of, unit_of
from runner.postgres.connect import OURS, connect

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from datetime import timedelta

    from psycopg import Connection

    from runner.ledger.files import Migration
    from runner.ledger.owners import LeftBehind
    from runner.ledger.records import Ledger
    from runner.ledger.spellings import KeptSpellings
    from runner.ledger.status import MigrationStatus

_SHOWN = 4


@dataclass(frozen=True)
class BackfillStatus:
    """How far a backfill is.

    Args:
        file: id of its migration.
        table_name: the table.
        rows_done: rows converted so far.
        share: of its pages, from 0 to 1.
        seconds: from its begin to its last batch.
        dead_rows: what VACUUM would free now, as the server estimates it.
        growth: the table's size to what it was when the walk began, 1.0 for as large.
        hot_share: of all updates of the table since its statistics began, how many spared the
            indexes, from 0 to 1; all three None once the table has another name.
    """

    file: str
    table_name: str
    rows_done: int
    share: float
    seconds: float
    dead_rows: int | None
    growth: float | None
    hot_share: float | None

    @property
    def seconds_left(self) -> float | None:
        """An estimate, None while nothing is known."""
        if self.share <= 0:
            return None
        return self.seconds * (1 - self.share) / self.share


@dataclass(frozen=True)
class Running:
    """A run that works on the database now.

    Args:
        who: the session that holds the migration lock.
        file: the non-transactional migration that it has begun; empty between two of them.
        seconds: since it began that file.
        vitals: how the server bears its backfill; None where that is not told.
    """

    who: str
    file: str
    seconds: float
    vitals: Vitals | None


@dataclass(frozen=True)
class Underway:
    """Where a database is on its way.

    Args:
        migrations: where each file stands.
        units: how far each unit of tables is.
        backfills: how far those are that have begun.
        old_names: how much each is used.
        phases: how far each is.
        run: what works on it now; None when no run of trueup does.
        kept: the old spellings that are kept for a rollback.
        left: which tables the other strategy has begun, and which only it converts; empty for
            none.
        left_behind: what a change of a table's owner left behind, so that clients may fail.
    """

    migrations: tuple[MigrationStatus, ...]
    units: tuple[Stand, ...]
    backfills: tuple[BackfillStatus, ...]
    old_names: tuple[OldName, ...]
    phases: tuple[Phase, ...] = ()
    run: Running | None = None
    kept: tuple[KeptSpellings, ...] = ()
    left: str = ""
    left_behind: tuple[LeftBehind, ...] = ()


def look(
    dsn: str,
    migrations: Sequence[Migration],
    *,
    waiting_period: timedelta,
    unit: str | None = None,
    schema: str | None = None,
    every: float | None = None,
    standbys: Sequence[str] = (),
) -> Generator[Underway, None, None]:
    """Look at a database once, or again and again; reads only, takes no lock.

    Args:
        dsn: the database.
        migrations: all that the sources hold, in the order of read_migrations.
        waiting_period: how long an old name must be unused before contract removes it.
        unit: a table by its old or new name: tell of its unit of tables alone.
        schema: the schema of yoyo's tables, None to look for them.
        every: seconds between two looks; None to look once.
        standbys: the same database on standbys, whose clients are asked for, too.

    Raises:
        TrueupError: one of its kinds; the ledger cannot be read, no unit has the table.
    """
    within = unit_of(migrations, unit) if unit else None
    tables = tables_of(migrations, within) if within else frozenset()
    with (
        connect(dsn, application_name="trueup status", settings=OURS) as connection,
        open_standbys(connection, standbys) as asked,
    ):
        ear = Ear(connection) if every is not None else None
        while True:
            ledger = read_ledger(connection, schema=schema)
            lines = read_status(connection, migrations, ledger)
            backfills = [
                replace(b, share=1.0) if b.file in ledger.applied else b
                for b in read_backfills(connection)
            ]
            old_names = read_old_names(connection, waiting_period, asked, of=all_tables(migrations))
            if within is not None:
                lines = [x for x in lines if x.migration in within.files | within.shared]
                backfills = [x for x in backfills if x.file in within.files]
                old_names = [x for x in old_names if is_of(tables, x.name)]
            aside = look_aside(migrations, ledger)
            taken = aside.taken
            units = [
                stand
                for u in (find_units(migrations) if within is None else [within])
                if not u.files <= taken and (stand := stand_of(migrations, u, ledger.applied))
            ]
            run = _running(connection, ledger, ear)
            lines = [
                replace(x, standing="running", notes=()) if run and x.migration == run.file else x
                for x in lines
            ]
            phases = phases_of(
                (x.phase, x.standing == "applied")
                for x in lines
                if x.migration not in taken and x.standing != "missing"
            )
            yield Underway(
                tuple(lines),
                tuple(units),
                tuple(backfills),
                tuple(old_names),
                phases,
                run,
                tuple(read_spellings(connection)) if within is None else (),
                "\n".join(filter(None, (aside.elsewhere, str(aside)))) if within is None else "",
                tuple(
                    x
                    for x in find_left_behind(connection)
                    # For the while one that keeps its name stands in another schema.
                    if within is None or x.table in {name[-1] for name in tables}
                ),
            )
            if every is None:
                return
            time.sleep(every)


def _running(connection: Connection, ledger: Ledger, ear: Ear | None) -> Running | None:
    holder = lock_holder(connection)
    if holder is None:
        return None
    begun = [record for record in ledger.unfinished() if record.state == "STARTED"]
    last = max(begun, key=lambda record: record.started_at, default=None)
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    file = last.migration_id if last else ""
    vitals = ear.heard_of(holder.pid) if ear else None
    return Running(
        str(holder),
        file,
        (row[0] - last.started_at).total_seconds() if last else 0.0,
        vitals if vitals and vitals.migration == file else None,
    )


def describe(underway: Underway, *, everything: bool = False, room: int = screen.LINES) -> str:
    """Where it stands, as lines of text: all of it where it fits a screen or is asked for."""
    lines = describe_status(underway.migrations)
    lines += map(str, underway.units)
    lines += map(describe_backfill, underway.backfills)
    for name in underway.old_names:
        lines += describe_old_name(name)
    lines += map(str, underway.kept)
    lines += map(str, underway.left_behind)
    if not everything and len(lines) > room:
        lines = _in_short(underway)
    lines += [underway.left] if underway.left else []
    return "\n".join([*lines, sum_up(underway)])


def sum_up(underway: Underway) -> str:
    """Where it stands in one line: the last of what status prints, and a fleet's."""
    left = [s.migration for s in underway.migrations if s.standing == "unfinished"]
    if underway.run:
        return f"running{f': {underway.run.file}' if underway.run.file else ''}; {underway.run.who}"
    if left:
        return f"unfinished: {', '.join(left[:_SHOWN])}; the next run continues it"
    stands = Counter((unit.done, unit.next) for unit in underway.units)
    if not stands:
        applied = sum(s.standing == "applied" for s in underway.migrations)
        return f"applied: {applied} of {len(underway.migrations)} files"
    parts = []
    for (done, following), count in stands.items():
        stand = f"{done} is done" if done else "not begun"
        of = f"{count} of {stands.total()} units: " if len(stands) > 1 else ""
        parts.append(f"{of}{stand}{f', next: {following}' if following else ''}")
    return "; ".join(parts)


def _in_short(underway: Underway) -> list[str]:
    """What matters: what is to be looked at, what goes on now, and what comes next."""
    lines = sum_up_status(underway.migrations)
    stands: dict[tuple[str, str], list[str]] = {}
    for unit in underway.units:
        stands.setdefault((unit.done, unit.next), []).extend(unit.tables)
    for (done, following), tables in list(stands.items())[:_SHOWN]:
        lines.append(str(Stand(_some(tables), done, following)))
    running = [b for b in underway.backfills if b.share < 1]
    finished = [b for b in underway.backfills if b.share >= 1]
    lines += [describe_backfill(b) for b in running[:_SHOWN]]
    if left := screen.rest(_SHOWN, len(running)):
        lines.append(left)
    if finished:
        rows = sum(b.rows_done for b in finished)
        lines.append(f"backfills done: {len(finished)}, {rows:,} rows")
    used = sorted(underway.old_names, key=lambda n: (n.allowed_from is not None, -n.queries))
    for name in used[:_SHOWN]:
        lines.append(describe_old_name(name)[0])
        lines += [f"  {w}" for w in name.witnesses if w.objects or not w.heard]
    if left := screen.rest(_SHOWN, len(used)):
        lines.append(left)
    lines += map(str, underway.kept[:_SHOWN])
    if left := screen.rest(_SHOWN, len(underway.kept)):
        lines.append(left)
    lines += map(str, underway.left_behind[:_SHOWN])
    if left := screen.rest(_SHOWN, len(underway.left_behind)):
        lines.append(left)
    return lines


def _some(tables: list[str]) -> tuple[str, ...]:
    left = screen.rest(_SHOWN, len(tables))
    return (*tables[:_SHOWN], *([left] if left else []))


def read_backfills(connection: Connection) -> list[BackfillStatus]:
    """Read how far the backfills are; none before expand and after contract's rollback files.

    Args:
        connection: to the database.

    Returns:
        One entry for each backfill that has begun.
    """
    with connection.cursor(row_factory=class_row(BackfillStatus)) as cursor:
        try:
            with connection.transaction():
                hold_table(connection, "trueup", "progress")
                return cursor.execute(
                    """
                SELECT p.file, p.table_name, p.rows_done,
                    CASE WHEN p.pages = 0 THEN 1.0
                        ELSE least(1.0, p.page::float8 / p.pages) END AS share,
                    extract(epoch FROM p.updated_at - p.started_at)::float8 AS seconds,
                    s.n_dead_tup AS dead_rows,
                    pg_relation_size(s.relid)::float8
                        / greatest(p.pages * current_setting('block_size')::bigint, 1) AS growth,
                    s.n_tup_hot_upd::float8 / greatest(s.n_tup_upd, 1) AS hot_share
                FROM trueup.progress p
                LEFT JOIN pg_catalog.pg_stat_user_tables s
                    ON s.relid = pg_catalog.to_regclass(p.table_name)
                ORDER BY p.file
                """
                ).fetchall()
        except (errors.UndefinedTable, errors.InvalidSchemaName, errors.InsufficientPrivilege):
            return []


def describe_backfill(status: BackfillStatus) -> str:
    """A backfill as a line of text."""
    rate = status.rows_done / status.seconds if status.seconds > 0 else 0.0
    left = status.seconds_left
    coming = "" if status.share >= 1 or left is None else f", {left:.0f} s left"
    line = (
        f"{status.file}: {percent(status.share)} of {status.table_name}, {status.rows_done:,} rows,"
        f" {rate:,.0f} rows/s{coming}"
    )
    if status.dead_rows is None or status.growth is None or status.hot_share is None:
        return line
    return (
        f"{line}; {status.dead_rows:,} dead rows,"
        f" table {status.growth:.2f} times its size, {status.hot_share:.0%} HOT"
    )
