"""Brings the runs of a rehearsal together: what each file and statement costs, and at live size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.review.measures import Estimate, FileCost, FileSpan, LockCost, LockSpan, StatementCost
from runner.review.rehearse.estimate import Point, at_size, per_million, total

if TYPE_CHECKING:
    from runner.ledger.files import Migration
    from runner.review.measures import Load
    from runner.review.rehearse.load import Sample
    from runner.review.rehearse.run import FileRun

_SHOWN = 2000  # characters of a statement


@dataclass(frozen=True)
class Measured:
    """One time up and down without clients.

    Args:
        runs: of the files, in order.
        rows: of each table when it began, by name.
        origins: names of the relations when it began, by oid.
    """

    runs: Sequence[FileRun]
    rows: Mapping[str, int]
    origins: Mapping[int, str]

    def origin(self, run: FileRun, relation: str) -> str:
        """The name that a relation had before the first file; empty when the files made it."""
        return self.origins.get(run.oids.get(relation, 0), "")

    def replaces(self, run: FileRun, relation: str) -> str:
        """The name of a relation that files dropped and made again; empty when they did not.

        What only has a table's old name is none: the table is there under another one.
        """
        gone = any(
            name == relation and oid not in run.oids.values() for oid, name in self.origins.items()
        )
        return relation if gone else ""


def assemble(
    measured: Sequence[Measured],
    migrations: Sequence[Migration],
    *,
    live: Mapping[str, int],
    loaded: Mapping[tuple[str, str], FileRun],
    load: Load | None,
    samples: Sequence[Sample],
    begun: float,
) -> tuple[FileCost, ...]:
    """What each direction of each file costs.

    Args:
        measured: from the smallest sample to the largest.
        migrations: that were rehearsed, in order.
        live: rows of the live tables, by name; empty when no database was named.
        loaded: the runs with clients, by id and direction.
        load: what the clients saw.
        samples: the clients' queries.
        begun: when the clients began, on the monotonic clock.
    """
    found = []
    for direction in ("up", "down"):
        for migration in migrations:
            pairs = [
                (each, run)
                for each in measured
                for run in each.runs
                if (run.migration.id, run.direction) == (migration.id, direction)
            ]
            if not pairs:
                continue
            during = loaded.get((migration.id, direction))
            ended = [
                s for s in samples if during and during.begun <= s.ended <= during.ended + 0.05
            ]
            commit = pairs[-1][1].commit
            statements = _statements(pairs, live, commit)
            parts = [s.at_live for s in statements]
            found.append(
                FileCost(
                    migration.id,
                    migration.phase,
                    direction,
                    sum(s.seconds for s in statements) + commit,
                    total([*parts, Estimate(commit, commit, commit)]),
                    during.attempts if during else 1,
                    sum(bool(s.error) for s in ended),
                    max((s.seconds for s in ended), default=0.0),
                    statements,
                )
            )
    return tuple(found)


def spans(
    runs: Sequence[FileRun], begun: float
) -> tuple[tuple[FileSpan, ...], tuple[LockSpan, ...]]:
    """When the files ran and the locks were held, in seconds since the clients began."""
    files, locks = [], []
    for run in runs:
        start = run.begun - begun
        m = run.migration
        files.append(FileSpan(m.id, m.phase, run.direction, start, run.ended - begun))
        for held in run.held:
            taken = start + held.begun
            sampled = run.traces[held.statement].sampled
            until = taken + held.seconds if sampled else run.ended - begun
            line = run.statements[held.statement].line
            locks.append(
                LockSpan(m.id, run.direction, line, held.relation, held.mode, taken, until)
            )
    return tuple(files), tuple(locks)


def _statements(
    pairs: Sequence[tuple[Measured, FileRun]], live: Mapping[str, int], commit: float
) -> tuple[StatementCost, ...]:
    _, last = pairs[-1]
    found: list[StatementCost] = []
    # From the last to the first, as a lock lasts through all that follows it.
    for index in reversed(range(len(last.traces))):
        found.insert(0, _statement(pairs, index, live, found, commit))
    return tuple(found)


def _statement(
    pairs: Sequence[tuple[Measured, FileRun]],
    index: int,
    live: Mapping[str, int],
    later: Sequence[StatementCost],
    commit: float,
) -> StatementCost:
    measured, run = pairs[-1]
    trace, statement = run.traces[index], run.statements[index]
    # The table that most of the work is done on decides how the statement grows.
    table = next(
        (name for t in trace.touches if t.work and (name := measured.origin(run, t.relation))), ""
    )
    points, wal = [], []
    for each, one in pairs:
        rows = each.rows.get(table, 0)
        points.append(Point(rows, one.traces[index].seconds))
        wal.append(Point(rows, float(one.traces[index].wal_bytes)))
    size = live.get(table, 0) if live else None
    at_live = at_size(points, size)
    largest = [p.value for p in points if p.rows == points[-1].rows]
    ran = sum(largest) / len(largest)
    until_commit = ran + sum(s.seconds for s in later) + commit
    rest = [s.at_live for s in later]
    # What was seen in one run belongs to the statement, whatever another run's sampling missed.
    held = {
        (h.relation, h.mode): h.seconds
        for _, one in pairs
        for h in one.held
        if h.statement == index
    }
    locks = tuple(
        LockCost(
            relation,
            measured.origin(run, relation) or measured.replaces(run, relation),
            mode,
            seconds if trace.sampled else until_commit,
            _held_at_live(seconds, ran, at_live, rest, sampled=trace.sampled),
        )
        for (relation, mode), seconds in held.items()
    )
    return StatementCost(
        line=statement.line,
        sql=statement.text[:_SHOWN],
        seconds=ran,
        at_live=at_live,
        per_million=per_million(points) if table else None,
        locks=locks,
        touches=trace.touches,
        wal_bytes=trace.wal_bytes,
        wal_at_live=at_size(wal, size),
        temp_bytes=trace.temp_bytes,
        dead_tuples=sum(t.dead for t in trace.touches),
        sampled=trace.sampled,
    )


def _held_at_live(
    seconds: float,
    ran: float,
    at_live: Estimate | None,
    rest: Sequence[Estimate | None],
    *,
    sampled: bool,
) -> Estimate | None:
    if at_live is None:
        return None
    if not sampled:
        return total([at_live, *rest])
    if seconds < ran / 2:
        # Let go of and taken again, batch by batch: each hold stays as long.
        return Estimate(seconds, seconds, seconds)
    return at_live
