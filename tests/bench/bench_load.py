"""The online chain under load: what clients of both contracts notice."""

from __future__ import annotations

import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from bench.clients import Sample, acknowledged, clients, write_ids
from bench.support import Bench, Logged, migrations, statements_of_runs
from runner.execute import engine
from runner.execute.events import Event, FileDone, FileStarted

RATE = 300.0
NEW_RATE = 100.0  # of the new contract's clients, beside the old one's
CONNECTIONS = 6
START_SECONDS = 3.0
STEP_SECONDS = 5  # of the curves


@dataclass(frozen=True)
class FileRun:
    """One file of the chain, on the monotonic clock."""

    migration: str
    begun: float
    ended: float
    attempts: int


def measure(bench: Bench) -> None:
    """Bar 2 of issue 4."""
    models = bench.size(full=1_000_000, small=10_000)
    requests = bench.size(full=2_000_000, small=50_000)
    quiet = 180 if bench.full else 12
    with (
        bench.database(models=models, requests=requests) as dsn,
        tempfile.TemporaryDirectory() as name,
    ):
        write_ids(dsn, Path(name))
        with psycopg.connect(dsn) as connection:
            deadlocks_before = _deadlocks(connection)
        log_from = bench.server.log.stat().st_size
        load = _run(dsn, Path(name), quiet)
        time.sleep(1)
        with psycopg.connect(dsn) as connection:
            deadlocks = _deadlocks(connection) - deadlocks_before
            row = connection.execute(
                "SELECT sum(daily_tokens_used) FROM public.provider_quota"
            ).fetchone()
            assert row is not None
            counted = int(row[0])
        holds = _holds(statements_of_runs(bench.server.log, log_from))
    _report(bench, f"{models:,} + {requests:,} rows", load)
    _curves(bench, load)
    bench.exactly("deadlocks", deadlocks, 0)
    lost = acknowledged(load.samples) - counted
    bench.exactly("lost increments", lost, 0, note=f"{counted:,} counted")
    for statement, hold in sorted(holds.items(), key=lambda item: -item[1]):
        bench.figure(f"lock held: {statement}", hold, "ms", "from asking for it to the COMMIT")


@dataclass
class Load:
    """What the clients saw, and when what happened, on the monotonic clock.

    Args:
        samples: all transactions.
        files: the chain's files.
        calm: the times without a migration.
        runs: the times with one.
    """

    samples: list[Sample] = field(default_factory=list)
    files: list[FileRun] = field(default_factory=list)
    calm: list[tuple[float, float]] = field(default_factory=list)
    runs: list[tuple[float, float]] = field(default_factory=list)

    def within(self, times: list[tuple[float, float]]) -> list[Sample]:
        """The transactions that some of these times saw."""
        return [
            s
            for s in self.samples
            if any(s.ended > begun and s.ended - s.seconds < ended for begun, ended in times)
        ]


