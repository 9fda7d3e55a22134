"""The backfill of requests against one plain UPDATE, and the whole online chain against window."""

from __future__ import annotations

import time
from typing import LiteralString

import psycopg

from bench.bench_window import run_window
from bench.support import Bench, migrations
from runner.execute import engine
from runner.execute.events import Event, FileDone

PLAIN: LiteralString = """
    UPDATE public.requests
    SET id__new = id::uuid, request_type__new = upper(request_type),
        model_id__new = model_id::uuid, provider__new = upper(provider)
    WHERE id__new IS NULL
"""
FILE = "0202_backfill_request"
TURNS = 3


def measure(bench: Bench) -> None:
    """Bar 3 of issue 4."""
    requests = bench.size(full=2_000_000, small=100_000)
    ours, plain, grown, plain_grown, hot, chain, window = [], [], [], [], [], [], []
    side_by_side = []
    for _ in range(TURNS):
        with bench.database(requests=requests) as dsn:
            engine.apply(dsn, migrations("online"), to="expand")
            before = _size(dsn)
            plain.append(_execute(dsn, PLAIN))
            plain_grown.append(_size(dsn) / before)
        with bench.database(requests=requests) as dsn:
            files = _chain(dsn, "expand")
            before = _size(dsn)
            files |= _chain(dsn, "backfill")
            ours.append(files[FILE])
            grown.append(_size(dsn) / before)
            hot.append(_hot_share(dsn))
            files |= _chain(dsn, "contract")
            chain.append(sum(files.values()))
        with bench.database(requests=requests) as dsn:
            _chain(dsn, "expand")
            before = _size(dsn)
            side_by_side.append(_chain(dsn, "backfill", jobs=2)[FILE])
            grown.append(_size(dsn) / before)
            hot.append(_hot_share(dsn))
        with bench.database(requests=requests) as dsn:
            window.append(sum(run_window(dsn).values()))
    bench.at_least(
        f"backfill, {requests:,} requests, to one plain UPDATE",
        min(plain) / min(ours),
        1.4,
        "x",
        f"{requests / min(ours):,.0f} rows/s to {requests / min(plain):,.0f};"
        f" at least {min(hot):.0%} of the updates HOT",
    )
    bench.at_least(
        "backfill by two jobs to one",
        min(ours) / min(side_by_side),
        1.25,
        "x",
        f"{requests / min(side_by_side):,.0f} rows/s",
    )
    bench.at_most(
        "the table after the backfill",
        max(grown),
        1.6,
        "x",
        f"heap; after the plain UPDATE {max(plain_grown):.2f} x",
    )
    bench.at_most(
        "online chain to window chain",
        min(chain) / min(window),
        3,
        "x",
        f"expand to contract, {min(chain):.2f} s to {min(window):.2f} s",
    )


def _chain(dsn: str, to: str, jobs: int = 1) -> dict[str, float]:
    taken: dict[str, float] = {}

    def listen(event: Event) -> None:
        if isinstance(event, FileDone):
            taken[event.migration] = event.seconds

    settings = engine.Settings(waiting_period="0", jobs=jobs)
    engine.apply(dsn, migrations("online"), to=to, settings=settings, listener=listen)
    return taken


def _execute(dsn: str, statement: LiteralString) -> float:
    begun = time.perf_counter()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement)
    return time.perf_counter() - begun


def _size(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT pg_relation_size('public.requests')").fetchone()
    assert row is not None
    return int(row[0])


def _hot_share(dsn: str) -> float:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT n_tup_hot_upd::float / greatest(n_tup_upd, 1) FROM pg_stat_user_tables"
            " WHERE relid = 'public.requests'::regclass"
        ).fetchone()
    assert row is not None
    return float(row[0])
