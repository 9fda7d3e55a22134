"""On the SQLAlchemy 2 ORM."""
# mypy: disable-error-code="import-untyped, import-not-found, misc"

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    ForeignKey,
    String,
    create_engine,
    insert,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from sqlalchemy.types import TypeDecorator

from pyorm import ModelCapability, ModelProvider, ModelStatus, RequestType, SharedEnum


class EnumText(TypeDecorator[Any]):
    """An enum in a varchar: native_enum=False would bring its own length and CHECK."""

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
        dict[str, Any]: JSON(none_as_null=True),
        ModelProvider: EnumText(ModelProvider),
        ModelStatus: EnumText(ModelStatus),
        RequestType: EnumText(RequestType),
        list[ModelCapability]: ARRAY(EnumText(ModelCapability)),
    }


class Model(Base):
    __tablename__ = "model"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    model_id: Mapped[str] = mapped_column(String(100), unique=True)
    provider: Mapped[ModelProvider]
    capabilities: Mapped[list[ModelCapability]]
    status: Mapped[ModelStatus] = mapped_column(default=ModelStatus.ACTIVE)
    configuration: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Request(Base):
    __tablename__ = "request"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    request_id: Mapped[str] = mapped_column(String(100), unique=True)
    request_type: Mapped[RequestType]
    model_id: Mapped[UUID] = mapped_column(ForeignKey("model.id"))
    provider: Mapped[ModelProvider]
    request_data: Mapped[dict[str, Any]]
    total_tokens: Mapped[int | None]
    success: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


@dataclass(frozen=True)
class Page:
    items: list[Model]
    next: str | None


class Service:
    def __init__(self, dsn: str) -> None:
        engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn))
        self.sessions = sessionmaker(engine, expire_on_commit=False)

    def add(self, name: str, provider: str, capabilities: list[str]) -> Model:
        model = Model(
            model_id=name,
            provider=ModelProvider.parse(provider),
            capabilities=[ModelCapability.parse(capability) for capability in capabilities],
        )
        try:
            with self.sessions.begin() as session:
                session.add(model)
        except IntegrityError as error:
            original = error.orig
            if not isinstance(original, psycopg.errors.UniqueViolation):
                raise
            if original.diag.constraint_name != "model_model_id_key":
                raise
            raise ValueError(f"model_id {name} exists") from error
        return model

    def get(self, key: str) -> Model | None:
        with self.sessions() as session:
            return session.get(Model, UUID(key))

    def page(self, status: str, after: str | None, limit: int) -> Page:
        query = select(Model).where(Model.status == ModelStatus.parse(status))
        if after is not None:
            created_at, key = json.loads(base64.urlsafe_b64decode(after))
            last_seen = (datetime.fromisoformat(created_at), UUID(key))
            query = query.where(tuple_(Model.created_at, Model.id) < last_seen)
        query = query.order_by(Model.created_at.desc(), Model.id.desc()).limit(limit + 1)
        with self.sessions() as session:
            found = list(session.scalars(query))
        items = found[:limit]
        if len(found) <= limit:
            return Page(items, None)
        last = [items[-1].created_at.isoformat(), str(items[-1].id)]
        return Page(items, base64.urlsafe_b64encode(json.dumps(last).encode()).decode())

    def set_status(self, key: str, status: str) -> Model:
        with self.sessions.begin() as session:
            model = session.get(Model, UUID(key))
            if model is None:
                raise LookupError(key)
            model.status = ModelStatus.parse(status)
        return model

    def load(self, rows: Iterable[Request]) -> int:
        columns = [column.key for column in Request.__table__.columns]
        values = [{c: getattr(row, c) for c in columns if c in row.__dict__} for row in rows]
        with self.sessions.begin() as session:
            session.execute(insert(Request), values)
        return len(values)

    def all_requests(self) -> list[Request]:
        with self.sessions() as session:
            return list(session.scalars(select(Request)))


def request(number: int, model: Model) -> Request:
    return Request(
        request_id=f"req-{number}",
        request_type=RequestType.CHAT,
        model_id=model.id,
        provider=model.provider,
        request_data={"n": number},
        total_tokens=number % 900,
    )
