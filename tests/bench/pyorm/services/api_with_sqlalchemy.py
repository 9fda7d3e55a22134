"""The service on the SQLAlchemy 2 ORM, async: its entities, and five endpoints."""
# mypy: disable-error-code="import-untyped, import-not-found, misc, no-any-return, union-attr"

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from psycopg import AsyncConnection
from sqlalchemy import DateTime, Dialect, ForeignKey, String, func, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.types import TypeDecorator

from pyorm import ModelCapability, ModelProvider, ModelStatus, SharedEnum

from .api_models import Changes, Models, NewModel, OneModel, Usage, Use


class EnumText(TypeDecorator[Any]):
    impl = String
    cache_ok = True

    def __init__(self, enum: type[SharedEnum]) -> None:
        super().__init__()
        self.enum = enum

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else self.enum.parse(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> SharedEnum | None:
        return None if value is None else self.enum(value)


def now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 - as SQLAlchemy's documentation writes it
        datetime: DateTime(timezone=True),
        ModelProvider: EnumText(ModelProvider),
        ModelStatus: EnumText(ModelStatus),
        list[ModelCapability]: ARRAY(EnumText(ModelCapability)),
    }


class Model(Base):
    __tablename__ = "model"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    model_id: Mapped[str] = mapped_column(String(100), unique=True)
    provider: Mapped[ModelProvider]
    capabilities: Mapped[list[ModelCapability]]
    status: Mapped[ModelStatus] = mapped_column(default=ModelStatus.ACTIVE)
    description: Mapped[str | None]
    version: Mapped[int] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=now)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Used(Base):
    __tablename__ = "used"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    request_id: Mapped[str] = mapped_column(String(100), unique=True)
    model_id: Mapped[UUID] = mapped_column(ForeignKey("model.id"))
    tokens: Mapped[int]


def create_app(dsn: str) -> FastAPI:
    engine = create_async_engine(
        "postgresql+psycopg://",
        async_creator=lambda: AsyncConnection.connect(dsn),
        pool_size=4,
        max_overflow=0,
    )
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.exception_handler(IntegrityError)
    async def refuse(request: Request, error: IntegrityError) -> JSONResponse:
        constraint = getattr(error.orig, "diag", None) and error.orig.diag.constraint_name
        exists = {"model_model_id_key": "model_id", "used_request_id_key": "request_id"}
        if constraint not in exists:
            return JSONResponse({"detail": str(error.orig)}, 500)
        field = exists[constraint]
        return JSONResponse({"detail": f"{field} exists already", "field": field}, 409)

    async def found(session: AsyncSession, key: UUID) -> Model:
        model = await session.get(Model, key)
        if model is None:
            raise HTTPException(404, f"no model has the id {key}")
        return model

    @app.post("/models", status_code=201, response_model=OneModel)
    async def add_model(new: NewModel) -> Model:
        model = Model(**dict(new))
        async with sessions.begin() as session:
            session.add(model)
        return model

    @app.get("/models/{key}", response_model=OneModel)
    async def get_model(key: UUID, response: Response) -> Model:
        async with sessions() as session:
            model = await found(session, key)
        response.headers["ETag"] = str(model.version)
        return model

    @app.get("/models")
    async def list_models(
        status: ModelStatus | None = None,
        name: str | None = None,
        after: str | None = None,
        limit: int = 20,
    ) -> Models:
        query = select(Model)
        if status is not None:
            query = query.where(Model.status == status)
        if name:
            query = query.where(Model.model_id.ilike(f"%{name}%"))
        if after is not None:
            try:
                created_at, key = json.loads(base64.urlsafe_b64decode(after))
                last_seen = (datetime.fromisoformat(created_at), UUID(key))
            except (ValueError, TypeError) as error:
                raise HTTPException(422, "no cursor of this query") from error
            query = query.where(tuple_(Model.created_at, Model.id) < last_seen)
        query = query.order_by(Model.created_at.desc(), Model.id.desc()).limit(limit + 1)
        async with sessions() as session:
            rows = list(await session.scalars(query))
        items = [OneModel.model_validate(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return Models(items=items, next=None)
        last = json.dumps([items[-1].created_at.isoformat(), str(items[-1].id)])
        return Models(items=items, next=base64.urlsafe_b64encode(last.encode()).decode())

    @app.patch("/models/{key}", response_model=OneModel)
    async def change_model(
        key: UUID, changes: Changes, if_match: Annotated[str, Header()]
    ) -> Model:
        try:
            async with sessions.begin() as session:
                model = await found(session, key)
                if str(model.version) != if_match:
                    raise HTTPException(412, "the model was changed meanwhile")
                for field, value in changes.model_dump(exclude_unset=True).items():
                    setattr(model, field, value)
        except StaleDataError as error:
            raise HTTPException(412, "the model was changed meanwhile") from error
        return model

    @app.post("/models/{key}/uses", status_code=201)
    async def use_model(key: UUID, use: Use) -> list[Usage]:
        query = (
            select(
                Model.provider,
                func.count().label("requests"),
                func.sum(Used.tokens).label("tokens"),
            )
            .join(Used, Used.model_id == Model.id)
            .group_by(Model.provider)
        )
        for tries_left in reversed(range(4)):
            try:
                async with sessions.begin() as session:
                    await session.connection(
                        execution_options={"isolation_level": "REPEATABLE READ"}
                    )
                    session.add(Used(model_id=key, **dict(use)))
                    await session.flush()
                    rows = await session.execute(query)
                    return [Usage(**row) for row in rows.mappings()]
            except DBAPIError as error:
                if not tries_left or getattr(error.orig, "sqlstate", "") not in ("40001", "40P01"):
                    raise
            await asyncio.sleep(random.uniform(0, 0.01))
        raise AssertionError

    return app
