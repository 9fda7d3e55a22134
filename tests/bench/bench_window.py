"""The window strategy against the physical limit, and against the step-by-step plan."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import LiteralString

import psycopg
from psycopg.conninfo import make_conninfo

from bench.support import TURNS, Bench, Logged, migrations, ratios, statements_of_runs
from runner.execute import engine
from runner.execute.events import Event, FileDone

# What a rewrite cannot do without: every row read, converted and written once, and its indexes.
LIMIT: tuple[LiteralString, ...] = (
    "SET maintenance_work_mem = '1GB'",
    "SET max_parallel_maintenance_workers = 4",
    """
    CREATE TABLE public.model AS
    SELECT id::uuid AS id, model_id, upper(provider)::varchar(50) AS provider, display_name,
        description, upper(capabilities::text)::varchar[] AS capabilities,
        upper(status)::varchar(50) AS status, max_tokens, token_limit, cost_per_token,
        configuration, model_metadata, created_at, updated_at
    FROM public.models
    """,
    """
    CREATE TABLE public.request AS
    SELECT id::uuid AS id, request_id, upper(request_type)::varchar(50) AS request_type,
        model_id::uuid AS model_id, upper(provider)::varchar(50) AS provider, user_id, project_id,
        task_id, request_data, response_data, prompt_tokens, completion_tokens, total_tokens,
        latency_ms, cost, success, error_message, error_code, created_at, completed_at
    FROM public.requests
    """,
    "CREATE UNIQUE INDEX ON public.model (id)",
    "CREATE UNIQUE INDEX ON public.model (model_id)",
    "CREATE UNIQUE INDEX ON public.request (id)",
    "CREATE UNIQUE INDEX ON public.request (request_id)",
    "CREATE INDEX ON public.request (model_id)",
    "CREATE INDEX ON public.request (created_at)",
    "CREATE INDEX ON public.request (provider, success)",
)

# As the guides tell it, in one transaction: one UPDATE a column, CHECKs, one ALTER a column.
STEPS: tuple[LiteralString, ...] = (
    "BEGIN",
    "ALTER TABLE public.models RENAME TO model",
    "ALTER TABLE public.requests RENAME TO request",
    "UPDATE public.model SET provider = upper(provider)",
    "UPDATE public.model SET status = upper(status)",
    "UPDATE public.model SET capabilities = upper(capabilities::text)::varchar[]",
    "UPDATE public.request SET request_type = upper(request_type)",
    "UPDATE public.request SET provider = upper(provider)",
    """
    ALTER TABLE public.model ADD CONSTRAINT model_provider_check
        CHECK (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM'))
    """,
    """
    ALTER TABLE public.model ADD CONSTRAINT model_status_check
        CHECK (status IN ('ACTIVE', 'INACTIVE', 'DEPRECATED'))
    """,
    """
    ALTER TABLE public.model ADD CONSTRAINT model_capabilities_check
        CHECK (capabilities <@ ARRAY['CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION',
            'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION']::varchar[])
    """,
    """
    ALTER TABLE public.request ADD CONSTRAINT request_type_check
        CHECK (request_type IN ('CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION',
            'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION'))
    """,
    """
    ALTER TABLE public.request ADD CONSTRAINT request_provider_check
        CHECK (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM'))
    """,
    "ALTER TABLE public.request DROP CONSTRAINT requests_model_id_fkey",
    "ALTER TABLE public.model ALTER COLUMN id TYPE uuid USING id::uuid",
    "ALTER TABLE public.request ALTER COLUMN id TYPE uuid USING id::uuid",
    "ALTER TABLE public.request ALTER COLUMN model_id TYPE uuid USING model_id::uuid",
    """
    ALTER TABLE public.request ADD CONSTRAINT request_model_id_fkey
        FOREIGN KEY (model_id) REFERENCES public.model (id)
    """,
    "ALTER TABLE public.model ALTER COLUMN status SET DEFAULT 'ACTIVE'",
    "COMMIT",
)


FILE = "0601_window_model_and_request"


def measure(bench: Bench) -> None:
    """The bars of issue 19. At small sizes the checks around the rewrite weigh more."""
    requests = bench.size(full=2_000_000, small=100_000)
    window, rewrite, limit, steps = [], [], [], []
    parts: list[dict[str, float]] = []
    for _ in range(TURNS):
        with bench.database(requests=requests) as dsn:
            limit.append(_run(dsn, LIMIT))
        with bench.database(requests=requests) as dsn:
            log_from = bench.server.log.stat().st_size
            files = run_window(make_conninfo(dsn, options="-c log_min_duration_statement=2"))
            parts.append(_parts(statements_of_runs(bench.server.log, log_from)))
            window.append(sum(files.values()))
            rewrite.append(files[FILE])
        with bench.database(requests=requests) as dsn:
            steps.append(_run(dsn, STEPS))
    taken, bound = median(window), median(limit)
    bench.at_most(
        f"window, {requests:,} requests, to CREATE TABLE AS + indexes",
        ratios(window, limit),
        1.12,
        "x",
        f"{taken:.2f} s, {median(rewrite):.2f} s of it under lock, to {bound:.2f} s",
        small=False,
    )
    bench.at_most(
        "window's file under lock to CREATE TABLE AS + indexes",
        ratios(rewrite, limit),
        1.05,
        "x",
        "conversion, CHECKs, foreign key; the rest checks the rows before and samples them after",
        small=False,
    )
    bench.at_least(
        "step-by-step plan to window",
        ratios(steps, window),
        8,
        "x",
        f"{median(steps):.2f} s to {taken:.2f} s",
        small=False,
    )
    bench.parts("window", parts, limit, "the limit")


def _parts(statements: Iterable[Logged]) -> dict[str, float]:
    """The seconds of a run's statements, as they came; those that look alike together."""
    taken: dict[str, float] = defaultdict(float)
    for statement in statements:
        taken[re.sub(r"\s+", " ", statement.text)[:60]] += statement.taken / 1000
    return taken


def run_window(dsn: str) -> dict[str, float]:
    """Apply the window strategy; seconds by file."""
    taken: dict[str, float] = {}

    def listen(event: Event) -> None:
        if isinstance(event, FileDone):
            taken[event.migration] = event.seconds

    engine.apply(dsn, migrations("window"), listener=listen)
    return taken


def _run(dsn: str, statements: tuple[LiteralString, ...]) -> float:
    begun = time.perf_counter()
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
    return time.perf_counter() - begun
