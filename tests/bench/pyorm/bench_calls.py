"""Single calls, bulk writes, the import and a long stream, beside the same by hand."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import fields
from statistics import median
from typing import Any

import psycopg
from psycopg.types.json import Json
from psycopg_pool import AsyncConnectionPool

from bench.support import Bench
from pyorm import (
    AsyncRepository,
    Model,
    ModelCapability,
    ModelProvider,
    Repository,
    Request,
    RequestType,
)
from pyorm.ddl import create_table

from .rows import filled

MODEL = ", ".join(field.name for field in fields(Model))
REQUEST = ", ".join(field.name for field in fields(Request))
TYPES = (
    "uuid varchar varchar uuid varchar varchar varchar varchar json json int4 int4 int4 float8 "
    "float8 bool varchar varchar timestamptz timestamptz"
).split()


def measure(bench: Bench) -> None:
    name = bench.empty_database()
    with psycopg.connect(bench.server.dsn(name), autocommit=True) as connection:
        for entity in (Model, Request):
            connection.execute(create_table(entity).encode())
        models = Repository(Model, connection)
        model = models.add(
            Model(
                model_id="gpt-4",
                provider=ModelProvider.OPENAI,
                capabilities=[ModelCapability.CHAT],
                configuration={"temperature": 0.5},
            )
        )
        measure_get(bench, connection, models, model)
        measure_concurrent(bench, bench.server.dsn(name), model)
        measure_insert(bench, connection, model)
        measure_bulk(bench, connection, model, bench.size(full=100_000, small=100_000))
    bench.server.drop_database(name)
    measure_import(bench)
    measure_stream(bench, bench.size(full=1_000_000, small=300_000))


def measure_get(
    bench: Bench, connection: psycopg.Connection[Any], models: Repository[Model], model: Model
) -> None:
    query = f"SELECT {MODEL} FROM public.model WHERE id = %s".encode()

    def by_hand() -> Any:
        return connection.execute(query, (model.id,)).fetchone()

    def by_hand_binary() -> Any:
        return connection.execute(query, (model.id,), binary=True).fetchone()

    def by_hand_entity() -> Any:
        row = by_hand_binary()
        names = (field.name for field in fields(Model))
        return Model(**dict(zip(names, row, strict=True)))

    turns = in_turns(
        {
            "hand": by_hand,
            "binary": by_hand_binary,
            "entity": by_hand_entity,
            "pyorm": lambda: models.get(model.id),
        }
    )
    note = f"a tuple of 14 columns by hand took {typical(turns, 'hand'):.0f} us"
    bench.at_most("get / by hand", ratio(turns, "pyorm", "hand"), 1.1, "x", note)
    bench.figure("get / by hand, binary tuple", ratio(turns, "pyorm", "binary"), "x")
    bench.figure("get / by hand, binary, to a dataclass", ratio(turns, "pyorm", "entity"), "x")


def measure_concurrent(bench: Bench, dsn: str, model: Model) -> None:
    """50 tasks that read by the key on a pool of ten connections."""
    query = f"SELECT {MODEL} FROM public.model WHERE id = %s".encode()

    async def run() -> list[dict[str, float]]:
        options = {"autocommit": True}
        async with AsyncConnectionPool(dsn, min_size=10, open=False, kwargs=options) as pool:
            models = AsyncRepository(Model, pool)

            async def by_hand() -> Any:
                async with pool.connection() as connection:
                    return await (await connection.execute(query, (model.id,))).fetchone()

            async def repeat(call: Callable[[], Awaitable[Any]]) -> float:
                begun = time.perf_counter()
                await asyncio.gather(*(ten(call) for _ in range(50)))
                return (time.perf_counter() - begun) / 500

            async def ten(call: Callable[[], Awaitable[Any]]) -> None:
                for _ in range(10):
                    await call()

            calls: dict[str, Callable[[], Awaitable[Any]]] = {
                "hand": by_hand,
                "pyorm": lambda: models.get(model.id),
            }
            return [{name: await repeat(call) for name, call in calls.items()} for _ in range(60)]

    turns = asyncio.run(run())
    taken = typical(turns, "hand")
    note = f"a tuple of 14 columns by hand took {taken:.0f} us; 50 tasks, 10 connections"
    name = "50 concurrent async gets: by hand / pyorm"
    bench.at_least(name, ratio(turns, "hand", "pyorm"), 1.0, "x", note)


def measure_insert(bench: Bench, connection: psycopg.Connection[Any], model: Model) -> None:
    requests = Repository(Request, connection)
    marks = ", ".join(["%s"] * len(fields(Request)))
    query = f"INSERT INTO public.request ({REQUEST}) VALUES ({marks}) RETURNING {REQUEST}".encode()
    new = endless(model)
    turns = in_turns(
        {
            "hand": lambda: connection.execute(query, values(next(new))).fetchone(),
            "pyorm": lambda: requests.add(next(new)),
        }
    )
    note = f"by hand took {typical(turns, 'hand'):.0f} us; 20 columns, RETURNING all"
    bench.at_most("insert / by hand", ratio(turns, "pyorm", "hand"), 1.1, "x", note)


def measure_bulk(
    bench: Bench, connection: psycopg.Connection[Any], model: Model, rows: int
) -> None:
    requests = Repository(Request, connection)
    new = endless(model)
    entities = [next(new) for _ in range(rows)]
    copy_in = f"COPY public.request ({REQUEST}) FROM STDIN (FORMAT BINARY)".encode()

    def by_hand() -> None:
        with connection.cursor().copy(copy_in) as copy:
            copy.set_types(TYPES)
            for entity in entities:
                copy.write_row(values(entity))

    best: dict[str, float] = {}
    for _ in range(5):
        for name, load in (("hand", by_hand), ("pyorm", lambda: requests.add_many(entities))):
            connection.execute("TRUNCATE public.request")
            gc.collect()
            begun = time.perf_counter()
            load()
            taken = time.perf_counter() - begun
            best[name] = min(best.get(name, taken), taken)
    note = f"{rows:,} rows of 20 columns, {rows / best['pyorm']:,.0f} rows/s"
    bench.at_most("add_many / COPY by hand", best["pyorm"] / best["hand"], 1.05, "x", note)


def measure_import(bench: Bench) -> None:
    code = (
        "import psycopg, time; t = time.process_time(); import pyorm; "
        "print(time.process_time() - t)"
    )
    taken = min(float(_python(code)) for _ in range(7))
    bench.at_most("import of pyorm beyond psycopg", taken * 1000, 60, "ms", "processor time")


def measure_stream(bench: Bench, rows: int) -> None:
    code = """
