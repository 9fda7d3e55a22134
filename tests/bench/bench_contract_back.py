"""The way back from contract under load: what clients of the new contract notice."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import psycopg

from bench.clients import acknowledged, clients, write_ids
from bench.support import Bench, migrations
from runner.execute import engine
from runner.execute.events import Event, FileDone, FileStarted

RATE = 300.0
CONNECTIONS = 6
START_SECONDS = 3.0
# Nobody uses the old names here, so contract need not wait.
SETTINGS = engine.Settings(waiting_period="0 seconds")


def measure(bench: Bench) -> None:
    """The rollback of contract beside the load of the online chain."""
    models = bench.size(full=1_000_000, small=10_000)
    requests = bench.size(full=2_000_000, small=50_000)
    quiet = 120 if bench.full else 12
    files: list[tuple[str, float, float]] = []
    begun = 0.0

    def listen(event: Event) -> None:
        nonlocal begun
        if isinstance(event, FileStarted):
            begun = time.monotonic()
        elif isinstance(event, FileDone):
            files.append((event.migration, begun, time.monotonic()))

    with (
        bench.database(models=models, requests=requests) as dsn,
        tempfile.TemporaryDirectory() as name,
    ):
        write_ids(dsn, Path(name))
        engine.apply(dsn, migrations("online"), to="contract", settings=SETTINGS)
        with clients("new", dsn, Path(name), rate=RATE, connections=CONNECTIONS) as new:
            time.sleep(START_SECONDS)
            calm = time.monotonic()
            time.sleep(quiet)
            back = time.monotonic()
            engine.rollback(dsn, migrations("online"), to="switch", listener=listen)
            done = time.monotonic()
        with psycopg.connect(dsn) as connection:
            row = connection.execute(
                "SELECT sum(daily_tokens_used) FROM public.provider_quota"
            ).fetchone()
    assert row is not None
    failed = [s for s in new.samples if s.error]
    bench.exactly(
        f"failed transactions, contract's rollback on {models:,} + {requests:,} rows",
        len(failed),
        0,
        note=f"of {len(new.samples):,}; {failed[0].error if failed else f'{RATE:.0f} a second'}",
    )
    lost = acknowledged(new.samples) - int(row[0])
    bench.exactly("lost increments, contract's rollback", lost, 0, note=f"{int(row[0]):,} counted")
    before = [s for s in new.samples if calm < s.ended - s.seconds and s.ended < back]
    during = [s for s in new.samples if back < s.ended and s.ended - s.seconds < done]
    worst = max(during, key=lambda s: s.seconds)
    usual = max(s.seconds for s in before)
    at = [
        f for f, start, end in files if start <= worst.ended and end >= worst.ended - worst.seconds
    ]
    bench.figure(
        "worst client latency in contract's rollback",
        worst.seconds * 1000,
        "ms",
        f"{usual * 1000:.0f} ms in {quiet} s before it; {worst.name}"
        f" in {' and '.join(at) or 'no file'}",
    )
    bench.figure("contract's rollback under load", done - back, "s")
