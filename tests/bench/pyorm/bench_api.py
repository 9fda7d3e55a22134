"""The same FastAPI service on pyorm and on the SQLAlchemy ORM: lines, queries and time."""

from __future__ import annotations

import asyncio
import gc
import importlib
import time
from pathlib import Path
from typing import Any

import psycopg

from bench.pyorm.bench_services import lines
from bench.support import Bench
from pyorm.ddl import create_table

from .services import api_with_pyorm

NAMES = ("sqlalchemy", "pyorm")
ROUNDS = 3
TURNS = 24
CONCURRENT = 8


def measure(bench: Bench) -> None:
    for name in NAMES:
        try:
            module = importlib.import_module(f"bench.pyorm.services.api_with_{name}")
        except ImportError:
            bench.figure(f"api on {name}: not installed", 0)
            continue
        database = bench.empty_database()
        dsn = bench.server.dsn(database)
        with psycopg.connect(dsn) as connection:
            for entity in (api_with_pyorm.Model, api_with_pyorm.Used):
                connection.execute(create_table(entity).encode())
        bench.figure(f"api on {name}: lines", lines(Path(str(module.__file__))))
        sent, alone, together = asyncio.run(drive(module.create_app(dsn)))
        bench.figure(f"api on {name}: queries of six requests", sent)
        bench.figure(f"api on {name}: six requests", alone * 1e3, "ms")
        bench.figure(f"api on {name}: six requests of {CONCURRENT} clients", together * 1e3, "ms")
        bench.server.drop_database(database)


async def drive(app: Any) -> tuple[int, float, float]:
    """Queries of six requests, their time alone, and the time for each among several clients."""
    from httpx import ASGITransport, AsyncClient

    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://service") as client,
    ):
        for number in range(10):
            await use(client, f"warm-{number}")
        counted = Counted()
        with counted:
            await use(client, "counted")
        alone = together = float("inf")
        for turn in range(ROUNDS):
            gc.collect()
            begun = time.perf_counter()
            for number in range(TURNS):
                await use(client, f"alone-{turn}-{number}")
            alone = min(alone, (time.perf_counter() - begun) / TURNS)
            begun = time.perf_counter()
            for number in range(TURNS // CONCURRENT):
                names = [f"many-{turn}-{number}-{one}" for one in range(CONCURRENT)]
                await asyncio.gather(*(use(client, name) for name in names))
            taken = time.perf_counter() - begun
            together = min(together, taken / (TURNS // CONCURRENT * CONCURRENT))
        return counted.sent, alone, together


async def use(client: Any, name: str) -> None:
    """Six requests of one client: add, get, two pages, change, use."""
    new = {"model_id": name, "provider": "openai", "capabilities": ["CHAT"]}
    model = (await client.post("/models", json=new)).json()
    path = f"/models/{model['id']}"
    got = await client.get(path)
    page = (await client.get("/models?status=ACTIVE&limit=10")).json()
    after = {"after": page["next"]} if page["next"] else {}
    await client.get("/models", params={"status": "ACTIVE", "limit": 10, **after})
    changed = await client.patch(
        path, json={"description": "x"}, headers={"If-Match": got.headers["etag"]}
    )
    used = await client.post(f"{path}/uses", json={"request_id": name, "tokens": 7})
    stale = (changed.status_code, used.status_code)
    if stale != (200, 201) or changed.json()["version"] != model["version"] + 1:
        raise RuntimeError(f"the service does not do what it should: {changed.text} {used.text}")


class Counted:
    """Counts the statements that psycopg sends, those of its transactions included."""

    def __init__(self) -> None:
        self.sent = 0

    def __enter__(self) -> Counted:
        from psycopg import AsyncConnection, AsyncCursor

        self._execute: Any = AsyncCursor.execute
        self._command: Any = AsyncConnection._exec_command
        counted = self

        async def execute(cursor: Any, *args: Any, **options: Any) -> Any:
            counted.sent += 1
            idle = cursor.connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE
            if idle and not cursor.connection.autocommit:
                counted.sent += 1  # psycopg's own BEGIN
            return await counted._execute(cursor, *args, **options)

        def command(connection: Any, text: Any, *args: Any, **options: Any) -> Any:
            if not str(text).startswith("b'DEALLOCATE"):
                counted.sent += 1
            return counted._command(connection, text, *args, **options)

        AsyncCursor.execute = execute  # type: ignore[method-assign, assignment]
        AsyncConnection._exec_command = command  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *_: object) -> None:
        from psycopg import AsyncConnection, AsyncCursor

        AsyncCursor.execute = self._execute  # type: ignore[method-assign]
        AsyncConnection._exec_command = self._command  # type: ignore[method-assign]