import sys
from bench.pyorm.rows import RequestRow, connect
from pyorm import Repository

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

for i, row in enumerate(Repository(RequestRow, connect(sys.argv[1])).stream()):
    if i == 20_000:
        first = resident()
print((resident() - first) / 1024, i + 1)
"""
    with filled(bench, rows) as dsn:
        grown, read = _python(code, dsn).split()
    note = f"memory after {int(read):,} rows beyond that after 20,000"
    bench.at_most("stream: growth", float(grown), 2, "MB", note)


def _python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def endless(model: Model) -> Iterator[Request]:
    number = 0
    while True:
        number += 1
        yield Request(
            request_id=f"req-{number}-{id(model)}-{time.perf_counter_ns()}",
            request_type=RequestType.CHAT,
            model_id=model.id,
            provider=model.provider,
            user_id="user-7",
            request_data={"prompt": "Why is the sky blue?"},
            response_data={"text": "Because of Rayleigh scattering."},
            prompt_tokens=7,
            completion_tokens=5,
            total_tokens=12,
            latency_ms=81.5,
            cost=0.00024,
            success=True,
        )


def values(r: Request) -> tuple[Any, ...]:
    """What somebody who writes the statement by hand writes for its parameters."""
    return (
        *(r.id, r.request_id, r.request_type.value, r.model_id, r.provider.value, r.user_id),
        *(r.project_id, r.task_id, Json(r.request_data)),
        Json(r.response_data) if r.response_data is not None else None,
        *(r.prompt_tokens, r.completion_tokens, r.total_tokens, r.latency_ms, r.cost, r.success),
        *(r.error_message, r.error_code, r.created_at, r.completed_at),
    )


def in_turns(calls: dict[str, Callable[[], Any]]) -> list[dict[str, float]]:
    """The time of each call in many short turns: what disturbs a turn disturbs all of it."""
    turns = []
    for _ in range(400):
        turn = {}
        for name, call in calls.items():
            begun = time.perf_counter()
            for _ in range(25):
                call()
            turn[name] = (time.perf_counter() - begun) / 25
        turns.append(turn)
    return turns


def ratio(turns: list[dict[str, float]], of: str, to: str) -> float:
    """How many times as long a call takes as another one, in the median turn."""
    return median(turn[of] / turn[to] for turn in turns)


def typical(turns: list[dict[str, float]], name: str) -> float:
    """What a call takes in the median turn, in microseconds."""
    return median(turn[name] for turn in turns) * 1e6
