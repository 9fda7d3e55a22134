"""Entities of the tests' own: every type a field can have, and names that need quotes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Unpack
from uuid import UUID, uuid4

from pyorm import (
    Fields,
    Model,
    ModelProvider,
    Request,
    RequestType,
    SharedEnum,
    column,
    entity,
    now,
)


class Mood(SharedEnum):
    CALM = "CALM"
    CROSS = "CROSS"


@dataclass(frozen=True)
class Street:
    name: str
    number: int


@dataclass(frozen=True)
class Address:
    street: Street
    moved_in: date | None = None
    id: UUID | None = None
    mood: Mood = Mood.CALM


class AuthorFields(Fields, total=False):
    id: UUID | str
    name: str
    born: date | None
    balance: Decimal | None
    address: Address
    tags: list[str]
    moods: list[Mood] | None
    scans: int
    picture: bytes | None
    active: bool
    rating: float | None
    since: datetime


@entity("author", old="authors", frozen=True)
class Author:
    id: UUID = column(default_factory=uuid4)
    name: str = column(name="Name", length=40)
    born: date | None = None
    balance: Decimal | None = None
    address: Address = Address(Street("Main Street", 1))
    tags: list[str] = column(default_factory=list)
    moods: list[Mood] | None = None
    scans: int = column(sql_type="bigint", default=0)
    picture: bytes | None = None
    active: bool = True
    rating: float | None = None
    since: datetime = column(default_factory=now)

    def __fields__(self, **fields: Unpack[AuthorFields]) -> None: ...


class BookFields(Fields, total=False):
    shelf: str
    number: int
    author_id: UUID | str
    sold: str | None


@entity("book", old="books", key=("shelf", "number"))
class Book:
    shelf: str = column(length=20)
    number: int
    author_id: UUID = column(references="author (id)")
    sold: str | None = column(name="100%", default=None)

    def __fields__(self, **fields: Unpack[BookFields]) -> None: ...


def a_model(**fields: Any) -> Model:
    given = {"model_id": f"gpt-{uuid4()}", "provider": ModelProvider.OPENAI, "capabilities": []}
    return Model(**(given | fields))


def a_request(model: Model, **fields: Any) -> Request:
    given: dict[str, Any] = {
        "request_id": str(uuid4()),
        "request_type": RequestType.CHAT,
        "model_id": model.id,
        "provider": model.provider,
        "request_data": {"prompt": "Hi"},
        "success": True,
    }
    return Request(**(given | fields))
