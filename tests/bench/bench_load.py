"""The online chain under load: what clients of both contracts notice."""

from __future__ import annotations

import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from bench.clients import Clients, Sample, acknowledged, clients, write_ids
from bench.support import Bench, migrations
from runner.execute import engine
from runner.execute.events import Event, FileDone, FileStarted

RATE = 300.0
NEW_RATE = 100.0  # of the new contract's clients, beside the old one's
CONNECTIONS = 6


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
    quiet = 60 if bench.full else 12
    with (
        bench.database(models=models, requests=requests) as dsn,
        tempfile.TemporaryDirectory() as name,
    ):
        write_ids(dsn, Path(name))
        with psycopg.connect(dsn) as connection:
            deadlocks_before = _deadlocks(connection)
        log_from = bench.server.log.stat().st_size
        before, during, files = _run(dsn, Path(name), quiet)
        time.sleep(1)
        with psycopg.connect(dsn) as connection:
            deadlocks = _deadlocks(connection) - deadlocks_before
            row = connection.execute(
                "SELECT sum(daily_tokens_used) FROM public.provider_quota"
            ).fetchone()
            assert row is not None
            counted = int(row[0])
        with bench.server.log.open(encoding="utf-8", errors="replace") as log:
            log.seek(log_from)
            holds = _holds(log.read())
    _report(bench, f"{models:,} + {requests:,} rows", before, during, files)
    bench.exactly("deadlocks", deadlocks, 0)
    lost = acknowledged(before + during) - counted
    bench.exactly("lost increments", lost, 0, note=f"{counted:,} counted")
    for statement, hold in sorted(holds.items(), key=lambda item: -item[1])[:8]:
        bench.figure(f"lock held: {statement}", hold, "ms", "from asking for it to the COMMIT")


def _run(dsn: str, folder: Path, quiet: float) -> tuple[list[Sample], list[Sample], list[FileRun]]:
    """Samples of quiet times and of the chain, and the chain's files.

    It is quiet before the chain, and once more with clients of both contracts: what they do to
    each other is not the migration's doing. The new ones start when enforce is done: before it,
    their keys have no index.
    """
    files: list[FileRun] = []
    with clients("old", dsn, folder, rate=RATE, connections=CONNECTIONS) as old:
        time.sleep(quiet)
        begun = time.monotonic()
        _apply(dsn, "enforce", files)
        with clients("new", dsn, folder, rate=NEW_RATE, connections=CONNECTIONS // 2) as new:
            rest = time.monotonic()
            time.sleep(quiet)
            rested = time.monotonic()
            old.stop()
            time.sleep(2)  # the odometer's counters lag by a second
            _apply(dsn, "contract", files)
            time.sleep(1)
    seen = _settled(old) + _settled(new)
    calm = [s for s in seen if s.ended < begun or rest < s.ended < rested]
    known = set(map(id, calm))
    return calm, [s for s in seen if id(s) not in known], files


def _settled(load: Clients) -> list[Sample]:
    """Without a connection's first second: it prepares its statements then."""
    first = min(s.ended for s in load.samples)
    return [s for s in load.samples if s.ended > first + 1 or s.name == "count" or s.error]


def _apply(dsn: str, to: str, files: list[FileRun]) -> None:
    begun = 0.0

    def listen(event: Event) -> None:
        nonlocal begun
        if isinstance(event, FileStarted):
            begun = time.monotonic()
        elif isinstance(event, FileDone):
            files.append(FileRun(event.migration, begun, time.monotonic(), event.attempts))

    engine.apply(
        make_conninfo(dsn, options="-c log_min_duration_statement=0"),
        migrations("online"),
        to=to,
        settings=engine.Settings(waiting_period="1s"),
        listener=listen,
    )


def _report(
    bench: Bench, size: str, before: list[Sample], during: list[Sample], files: list[FileRun]
) -> None:
    failed = [s for s in before + during if s.error]
    bench.exactly(
        f"failed transactions, online chain on {size}",
        len(failed),
        0,
        note=f"of {len(before) + len(during):,}; {failed[0].error}"
        if failed
        else f"of {len(before) + len(during):,}; {RATE:.0f} a second, and {NEW_RATE:.0f} new ones",
    )
    worst = max(during, key=lambda s: s.seconds)
    usual = max(s.seconds for s in before)
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
        2,
        "x",
        f"{_p99(during) * 1000:.1f} ms to {_p99(before) * 1000:.1f} ms",
    )
    bench.figure(
        "online chain under load",
        sum(f.ended - f.begun for f in files),
        "s",
        f"{sum(f.attempts - 1 for f in files)} lock attempts failed and were repeated",
    )


def _file_at(files: list[FileRun], sample: Sample) -> str:
    begun = sample.ended - sample.seconds
    names = [f.migration for f in files if f.begun <= sample.ended and f.ended >= begun]
    return " and ".join(names) or "no file"


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
_LOGGED = re.compile(
    r"^(?P<at>[\d.]+) \[(?P<pid>\d+)\] trueup-\S+ LOG:  duration: (?P<ms>[\d.]+) ms  [^:]+: "
    r"(?P<sql>.*(?:\n\t.*)*)",
    re.MULTILINE,
)


def _holds(log: str) -> dict[str, float]:
    """The longest time, in ms, from a strong lock's statement to the end of its transaction."""
    holds: dict[str, float] = {}
    since: dict[str, tuple[float, str]] = {}
    for line in _LOGGED.finditer(log):
        at, pid, taken, text = float(line["at"]) * 1000, line["pid"], float(line["ms"]), line["sql"]
        if text.startswith("BEGIN"):
            since.pop(pid, None)
        elif text.startswith("COMMIT") and pid in since:
            begun, first = since.pop(pid)
            holds[first] = max(holds.get(first, 0.0), at - begun)
        elif _STRONG.match(text) and "VALIDATE" not in text and pid not in since:
            since[pid] = (at - taken, re.sub(r"\s+", " ", text)[:80])
    return holds
