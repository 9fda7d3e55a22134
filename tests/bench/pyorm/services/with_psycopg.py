"""On psycopg, by hand."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Json

from pyorm import ModelCapability, ModelProvider, ModelStatus, RequestType


@dataclass(slots=True, kw_only=True)
class Model:
    id: UUID = field(default_factory=uuid4)
    model_id: str
    provider: ModelProvider
    capabilities: list[ModelCapability]
    status: ModelStatus = ModelStatus.ACTIVE
    configuration: dict[str, Any] | None = None
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(slots=True, kw_only=True)
class Request:
    id: UUID = field(default_factory=uuid4)
    request_id: str
    request_type: RequestType
    model_id: UUID
    provider: ModelProvider
    request_data: dict[str, Any]
    total_tokens: int | None = None
    success: bool = True
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


MODEL = "id, model_id, provider, capabilities, status, configuration, created_at, updated_at"
REQUEST = (
    "id, request_id, request_type, model_id, provider, request_data, total_tokens, success, "
    "created_at"
)
REQUEST_TYPES = "uuid varchar varchar uuid varchar json int4 bool timestamptz".split()


def to_model(row: tuple[Any, ...]) -> Model:
    return Model(
        id=row[0],
        model_id=row[1],
        provider=ModelProvider(row[2]),
        capabilities=[ModelCapability(value) for value in row[3]],
        status=ModelStatus(row[4]),
        configuration=row[5],
        created_at=row[6],
        updated_at=row[7],
    )


def to_request(row: tuple[Any, ...]) -> Request:
    return Request(
        id=row[0],
        request_id=row[1],
        request_type=RequestType(row[2]),
        model_id=row[3],
        provider=ModelProvider(row[4]),
        request_data=row[5],
        total_tokens=row[6],
        success=row[7],
        created_at=row[8],
    )


def of_request(request: Request) -> tuple[Any, ...]:
    return (
        request.id,
        request.request_id,
        request.request_type.value,
        request.model_id,
        request.provider.value,
        Json(request.request_data),
        request.total_tokens,
        request.success,
        request.created_at,
    )


@dataclass(frozen=True)
class Page:
    items: list[Model]
    next: str | None


class Service:
    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)

    def add(self, name: str, provider: str, capabilities: list[str]) -> Model:
        model = Model(
            model_id=name,
            provider=ModelProvider.parse(provider),
            capabilities=[ModelCapability.parse(capability) for capability in capabilities],
        )
        try:
            row = self.connection.execute(
                f"INSERT INTO model ({MODEL}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) "
                f"RETURNING {MODEL}",
                (
                    model.id,
                    model.model_id,
                    model.provider.value,
                    [capability.value for capability in model.capabilities],
                    model.status.value,
                    Json(model.configuration) if model.configuration is not None else None,
                    model.created_at,
                    model.updated_at,
                ),
            ).fetchone()
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name != "model_model_id_key":
                raise
            raise ValueError(f"model_id {name} exists") from error
        assert row is not None
        return to_model(row)

    def get(self, key: str) -> Model | None:
        query = f"SELECT {MODEL} FROM model WHERE id = %s"
        row = self.connection.execute(query, (UUID(key),)).fetchone()
        return to_model(row) if row else None

    def page(self, status: str, after: str | None, limit: int) -> Page:
        parameters: list[Any] = [ModelStatus.parse(status).value]
        beyond = ""
        if after is not None:
            created_at, key = json.loads(base64.urlsafe_b64decode(after))
            parameters += [datetime.fromisoformat(created_at), UUID(key)]
            beyond = "AND (created_at, id) < (%s, %s)"
        rows = self.connection.execute(
            f"SELECT {MODEL} FROM model WHERE status = %s {beyond} "
            "ORDER BY created_at DESC, id DESC LIMIT %s",
            (*parameters, limit + 1),
        ).fetchall()
        items = [to_model(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return Page(items, None)
        last = [items[-1].created_at.isoformat(), str(items[-1].id)]
        return Page(items, base64.urlsafe_b64encode(json.dumps(last).encode()).decode())

    def set_status(self, key: str, status: str) -> Model:
        row = self.connection.execute(
            f"UPDATE model SET status = %s, updated_at = %s WHERE id = %s RETURNING {MODEL}",
            (ModelStatus.parse(status).value, datetime.now(UTC), UUID(key)),
        ).fetchone()
        if row is None:
            raise LookupError(key)
        return to_model(row)

    def load(self, rows: Iterable[Request]) -> int:
        cursor = self.connection.cursor()
        with cursor.copy(f"COPY request ({REQUEST}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(REQUEST_TYPES)
            for row in rows:
                copy.write_row(of_request(row))
        return cursor.rowcount

    def all_requests(self) -> list[Request]:
        cursor = self.connection.execute(f"SELECT {REQUEST} FROM request", binary=True)
        return [to_request(row) for row in cursor.fetchall()]


def request(number: int, model: Model) -> Request:
    return Request(
        request_id=f"req-{number}",
        request_type=RequestType.CHAT,
        model_id=model.id,
        provider=model.provider,
        request_data={"n": number},
        total_tokens=number % 900,
    )
