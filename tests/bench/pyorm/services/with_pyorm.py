"""On pyorm. The entities are those that it ships; a service's own are as long."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Unpack
from uuid import UUID, uuid4

import psycopg

from pyorm import (
    Fields,
    ModelCapability,
    ModelProvider,
    ModelStatus,
    Page,
    Repository,
    RequestType,
    column,
    entity,
    now,
)
from pyorm.errors import NotFound, UniqueViolation


class ModelFields(Fields, total=False):
    id: UUID | str
    model_id: str
    provider: ModelProvider
    capabilities: list[ModelCapability]
    status: ModelStatus
    configuration: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


@entity("model", old="models")
class Model:
    id: UUID = column(default_factory=uuid4)
    model_id: str = column(length=100, unique=True)
    provider: ModelProvider
    capabilities: list[ModelCapability]
    status: ModelStatus = ModelStatus.ACTIVE
    configuration: dict[str, Any] | None = None
    created_at: datetime = column(default_factory=now, fixed=True)
    updated_at: datetime = column(default_factory=now, on_update=now)

    def __fields__(self, **fields: Unpack[ModelFields]) -> None: ...


class RequestFields(Fields, total=False):
    id: UUID | str
    request_id: str
    request_type: RequestType
    model_id: UUID | str
    provider: ModelProvider
    request_data: dict[str, Any]
    total_tokens: int | None
    success: bool
    created_at: datetime


@entity("request", old="requests")
class Request:
    id: UUID = column(default_factory=uuid4)
    request_id: str = column(length=100, unique=True)
    request_type: RequestType
    model_id: UUID = column(references="model (id)")
    provider: ModelProvider
    request_data: dict[str, Any]
    total_tokens: int | None = None
    success: bool = True
    created_at: datetime = column(default_factory=now, fixed=True)

    def __fields__(self, **fields: Unpack[RequestFields]) -> None: ...


class Service:
    def __init__(self, dsn: str) -> None:
        connection = psycopg.connect(dsn, autocommit=True)
        self.models = Repository(Model, connection)
        self.requests = Repository(Request, connection)

    def add(self, name: str, provider: str, capabilities: list[str]) -> Model:
        parsed = [ModelCapability.parse(capability) for capability in capabilities]
        model = Model(model_id=name, provider=ModelProvider.parse(provider), capabilities=parsed)
        try:
            return self.models.add(model)
        except UniqueViolation as error:
            raise ValueError(f"{error.field} {error.value} exists") from error

    def get(self, key: str) -> Model | None:
        try:
            return self.models.get(key)
        except NotFound:
            return None

    def page(self, status: str, after: str | None, limit: int) -> Page[Model]:
        wanted = ModelStatus.parse(status)
        return self.models.page(after, status=wanted, order="-created_at", limit=limit)

    def set_status(self, key: str, status: str) -> Model:
        return self.models.update(key, status=ModelStatus.parse(status))

    def load(self, rows: Iterable[Request]) -> int:
        return self.requests.add_many(rows)

    def all_requests(self) -> list[Request]:
        return self.requests.find()


def request(number: int, model: Model) -> Request:
    return Request(
        request_id=f"req-{number}",
        request_type=RequestType.CHAT,
        model_id=model.id,
        provider=model.provider,
        request_data={"n": number},
        total_tokens=number % 900,
    )
