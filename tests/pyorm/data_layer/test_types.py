"""Every type that a field can have, there and back: enums of one's own, times, lists in json."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NewType, TypedDict
from uuid import UUID

import psycopg
import pytest

from pyorm import Database, Repository, at_least, column, entity, one_of
from pyorm.ddl import create_table
from pyorm.entity import declaration
from pyorm.errors import DeclarationError, InvalidValue, MappingError

from .conftest import Made

UserId = NewType("UserId", int)
Price = NewType("Price", Decimal)
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


@dataclass
class Parts:
    counts: dict[int, int]
    by_color: dict[Color, Decimal]
    size: tuple[int, Decimal] | None = None
    more: tuple[Level, ...] = ()
    by_level: dict[Level, Price] = field(default_factory=dict)
    by_user: dict[UserId, dict[bool, int]] = field(default_factory=dict)
    by_code: dict[Annotated[float, "in kg"], dict[Literal["a"], int]] = field(default_factory=dict)


@entity("sample")
class Sample:
    id: UserId
    code: Code = "c"
    maybe: Annotated[str, column(length=3)] | None = None
    padded: str | None = column(sql_type="char(3)", default=None)
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
    parts: Parts | None = None
    counts: dict[Level, dict[UserId, Price]] | None = None

    def __fields__(self, **fields: Any) -> None: ...


FULL = Sample(
    id=UserId(1),
    code="abc",
    maybe="xyz",
    padded="abc",
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
    parts=Parts(
        {1: 2},
        {Color.BLUE: Decimal("1.10")},
        (3, Decimal(4)),
        (Level.LOW, Level.HIGH),
        {Level.HIGH: Price(Decimal("1.10"))},
        {UserId(1): {True: 1, False: 2}},
        {1.5: {"a": 1}},
    ),
    counts={Level.LOW: {UserId(7): Price(Decimal("0.50"))}},
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
    price: Decimal | None = None
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
    connection.execute('UPDATE person SET settings = \'{"theme": "x", "price": 1.1}\'')
    assert people.get(1).settings.price == Decimal("1.1")
    connection.execute('UPDATE person SET settings = \'{"theme": "x", "price": "much"}\'')
    for read in (lambda: people.get(1), people.find, lambda: list(people.stream())):
        with pytest.raises(MappingError, match=r"Person\.settings of the row with id=1: 'much'"):
            read()
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


@dataclass
class ByNumber:
    within: list[ByNumber]
    counts: dict[int | None, int]


@pytest.mark.parametrize(
    "held",
    [ByNumber, dict[UUID, int], dict[Literal[1], int], dict[str, dict[Color | None, int]]],
)
def test_a_dict_in_json_has_keys_that_its_texts_tell(held: Any) -> None:
    with pytest.raises(DeclarationError, match=r"Thing\.it: json has no keys of the type in"):

        @entity("thing")
        class Thing:
            id: int
            it: held


@pytest.mark.parametrize(
    ("held", "sql_type"),
    [
        (datetime, "timestamp"),
        (datetime, "timestamp(3) without time zone"),
        (time, "timetz"),
        (date, "timestamptz"),
        (Decimal, "double precision"),
        (float, "numeric(10, 2)"),
        (int, "numeric"),
        (bool, "integer"),
        (str, "uuid"),
        (str, "inet"),
        (UUID, "bytea"),
        (dict, "text"),
        (Color, "integer"),
        (Level, "varchar"),
    ],
)
def test_a_column_holds_values_of_the_fields_type(held: Any, sql_type: str) -> None:
    with pytest.raises(DeclarationError, match=r"Thing\.it: a column of type .* holds no"):

        @entity("thing")
        class Thing:
            id: int
            it: held = column(sql_type=sql_type)


@entity("thing")
class Thing:
    id: int = column(sql_type="posint")
    mail: str = column(sql_type="mail")
    other: list[str] = column(sql_type="mail")
    odd: str = column(sql_type="odd")
    size: Decimal = column(sql_type="decimal(10, 2)")
    padded: list[str] = column(sql_type="char(2)")
    since: datetime = column(sql_type="timestamp(6) with time zone")

    def __fields__(self, **fields: Any) -> None: ...


def test_types_that_the_driver_does_not_know_are_read_and_copied(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE DOMAIN mail AS varchar CHECK (VALUE LIKE '%@%')")
        connection.execute("CREATE DOMAIN posint AS integer CHECK (VALUE > 0)")
        # As an extension makes one: of a number of its own, its text as it is.
        connection.execute("CREATE TYPE odd")
        for name, argument, result in (("in", "cstring", "odd"), ("out", "odd", "cstring")):
            connection.execute(
                f"CREATE FUNCTION odd_{name}({argument}) RETURNS {result} LANGUAGE internal "
                f"IMMUTABLE STRICT AS 'text{name}'".encode()
            )
        connection.execute(
            "CREATE FUNCTION odd_recv(internal) RETURNS odd LANGUAGE internal AS 'textrecv'"
        )
        connection.execute(
            "CREATE FUNCTION odd_send(odd) RETURNS bytea LANGUAGE internal AS 'textsend'"
        )
        connection.execute(
            "CREATE TYPE odd (INPUT = odd_in, OUTPUT = odd_out, RECEIVE = odd_recv, "
            "SEND = odd_send, LIKE = text)"
        )
        connection.execute(create_table(Thing).encode())
        connection.execute("SET timezone TO 'America/New_York'")
        things: Repository[Thing] = Repository(Thing, connection)
        one = Thing(
            id=1,
            mail="a@b",
            other=["c@d", 'e"@f'],
            odd="än",
            size=Decimal("1.50"),
            padded=["ab", "c "],
            since=datetime(2026, 1, 2, tzinfo=UTC),
        )
        assert things.add(one) == one
        two = replace(one, id=2)
        assert things.add_many([two]) == 1
        assert things.find(order="id") == [one, two]
        assert things.count(mail="a@b", other=["c@d", 'e"@f']) == 2
        assert things.count(since=one_of(one.since), size=one_of(Decimal("1.5"))) == 2
        Database(connection).check(Thing)


@pytest.mark.parametrize("sql_type", ["char(3)", "name"])
def test_no_row_of_many_keys_is_lost(database: str, sql_type: str) -> None:
    @entity("short")
    class Short:
        id: str = column(sql_type=sql_type)

        def __fields__(self, **fields: Any) -> None: ...

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(create_table(Short).encode())
        shorts: Repository[Short] = Repository(Short, connection)
        shorts.add_many([Short(id="a"), Short(id="b"), Short(id="c" * 3)])
        assert [one.id.strip() for one in shorts.get_many(["b", "a"])] == ["b", "a"]
        if sql_type == "name":  # it is cut off at 63 characters, and found so
            shorts.add(Short(id="d" * 63))
            with pytest.raises(InvalidValue, match="compared in another way"):
                shorts.get_many(["d" * 70])


@pytest.mark.parametrize(("held", "sql_type"), [(Decimal, "numeric"), (float, "real")])
def test_nan_is_a_key_of_many(database: str, held: Any, sql_type: str) -> None:
    @entity("amount")
    class Amount:
        id: held = column(sql_type=sql_type)

        def __fields__(self, **fields: Any) -> None: ...

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(create_table(Amount).encode())
        amounts: Repository[Amount] = Repository(Amount, connection)
        amounts.add_many([Amount(id=held("NaN")), Amount(id=held("1.5"))])
        found = amounts.get_many([held("1.50"), held("NaN"), held("2")])
        assert [str(one.id).lower() for one in found] == ["1.5", "nan"]


def test_a_datetime_is_no_date() -> None:
    @entity("day")
    class Day:
        id: date

        def __fields__(self, **fields: Any) -> None: ...

    from pyorm.testing import sqlite_database

    days: Repository[Day] = Repository(Day, sqlite_database(Day))
    with pytest.raises(InvalidValue, match="wants a date"):
        days.add(Day(id=datetime(2026, 1, 1, tzinfo=UTC)))
