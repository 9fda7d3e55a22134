"""The service: models and the requests they answered, in five endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

import pyorm
from pyorm import AsyncRepository, Model, ModelCapability, ModelProvider, ModelStatus, RequestType
from pyorm.errors import InvalidValue, NotFound, UniqueViolation
from pyorm.transactions import in_transaction_async


class NewModel(BaseModel):
    model_id: str
    provider: ModelProvider
    capabilities: list[ModelCapability] = []
    status: ModelStatus = ModelStatus.ACTIVE


class Changes(BaseModel):
    status: ModelStatus | None = None
    description: str | None = None


class NewRequest(BaseModel):
    request_id: str
    model: UUID
    type: RequestType
    tokens: int


class Models(BaseModel):
    items: list[Model]
    next: str | None


def create_app(dsn: str) -> FastAPI:
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        dsn, min_size=4, max_size=8, open=False, kwargs={"autocommit": True}
    )
    models = AsyncRepository(Model, pool, contract="auto")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.exception_handler(NotFound)
    async def not_found(request: Request, error: NotFound) -> JSONResponse:
        return JSONResponse({"detail": error.message}, status_code=404)

    @app.exception_handler(UniqueViolation)
    async def exists(request: Request, error: UniqueViolation) -> JSONResponse:
        return JSONResponse({"detail": error.message, "field": error.field}, status_code=409)

    @app.exception_handler(InvalidValue)
    async def invalid(request: Request, error: InvalidValue) -> JSONResponse:
        return JSONResponse({"detail": error.message, "field": error.field}, status_code=422)

    @app.post("/models", status_code=201)
    async def add_model(new: NewModel) -> Model:
        return await models.add(Model(**new.model_dump()))

    @app.get("/models/{key}")
    async def get_model(key: UUID) -> Model:
        return await models.get(key)

    @app.get("/models")
    async def list_models(
        status: ModelStatus = ModelStatus.ACTIVE, after: str | None = None, limit: int = 20
    ) -> Models:
        page = await models.page(after, status=status, order="-created_at", limit=limit)
        return Models(items=page.items, next=page.next)

    @app.patch("/models/{key}")
    async def change_model(key: UUID, changes: Changes) -> Model:
        given = changes.model_dump(exclude_unset=True)
        if not given:
            raise HTTPException(422, "nothing to change")
        return await models.update(key, **given)

    @app.post("/requests", status_code=201)
    async def add_request(new: NewRequest) -> dict[str, Any]:
        async def work(connection: AsyncConnection[Any]) -> dict[str, Any]:
            on = {"contract": "auto"}
            model = await AsyncRepository(Model, connection, contract="auto").get(new.model)
            request = await AsyncRepository(pyorm.Request, connection, contract="auto").add(
                pyorm.Request(
                    request_id=new.request_id,
                    request_type=new.type,
                    model_id=model.id,
                    provider=model.provider,
                    request_data={},
                    total_tokens=new.tokens,
                    success=True,
                )
            )
            quotas = AsyncRepository(pyorm.ProviderQuota, connection, contract="auto")
            (quota,) = await quotas.query(
                "UPDATE {table} SET daily_tokens_used = daily_tokens_used + %(tokens)s "
                "WHERE provider = %(provider)s RETURNING {columns}",
                {"tokens": new.tokens, "provider": model.provider},
            )
            return {"id": request.id, "used": quota.daily_tokens_used, **on}

        return await in_transaction_async(pool, work)

    return app
