"""Every type that a field can have, there and back: enums of one's own, times, lists in json."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, NewType, TypedDict

import pytest

from pyorm import Repository, at_least, column, entity, one_of
from pyorm.entity import declaration
from pyorm.errors import DeclarationError, InvalidValue, MappingError

from .conftest import Made

UserId = NewType("UserId", int)
Code = Annotated[str, column(length=8)]


class Color(str, Enum):  # noqa: UP042
    RED = "red"
    BLUE = "it's blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 9


class Kind(StrEnum):
    A = "a"


class Point(TypedDict):
    x: int


@dataclass
class Line:
    sku: str
    count: int = 1
    color: Color = Color.RED
    at: time | None = None


@entity("sample")
class Sample:
    id: UserId
    code: Code = "c"
    maybe: Annotated[str, column(length=3)] | None = None
    color: Color = Color.RED
    colors: list[Color] = column(default_factory=list)
    level: Level | None = None
    kind: Kind | None = None
    opens: time | None = None
    took: timedelta | None = None
    tooks: list[timedelta] | None = None
    names: list[str] | None = column(sql_type="jsonb", default=None)
    lines: list[Line] | None = column(sql_type="jsonb", default=None)
    by_name: dict[str, Line] | None = column(sql_type="jsonb", default=None)
    point: Point | None = None

    def __fields__(self, **fields: Any) -> None: ...


FULL = Sample(
    id=UserId(1),
    code="abc",
    maybe="xyz",
    color=Color.BLUE,
    colors=[Color.BLUE, Color.RED],
    level=Level.HIGH,
    kind=Kind.A,
    opens=time(8, 30, 0, 5),
    took=timedelta(days=40, microseconds=7),
    tooks=[timedelta(seconds=-1)],
    names=["a", "ä"],
    lines=[Line("x", 2, Color.BLUE, time(1)), Line("y")],
    by_name={"k": Line("z")},
    point={"x": 1},
)


@pytest.fixture
def samples(made: Made) -> Repository[Sample]:
    return Repository(Sample, made(Sample))


def test_each_comes_back_as_it_was_given(samples: Repository[Sample]) -> None:
    assert samples.add(FULL) == FULL
    samples.add_many(
        [Sample(id=UserId(2)), Sample(id=UserId(3), took=timedelta(1), color=Color.BLUE)]
    )
    assert samples.get(1) == FULL
    assert samples.get(2) == Sample(id=UserId(2))
    assert isinstance(samples.get(1).level, Level)


def test_each_can_be_asked_for(samples: Repository[Sample]) -> None:
    samples.add_many([FULL, Sample(id=UserId(2), took=timedelta(days=41), opens=time(23))])
    assert [s.id for s in samples.find(color=one_of(Color.BLUE))] == [1]
    assert [s.id for s in samples.find(level=at_least(Level.LOW))] == [1]
    assert [s.id for s in samples.find(order="-took")] == [2, 1]
    assert [s.id for s in samples.find(opens=at_least(time(9)))] == [2]
    assert [s.id for s in samples.find(tooks=[timedelta(seconds=-1)])] == [1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("color", "green"),
        ("level", 5),
        ("code", "123456789"),
        ("maybe", "1234"),
        ("opens", time(8, tzinfo=UTC)),
        ("took", 5),
        ("names", {"a": 1}),
    ],
)
def test_what_is_not_of_the_type_is_refused(
    samples: Repository[Sample], name: str, value: Any
) -> None:
    with pytest.raises(InvalidValue) as caught:
        samples.add(Sample(**{"id": 1, name: value}))
    assert caught.value.field == name
    assert samples.count() == 0


def test_annotated_types_tell_the_column(samples: Repository[Sample]) -> None:
    declared = declaration(Sample)
    assert declared.column("code").sql_type == "varchar(8)"
    assert declared.column("maybe").length == 3
    assert declared.column("maybe").nullable


@dataclass
class Settings:
    theme: str
    size: int = 10
    seen: list[str] = field(default_factory=list)


@entity("person")
class Person:
    id: int
    settings: Settings

    def __fields__(self, **fields: Any) -> None: ...


def test_json_of_a_newer_release_is_read_by_an_older_one(made: Made) -> None:
    connection = made(Person)
    people: Repository[Person] = Repository(Person, connection)
    people.add(Person(id=1, settings=Settings("dark")))
    newer = '{"theme": "light", "size": 12, "font": {"name": "x"}}'
    connection.execute(f"UPDATE person SET settings = '{newer}'")
    assert people.get(1).settings == Settings("light", 12)
    connection.execute("UPDATE person SET settings = '{\"size\": 1}'")
    with pytest.raises(MappingError, match=r"Person\.settings of the row with id=1"):
        people.get(1)


def test_an_enum_of_mixed_values_is_no_column() -> None:
    class Mixed(Enum):
        A = 1
        B = "b"

    with pytest.raises(DeclarationError, match="is not the type of a column"):

        @entity("thing")
        class Thing:
            id: int
            mixed: Mixed


def test_a_datetime_is_no_date() -> None:
    from datetime import date

    @entity("day")
    class Day:
        id: date

        def __fields__(self, **fields: Any) -> None: ...

    from pyorm.testing import sqlite_database

    days: Repository[Day] = Repository(Day, sqlite_database(Day))
    with pytest.raises(InvalidValue, match="wants a date"):
        days.add(Day(id=datetime(2026, 1, 1, tzinfo=UTC)))