def _run(dsn: str, folder: Path, quiet: float) -> Load:
    """Run the chain under load.

    It is quiet before the chain, and once more with clients of both contracts: what they do to
    each other is not the migration's doing. The new ones start when enforce is done: before it,
    their keys have no index. What happens while processes start or stop is in no latency. Both
    quiet times together are as long as the chain: the worst of a longer time is a worse one.
    """
    load = Load()
    with clients("old", dsn, folder, rate=RATE, connections=CONNECTIONS) as old:
        _rest(load, quiet)
        _apply(dsn, "enforce", load)
        with clients("new", dsn, folder, rate=NEW_RATE, connections=CONNECTIONS // 2) as new:
            _rest(load, max(quiet / 3, load.runs[0][1] - load.runs[0][0] - quiet))
            _apply(dsn, "switch", load)
            old.stop()
            time.sleep(2)  # the odometer's counters lag by a second
            _apply(dsn, "contract", load)
    load.samples = old.samples + new.samples
    return load


def _rest(load: Load, seconds: float) -> None:
    """A time without a migration, once new processes have started and prepared statements."""
    time.sleep(START_SECONDS)
    begun = time.monotonic()
    time.sleep(seconds)
    load.calm.append((begun, time.monotonic()))


def _apply(dsn: str, to: str, load: Load) -> None:
    begun = run_began = time.monotonic()

    def listen(event: Event) -> None:
        nonlocal begun
        if isinstance(event, FileStarted):
            begun = time.monotonic()
        elif isinstance(event, FileDone):
            load.files.append(FileRun(event.migration, begun, time.monotonic(), event.attempts))

    engine.apply(
        make_conninfo(dsn, options="-c log_min_duration_statement=0"),
        migrations("online"),
        to=to,
        settings=engine.Settings(waiting_period="1s"),
        listener=listen,
    )
    load.runs.append((run_began, time.monotonic()))


def _report(bench: Bench, size: str, load: Load) -> None:
    files, before, during = load.files, load.within(load.calm), load.within(load.runs)
    failed = [s for s in load.samples if s.error]
    bench.exactly(
        f"failed transactions, online chain on {size}",
        len(failed),
        0,
        note=f"of {len(load.samples):,}; {failed[0].error}"
        if failed
        else f"of {len(load.samples):,}; {RATE:.0f} a second, and {NEW_RATE:.0f} new ones",
    )
    worst = max(during, key=lambda s: s.seconds)
    usual = max(s.seconds for s in before)
    bench.figure("clients without a migration", _seconds(load.calm), "s")
    bench.at_most(
        "worst client latency above the worst of the same clients without a migration",
        (worst.seconds - usual) * 1000,
        50,
        "ms",
        f"{worst.seconds * 1000:.0f} ms to {usual * 1000:.0f} ms; {worst.name}"
        f" in {_file_at(files, worst)}",
    )
    bench.at_most(
        "p99 to the p99 of the same clients without a migration",
        _p99(during) / _p99(before),
        1.5,
        "x",
        f"{_p99(during) * 1000:.1f} ms to {_p99(before) * 1000:.1f} ms",
    )
    bench.at_most(
        "online chain under load",
        _seconds(load.runs),
        400,
        "s",
        f"{sum(f.attempts - 1 for f in files)} lock attempts failed and were repeated",
        small=False,
    )


def _curves(bench: Bench, load: Load) -> None:
    """The p99 and the worst of every few seconds, and when which phase ran."""
    begun = min(s.ended for s in load.samples)
    buckets: dict[int, list[float]] = defaultdict(list)
    for sample in load.samples:
        buckets[int((sample.ended - begun) // STEP_SECONDS)].append(sample.seconds * 1000)
    taken = {at * STEP_SECONDS: sorted(found) for at, found in sorted(buckets.items())}
    p99 = {at: found[int(len(found) * 0.99)] for at, found in taken.items()}
    worst = {at: found[-1] for at, found in taken.items()}
    marks: dict[str, float] = {}
    for file in load.files:
        marks.setdefault(file.migration.split("_")[1], file.begun - begun)
    for calm_begun, _ in load.calm[1:]:
        marks["no migration"] = calm_begun - begun
    for name, points in (("p99", p99), ("worst", worst)):
        bench.curve("load", "seconds", f"{name} of {STEP_SECONDS} s: ms", points, marks)


def _file_at(files: list[FileRun], sample: Sample) -> str:
    begun = sample.ended - sample.seconds
    names = [f.migration for f in files if f.begun <= sample.ended and f.ended >= begun]
    return " and ".join(names) or "no file"


def _seconds(times: list[tuple[float, float]]) -> float:
    return sum(ended - begun for begun, ended in times)


def _p99(samples: list[Sample]) -> float:
    ordered = sorted(s.seconds for s in samples)
    return ordered[int(len(ordered) * 0.99)]


def _deadlocks(connection: psycopg.Connection) -> int:
    row = connection.execute(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    ).fetchone()
    assert row is not None
    return int(row[0])


_STRONG = re.compile(r"ALTER TABLE|ALTER INDEX|DROP (?!INDEX CONC)|CREATE TRIGGER|LOCK TABLE")


def _holds(statements: Iterable[Logged]) -> dict[str, float]:
    """The longest time, in ms, from a strong lock's statement to the end of its transaction."""
    holds: dict[str, float] = {}
    since: dict[str, tuple[float, str]] = {}
    for statement in statements:
        at, pid, text = statement.at, statement.pid, statement.text
        if text.startswith("BEGIN"):
            since.pop(pid, None)
        elif text.startswith("COMMIT") and pid in since:
            begun, first = since.pop(pid)
            holds[first] = max(holds.get(first, 0.0), at - begun)
        elif _STRONG.match(text) and "VALIDATE" not in text and pid not in since:
            since[pid] = (at - statement.taken, re.sub(r"\s+", " ", text)[:80])
    return holds
