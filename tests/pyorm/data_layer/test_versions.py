"""Changing a row only if nobody has since, which the version that the entity declares tells."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from support.databases import DatabaseFactory

from pyorm import Repository, column, entity
from pyorm.ddl import create_table
from pyorm.errors import DeclarationError, InvalidValue, NotFound, StaleRow
from pyorm.testing import sqlite_database

CLOCK = datetime(2026, 7, 1, 12, microsecond=999_998, tzinfo=UTC)


@entity("numbered")
class Numbered:
    id: int
    text: str
    changed_by: str = column(default="service", on_update=lambda: "service")
    version: int | None = column(version=True, default=1)

    def __fields__(self, **fields: Any) -> None: ...


@entity("stamped")
class Stamped:
    id: int
    text: str
    changed_by: str = column(default="service", on_update=lambda: "service")
    # A clock that stands still, as in a test, or a second server's that is behind.
    changed_at: datetime | None = column(version=True, default=CLOCK, on_update=lambda: CLOCK)

    def __fields__(self, **fields: Any) -> None: ...


@entity("tagged")
class Tagged:
    id: int
    text: str
    tag: UUID = column(version=True, default_factory=uuid4, on_update=uuid4)

    def __fields__(self, **fields: Any) -> None: ...


ENTITIES: tuple[type[Any], ...] = (Numbered, Stamped, Tagged)


def load(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        for each in ENTITIES:
            connection.execute(create_table(each).encode())


@pytest.fixture(params=["postgresql", "sqlite"])
def on(request: pytest.FixtureRequest) -> Any:
    if request.param == "sqlite":
        yield sqlite_database(*ENTITIES)
        return
    factory: DatabaseFactory = request.getfixturevalue("database_factory")
    with psycopg.connect(factory(load), autocommit=True) as connection:
        yield connection


@pytest.fixture(params=ENTITIES, ids=lambda each: each.__name__)
def rows(request: pytest.FixtureRequest, on: Any) -> Repository[Any]:
    return Repository(request.param, on)


def version(row: Any) -> Any:
    return getattr(row, {Numbered: "version", Stamped: "changed_at", Tagged: "tag"}[type(row)])


def test_only_the_first_of_two_readers_changes_the_row(rows: Any) -> None:
    rows.add(rows.entity(id=1, text="new"))
    mine, theirs = rows.get(1), rows.get(1)
    changed = rows.update(theirs, text="theirs")
    with pytest.raises(StaleRow, match="since it had the version"):
        rows.update(mine, text="mine")
    assert rows.get(1) == changed
    assert rows.update(changed, text="again").text == "again"


@pytest.mark.parametrize("way", ["update", "upsert"])
def test_a_change_that_asks_for_no_version_makes_the_others_stale(rows: Any, way: str) -> None:
    mine = rows.add(rows.entity(id=1, text="new"))
    if way == "update":
        rows.update(1, text="theirs")
    else:
        rows.upsert(rows.entity(id=1, text="theirs"), "id", changing="text")
    with pytest.raises(StaleRow):
        rows.update(mine, text="mine")
    assert rows.get(1).text == "theirs"


@pytest.mark.parametrize("kind", [Numbered, Stamped])
def test_null_is_a_version_too(on: Any, kind: type[Any]) -> None:
    rows: Any = Repository(kind, on)
    row = kind(id=1, text="new")
    setattr(row, "version" if kind is Numbered else "changed_at", None)
    rows.add(row)
    mine, theirs = rows.get(1), rows.get(1)
    assert version(mine) is None
    assert version(rows.update(theirs, text="theirs")) is not None
    with pytest.raises(StaleRow):
        rows.update(mine, text="mine")
    with pytest.raises(StaleRow):
        rows.update(1, if_version=None, text="mine")
    assert rows.get(1).text == "theirs"


def test_a_version_that_a_client_sends(rows: Any) -> None:
    first = version(rows.add(rows.entity(id=1, text="new")))
    text = first.isoformat() if isinstance(first, datetime) else str(first)
    second = version(rows.update(1, if_version=text, text="theirs"))
    for stale in (first, text):
        with pytest.raises(StaleRow):
            rows.update(1, if_version=stale, text="mine")
    assert rows.update(1, if_version=second, text="mine").text == "mine"
    with pytest.raises(InvalidValue, match="is not a version of a"):
        rows.update(1, if_version="W/*", text="mine")
    with pytest.raises(StaleRow):
        rows.update(2, if_version=second, text="mine")
    with pytest.raises(NotFound):
        rows.update(2, text="mine")


def test_a_version_is_not_set_by_hand(rows: Any) -> None:
    row = rows.add(rows.entity(id=1, text="new"))
    field = {Numbered: "version", Stamped: "changed_at", Tagged: "tag"}[type(row)]
    with pytest.raises(InvalidValue, match="is the version, which changes by itself"):
        rows.update(1, **{field: version(row)})
    with pytest.raises(InvalidValue, match="was given a row, which has its version"):
        rows.update(row, if_version=version(row), text="x")
    with pytest.raises(InvalidValue, match="no field 'if_version'"):
        rows.find(if_version=version(row))


def test_a_time_moves_on_when_the_clock_does_not(on: Any) -> None:
    rows = Repository(Stamped, on)
    rows.add(Stamped(id=1, text="new"))
    seen = [rows.update(1, text="x").changed_at for _ in range(3)]
    assert seen == [CLOCK + timedelta(microseconds=n) for n in (1, 2, 3)]
    ahead = CLOCK + timedelta(hours=1)
    on.execute(f"UPDATE stamped SET changed_at = '{ahead.isoformat(timespec='microseconds')}'")
    assert rows.update(rows.get(1), text="y").changed_at == ahead + timedelta(microseconds=1)


def test_a_version_of_another_type_is_read_from_text_too() -> None:
    @entity("priced")
    class Priced:
        id: int
        text: str
        price: Decimal = column(version=True, default=Decimal(1), on_update=lambda: Decimal("2.5"))

        def __fields__(self, **fields: Any) -> None: ...

    rows: Any = Repository(Priced, sqlite_database(Priced))
    rows.add(Priced(id=1, text="new"))
    assert rows.update(1, if_version="1", text="x").price == Decimal("2.5")
    with pytest.raises(StaleRow):
        rows.update(1, if_version="1", text="y")
    with pytest.raises(InvalidValue, match="is not a version"):
        rows.update(1, if_version="much", text="y")


def test_what_can_be_a_version() -> None:
    def declare(**fields: Any) -> Any:
        body = {**{f: d for f, (_, d) in fields.items()}, "__module__": __name__}
        body["__annotations__"] = {f: t for f, (t, _) in fields.items()}
        return entity("thing")(type("Thing", (), body))

    def versioned(**more: Any) -> Any:
        return column(version=True, **more)

    assert declare(id=(int, column()), at=(datetime, versioned()))
    for wrong in (
        {"id": (int, column()), "text": (str, versioned())},
        {"id": (int, versioned())},
        {"id": (int, column()), "n": (int, versioned(fixed=True))},
        {"id": (int, column()), "n": (list[int], versioned())},
        {"id": (int, column()), "day": (date, versioned(on_update=date.today))},
        {"id": (int, column()), "n": (int, versioned()), "at": (datetime, versioned())},
    ):
        with pytest.raises(DeclarationError, match=r"Thing\.\w+ "):
            declare(**wrong)
