"""The rows that every library reads: eight columns of requests under the new contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from bench.support import Bench
from pyorm import ModelProvider, RequestType, column, entity
from pyorm.ddl import create_table

COLUMNS = "id, request_id, request_type, model_id, provider, total_tokens, success, created_at"
QUERY = f"SELECT {COLUMNS} FROM request_row"


@entity("request_row")
class RequestRow:
    id: UUID
    request_id: str = column(length=100)
    request_type: RequestType
    model_id: UUID
    provider: ModelProvider
    total_tokens: int | None
    success: bool
    created_at: datetime

    def __fields__(self, **fields: Any) -> None: ...


@contextmanager
def filled(bench: Bench, rows: int) -> Iterator[str]:
    """A database with so many rows; yields its DSN."""
    name = bench.empty_database()
    dsn = bench.server.dsn(name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(create_table(RequestRow).encode())
        connection.execute(
            "INSERT INTO request_row SELECT gen_random_uuid(), 'req-' || n, "
            "(ARRAY['CHAT', 'COMPLETION', 'EMBEDDING'])[n %% 3 + 1], gen_random_uuid(), "
            "(ARRAY['OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM'])[n %% 4 + 1], n %% 900, "
            "n %% 50 <> 0, now() - n * interval '7 seconds' FROM generate_series(1, %s) AS n",
            [rows],
        )
        connection.execute("VACUUM (FREEZE, ANALYZE) request_row")
    try:
        yield dsn
    finally:
        bench.server.drop_database(name)


def connect(dsn: str) -> psycopg.Connection[Any]:
    return psycopg.connect(dsn, autocommit=True)
