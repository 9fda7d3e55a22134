"""The backfill of requests against one plain UPDATE, and the whole online chain against window."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import LiteralString

import psycopg
from psycopg import sql

from bench.bench_window import run_window
from bench.support import TURNS, Bench, migrations, ratios
from runner.execute import engine
from runner.execute.events import Event, FileDone, Listener

PLAIN: LiteralString = """
    UPDATE public.requests
    SET id__new = id::uuid, request_type__new = upper(request_type),
        model_id__new = model_id::uuid, provider__new = upper(provider)
    WHERE id__new IS NULL
"""
# Half of the rows, wherever they stand: neither session waits for a row of the other.
HALF: LiteralString = PLAIN + " AND hashtext(id) % 2 "
HALVES: tuple[LiteralString, ...] = (HALF + "= 0", HALF + "<> 0")
# What is left to do by hand behind that UPDATE: no batches, no guards, no way back.
BY_HAND: tuple[LiteralString, ...] = (
    """
    UPDATE public.models
    SET id__new = id::uuid, provider__new = upper(provider),
        capabilities__new = upper(capabilities::text)::varchar[], status__new = upper(status)
    WHERE id__new IS NULL
    """,
    "CREATE UNIQUE INDEX CONCURRENTLY model_pkey ON public.models (id__new)",
    "CREATE UNIQUE INDEX CONCURRENTLY request_pkey ON public.requests (id__new)",
    "CREATE INDEX CONCURRENTLY request_model_id_idx ON public.requests (model_id__new)",
    """
    CREATE INDEX CONCURRENTLY request_provider_success_idx
        ON public.requests (provider__new, success)
    """,
    """
    ALTER TABLE public.requests VALIDATE CONSTRAINT requests_filled,
        VALIDATE CONSTRAINT request_type_check, VALIDATE CONSTRAINT request_provider_check
    """,
    """
    ALTER TABLE public.requests ADD CONSTRAINT request_model_id_fkey
        FOREIGN KEY (model_id__new) REFERENCES public.models (id__new) NOT VALID
    """,
    "ALTER TABLE public.requests VALIDATE CONSTRAINT request_model_id_fkey",
    "ANALYZE public.requests (id__new, request_type__new, model_id__new, provider__new)",
)
# The way back from the new contract, as briefly.
BACK_BY_HAND: tuple[LiteralString, ...] = (
    """
    ALTER TABLE public.request ADD COLUMN id__old varchar(36),
        ADD COLUMN request_type__old varchar(50), ADD COLUMN model_id__old varchar(36),
        ADD COLUMN provider__old varchar(50)
    """,
    """
    UPDATE public.request
    SET id__old = id, request_type__old = lower(request_type), model_id__old = model_id,
        provider__old = lower(provider)
    """,
    "CREATE UNIQUE INDEX CONCURRENTLY requests_pkey ON public.request (id__old)",
    "CREATE UNIQUE INDEX CONCURRENTLY request_pkey__again ON public.request (id)",
    "CREATE INDEX CONCURRENTLY requests_model_id_idx ON public.request (model_id__old)",
    """
    CREATE INDEX CONCURRENTLY requests_provider_success_idx
        ON public.request (provider__old, success)
    """,
    "ANALYZE public.request (id__old, request_type__old, model_id__old, provider__old)",
)
FILE = "0202_backfill_request"
FILE_BACK = "contract_request_fill"


def measure(bench: Bench) -> None:
    """The bars of issue 19."""
    requests = bench.size(full=2_000_000, small=100_000)
    ours, plain, grown, plain_grown, hot, new_page, chain, window = ([] for _ in range(8))
    side_by_side, plain_by_two, grown_by_two, back, fill_back = ([] for _ in range(5))
    chain_files: list[dict[str, float]] = []
    back_files: list[dict[str, float]] = []
    fills, by_hand, back_by_hand = [], [], []
    for _ in range(TURNS):
        with bench.database(requests=requests) as dsn:
            engine.apply(dsn, migrations("online"), to="expand")
            before = _size(dsn)
            plain.append(_execute(dsn, PLAIN))
            plain_grown.append(_size(dsn) / before)
            by_hand.append(plain[-1] + sum(_execute(dsn, statement) for statement in BY_HAND))
        with bench.database(requests=requests) as dsn:
            engine.apply(dsn, migrations("online"), to="expand")
            with ThreadPoolExecutor(len(HALVES)) as sessions:
                begun = time.perf_counter()
                list(sessions.map(lambda half: _execute(dsn, half), HALVES))
                plain_by_two.append(time.perf_counter() - begun)
        with bench.database(requests=requests) as dsn:
            files = _chain(dsn, "expand")
            before = _size(dsn)
            filled = _chain(dsn, "backfill")
            files |= filled
            ours.append(files[FILE])
            grown.append(_size(dsn) / before)
            hot.append(_share(dsn, "n_tup_hot_upd"))
            new_page.append(_share(dsn, "n_tup_newpage_upd"))
            files |= _chain(dsn, "contract")
            chain_files.append(files)
            chain.append(sum(files.values()))
            undone = _contract_back(dsn)
            back_files.append(undone)
            fills.append(sum(filled.values()))
            back.append(sum(undone.values()) / fills[-1])
            fill_back.append(
                sum(s for name, s in undone.items() if name.endswith(FILE_BACK)) / files[FILE]
            )
        with bench.database(requests=requests) as dsn:
            _chain(dsn, "expand")
            before = _size(dsn)
            side_by_side.append(_chain(dsn, "backfill", jobs=2)[FILE])
            grown_by_two.append(_size(dsn) / before)
        with bench.database(requests=requests) as dsn:
            window.append(sum(run_window(dsn).values()))
            back_by_hand.append(sum(_execute(dsn, statement) for statement in BACK_BY_HAND))
    rows = (
        f"{requests / median(ours):,.0f} rows/s to {requests / median(plain):,.0f};"
        f" {median(hot):.0%} of the updates HOT, {median(new_page):.0%} to another page"
    )
    bench.at_least(
        f"backfill, {requests:,} requests, to one plain UPDATE",
        ratios(plain, ours),
        1.6,
        "x",
        rows,
        small=False,
    )
    bench.at_least(
        "backfill by two jobs to one",
        ratios(ours, side_by_side),
        1.7,
        "x",
        f"{requests / median(side_by_side):,.0f} rows/s; two plain UPDATEs, half the rows each,"
        f" to one {median(ratios(plain, plain_by_two)):.2f} x",
        small=False,
    )
    bench.at_most(
        "the table after the backfill",
        grown,
        1.5,
        "x",
        f"heap; by two jobs {median(grown_by_two):.2f} x, after the plain UPDATE"
        f" {median(plain_grown):.2f} x",
    )
    bench.at_most(
        "contract's rollback to the backfill",
        back,
        1.2,
        "x",
        f"with the old contract's indexes; the files that fill {median(fill_back):.2f} x",
        small=False,
    )
    bench.figure(
        "the way back from the new contract by hand to the backfill",
        ratios(back_by_hand, fills),
        "x",
        "one plain UPDATE, four indexes CONCURRENTLY; no batches, no spellings, no foreign keys",
    )
    bench.parts("contract's rollback", back_files, fills, "the backfill")
    bench.at_most(
        "online chain to window chain",
        ratios(chain, window),
        2.5,
        "x",
        f"expand to contract, {median(chain):.2f} s to {median(window):.2f} s",
        small=False,
    )
    bench.figure(
        "an online conversion by hand to window chain",
        ratios(by_hand, window),
        "x",
        f"one plain UPDATE, indexes CONCURRENTLY, VALIDATE; {median(by_hand):.2f} s",
    )
    bench.parts("online chain", chain_files, window, "the window chain")


def _chain(dsn: str, to: str, jobs: int = 1) -> dict[str, float]:
    taken, listen = _listener()
    settings = engine.Settings(waiting_period="0", jobs=jobs)
    engine.apply(dsn, migrations("online"), to=to, settings=settings, listener=listen)
    return taken


def _contract_back(dsn: str) -> dict[str, float]:
    taken, listen = _listener()
    engine.rollback(dsn, migrations("online"), to="switch", listener=listen)
    return taken


def _listener() -> tuple[dict[str, float], Listener]:
    """The seconds of each file, and what listens for them."""
    taken: dict[str, float] = {}

    def listen(event: Event) -> None:
        if isinstance(event, FileDone):
            taken[event.migration] = event.seconds

    return taken, listen


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


def _share(dsn: str, counter: LiteralString) -> float:
    """Of the updates of requests, those that a counter of the server counts."""
    query = sql.SQL(
        "SELECT {}::float / greatest(n_tup_upd, 1) FROM pg_stat_user_tables"
        " WHERE relid = 'public.requests'::regclass"
    )
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.format(sql.Identifier(counter))).fetchone()
    assert row is not None
    return float(row[0])
