"""Model Orchestration's requests before their backfill, and what became of them."""

from __future__ import annotations

from typing import Any

import psycopg

from runner import config
from runner.execute import engine
from runner.ledger.files import Migration, read_migrations
from support.runs import query
from support.variants import SHIPPED

FILE = "0202_backfill_request"
ROWS = 6000


def migrations() -> tuple[Migration, ...]:
    """The online strategy of Model Orchestration."""
    sources = config.resolve_sources((), str(SHIPPED), {}, "online")
    return read_migrations(sources.folders, on_request=sources.on_request)


def load(dsn: str) -> None:
    """Fill a database whose requests take some hundred pages, up to expand."""
    engine.apply(dsn, migrations(), to="baseline")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO public.models (id, model_id, provider, capabilities)
            VALUES (gen_random_uuid(), 'gpt-4', 'openai', '{chat}')
            """
        )
        connection.execute(
            """
            INSERT INTO public.requests
                (id, request_id, request_type, model_id, provider, request_data, success)
            SELECT md5(n::text)::uuid, 'req-' || n, 'chat', m.id, 'openai',
                json_build_object('prompt', repeat('x', 300)), true
            FROM generate_series(1, %s) AS n, public.models AS m
            """,
            [ROWS],
        )
    engine.apply(dsn, migrations(), to="expand")


def rows_of(dsn: str) -> list[tuple[Any, ...]]:
    """Rows of requests: all, converted, and converted right."""
    return query(
        dsn,
        "SELECT count(*), count(id__new), count(*) FILTER (WHERE id__new = id::uuid"
        " AND request_type__new = 'CHAT' AND provider__new = 'OPENAI'"
        " AND model_id__new = model_id::uuid)"
        " FROM public.requests",
    )


def progress_of(dsn: str) -> list[tuple[Any, ...]]:
    """Rows done, and whether all pages are."""
    return query(dsn, "SELECT rows_done, page = pages FROM trueup.progress WHERE file = %s", FILE)
