"""The service on pyorm: its entities, and five endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Unpack
from uuid import UUID, uuid4

from fastapi import FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse
from psycopg_pool import AsyncConnectionPool

from pyorm import (
    AsyncDatabase,
    Fields,
    ModelCapability,
    ModelProvider,
    ModelStatus,
    column,
    entity,
    given,
    ilike,
    now,
)
from pyorm.errors import InvalidValue, NotFound, PyormError, StaleRow, UniqueViolation

from .api_models import Changes, Models, NewModel, OneModel, Use


class ModelFields(Fields, total=False):
    id: UUID | str
    model_id: str
    provider: ModelProvider
    capabilities: list[ModelCapability]
    status: ModelStatus
    description: str | None
    version: int
    created_at: datetime


@entity("model", old="models")
class Model:
    id: UUID = column(default_factory=uuid4)
    model_id: str = column(length=100, unique=True)
    provider: ModelProvider
    capabilities: list[ModelCapability]
    status: ModelStatus = ModelStatus.ACTIVE
    description: str | None = None
    version: int = column(version=True, default=1)
    created_at: datetime = column(default_factory=now, fixed=True)

    def __fields__(self, **fields: Unpack[ModelFields]) -> None: ...


class UsedFields(Fields, total=False):
    id: UUID | str
    request_id: str
    model_id: UUID | str
    tokens: int


@entity("used", old="uses")
class Used:
    id: UUID = column(default_factory=uuid4)
    request_id: str = column(length=100, unique=True)
    model_id: UUID = column(references="model (id)")
    tokens: int

    def __fields__(self, **fields: Unpack[UsedFields]) -> None: ...


@dataclass
class Usage:
    provider: ModelProvider
    requests: int
    tokens: int


STATUS: dict[type[PyormError], int] = {
    NotFound: 404,
    UniqueViolation: 409,
    StaleRow: 412,
    InvalidValue: 422,
}
USAGE = """
    SELECT m.provider, count(*) AS requests, sum(u.tokens) AS tokens
    FROM {Model} AS m JOIN {Used} AS u ON u.model_id = m.id GROUP BY m.provider
"""


def create_app(dsn: str) -> FastAPI:
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        dsn, min_size=4, max_size=4, open=False, kwargs={"autocommit": True}
    )
    db = AsyncDatabase(pool)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with pool:
            await db.check(Model, Used, sql=[USAGE])
            yield

    app = FastAPI(lifespan=lifespan)

    @app.exception_handler(PyormError)
    async def refuse(request: Request, error: PyormError) -> JSONResponse:
        status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
        return JSONResponse({"detail": error.message, "field": error.field}, status)

    @app.post("/models", status_code=201, response_model=OneModel)
    async def add_model(new: NewModel) -> Model:
        return await db[Model].add(Model(**dict(new)))

    @app.get("/models/{key}", response_model=OneModel)
    async def get_model(key: UUID, response: Response) -> Model:
        model = await db[Model].get(key)
        response.headers["ETag"] = str(model.version)
        return model

    @app.get("/models", response_model=Models)
    async def list_models(
        status: ModelStatus | None = None,
        name: str | None = None,
        after: str | None = None,
        limit: int = 20,
    ) -> Any:
        return await db[Model].page(
            after,
            status=given(status),
            model_id=ilike(f"%{name}%") if name else given(None),
            order="-created_at",
            limit=limit,
        )

    @app.patch("/models/{key}", response_model=OneModel)
    async def change_model(
        key: UUID, changes: Changes, if_match: Annotated[str, Header()]
    ) -> Model:
        given_ones = changes.model_dump(exclude_unset=True)
        return await db[Model].update(key, if_version=if_match, **given_ones)

    @app.post("/models/{key}/uses", status_code=201)
    async def use_model(key: UUID, use: Use) -> list[Usage]:
        async def work(tx: AsyncDatabase) -> list[Usage]:
            await tx[Used].add(Used(model_id=key, **dict(use)))
            return await tx.rows(Usage, USAGE, join=[Model, Used])

        return await db.transaction(isolation="repeatable read", retry=3).run(work)

    return app
