"""Which values are refused before they are sent, and what is told of rows that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from support.databases import DatabaseFactory

from pyorm import Repository, between, column, entity, one_of
from pyorm.ddl import create_table
from pyorm.errors import InvalidValue, MappingError
from pyorm.testing import sqlite_database

from .entities import Mood

EAST, WEST = timezone(timedelta(hours=5)), timezone(timedelta(hours=-5))
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@entity("sample")
class Sample:
    id: int
    text: str = ""
    at: datetime = FIRST
    day: date | None = None
    amount: Decimal | None = None
    ratio: float | None = None
    plain: dict[str, Any] | None = None
    binary: dict[str, Any] | None = column(sql_type="jsonb", default=None)
    words: list[str] = column(default_factory=list)
    moods: list[Mood] = column(default_factory=list)
    past: list[Mood] | None = None
    short: str | None = column(sql_type="varchar(3)", default=None)
    rough: float | None = column(sql_type="real", default=None)

    def __fields__(self, **fields: Any) -> None: ...


def load(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(create_table(Sample).encode())


@pytest.fixture
def connection(database_factory: DatabaseFactory) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_factory(load), autocommit=True) as connection:
        yield connection


@pytest.fixture(params=["postgresql", "sqlite"])
def samples(request: pytest.FixtureRequest) -> Repository[Sample]:
    if request.param == "sqlite":
        return Repository(Sample, sqlite_database(Sample))
    return Repository(Sample, request.getfixturevalue("connection"))


def nested(depth: int) -> dict[str, Any]:
    outer: dict[str, Any] = {}
    inner = outer
    for _ in range(depth):
        inner["in"] = {}
        inner = inner["in"]
    return outer


CIRCLE: dict[str, Any] = {}
CIRCLE["self"] = [CIRCLE]

REFUSED: dict[str, dict[str, Any]] = {
    "before the year 1 in UTC": {"at": datetime(1, 1, 1, tzinfo=EAST)},
    "after the year 9999 in UTC": {"at": datetime.max.replace(tzinfo=WEST)},
    "no zone": {"at": datetime(2026, 1, 1, tzinfo=None)},  # noqa: DTZ001
    "a time, whose date depends on the zone": {"day": datetime(2026, 1, 1, 23, tzinfo=EAST)},
    "half a surrogate pair": {"text": "\ud800"},
    "a NUL": {"text": "a\0"},
    "half a surrogate pair in a list": {"words": ["\udfff"]},
    "no float": {"ratio": 10**400},
    "too large for a real, where COPY makes infinity of it": {"rough": 1e300},
    "too small for a real, where COPY makes zero of it": {"rough": -1e-60},
    "blanks that a varchar cuts off": {"short": "abc  "},
    "too many digits": {"amount": Decimal("1E+131072")},
    "too many digits after the point": {"amount": Decimal("1E-16384")},
    "a signalling NaN": {"amount": Decimal("sNaN")},
    "a surrogate in json": {"plain": {"a": ["\ud800"]}},
    "a surrogate in a key of jsonb": {"binary": {"\ud800": 1}},
    "a NUL in jsonb": {"binary": {"a": "\0"}},
    "a NUL in a key of jsonb": {"binary": {"\\\0": 1}},
    "NaN in jsonb": {"binary": {"a": float("nan")}},
    "infinity in json": {"plain": {"a": float("inf")}},
    "json that holds itself": {"plain": CIRCLE},
    "json without end": {"plain": nested(100_000)},
}


@pytest.mark.parametrize("given", REFUSED.values(), ids=REFUSED.keys())
def test_what_could_not_be_read_back_is_not_written(
    samples: Repository[Sample], given: dict[str, Any]
) -> None:
    (field,) = given
    samples.add(Sample(id=1))
    for write in (
        lambda: samples.add(Sample(id=2, **given)),
        lambda: samples.add_many([Sample(id=2), Sample(id=3, **given)]),
        lambda: samples.update(1, **given),
    ):
        with pytest.raises(InvalidValue) as caught:
            write()
        assert (caught.value.entity, caught.value.field) == ("Sample", field)
    assert samples.find() == [Sample(id=1)]


KEPT: dict[str, dict[str, Any]] = {
    "the first time": {"at": FIRST},
    "the last time": {"at": LAST},
    "the first time, told in the west": {"at": FIRST.astimezone(EAST)},
    "the last day": {"day": date.max},
    "the longest number": {"amount": Decimal("1E+131071")},
    "the finest number": {"amount": Decimal("1E-16383")},
    "an infinite number": {"amount": Decimal("-Infinity")},
    "an infinite float": {"ratio": float("-inf")},
    "an infinite real": {"rough": float("inf")},
    "a real": {"rough": 0.25},
    "text of any plane": {"text": "\U0010ffff\u20ac"},
    "a backslash before u0000": {"binary": {"a": "\\u0000"}},
    "a NUL in json": {"plain": {"a": "\0"}},
}


@pytest.mark.parametrize("given", KEPT.values(), ids=KEPT.keys())
def test_what_is_written_comes_back_the_same(
    samples: Repository[Sample], given: dict[str, Any]
) -> None:
    written = Sample(id=1, **given)
    assert samples.add(written) == written
    assert samples.find() == [written]
    assert samples.find(id=1, **{k: v for k, v in given.items() if k not in ("plain", "binary")})


def test_a_real_is_found_by_the_number_that_was_written(samples: Repository[Sample]) -> None:
    added = samples.add(Sample(id=1, rough=0.1))
    samples.add_many([Sample(id=2, rough=0.1)])
    assert added.rough == pytest.approx(0.1)
    for wanted in (0.1, one_of(0.1), between(0.1, 0.1), added.rough):
        assert samples.count(rough=wanted) == 2


def test_no_number_comes_back_as_none(samples: Repository[Sample]) -> None:
    added = samples.add(Sample(id=1, ratio=float("nan"), amount=Decimal("NaN")))
    assert added.ratio is not None
    assert added.ratio != added.ratio
    assert added.amount is not None
    assert added.amount.is_nan()


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_the_ends_of_the_calendar_are_read_in_every_zone(
    connection: psycopg.Connection[Any], zone: str
) -> None:
    connection.execute("SELECT set_config('timezone', %s, false)", [zone])
    samples = Repository(Sample, connection)
    written = [Sample(id=n, at=FIRST if n % 2 else LAST) for n in range(2_500)]
    samples.add_many(written)
    assert samples.find(order="id") == written
    assert list(samples.stream(order="id")) == written
    assert samples.get(7).at == FIRST


UNREADABLE = {
    "at = 'infinity'": ("at", "infinity"),
    "at = '-infinity'": ("at", "-infinity"),
    "at = '10000-01-01'": ("at", "year"),
    "at = '0044-03-15 BC'": ("at", "year"),
    "day = 'infinity'": ("day", "infinity"),
    "day = '10000-01-01'": ("day", "year"),
    "text = NULL": ("text", "null"),
    "words = NULL": ("words", "null"),
    "words = ARRAY['a', NULL]": ("words", "null"),
    "words = ARRAY[['a'], ['b']]": ("words", "list of lists"),
    "moods = ARRAY['CALM', NULL]": ("moods", "null"),
    "moods = ARRAY[['CALM']]": ("moods", "list of lists"),
    "moods = ARRAY['GONE']": ("moods", "'GONE' is not a Mood"),
    "past = ARRAY['CALM', NULL]": ("past", "null"),
    "plain = '[1]'": ("plain", "wants dict"),
    "\"binary\" = '5'": ("binary", "wants dict"),
}


@pytest.mark.parametrize(("change", "told"), UNREADABLE.items())
def test_a_row_that_cannot_be_read_is_named_by_its_key(
    connection: psycopg.Connection[Any], change: str, told: tuple[str, str]
) -> None:
    connection.execute("ALTER TABLE sample ALTER text DROP NOT NULL, ALTER words DROP NOT NULL")
    connection.execute("ALTER TABLE sample DROP CONSTRAINT sample_moods_check")
    connection.execute("ALTER TABLE sample DROP CONSTRAINT sample_past_check")
    samples = Repository(Sample, connection)
    samples.add_many(Sample(id=n) for n in range(1, 1_500))
    connection.execute(f"UPDATE sample SET {change} WHERE id = 1234".encode())
    for read in (
        samples.find,
        lambda: samples.find(id=1234),
        lambda: samples.get(1234),
        lambda: samples.page(limit=1_400),
        lambda: list(samples.stream()),
        lambda: samples.query("SELECT {columns} FROM {table}"),
        lambda: samples.update(1234, ratio=1.0),
    ):
        with pytest.raises(MappingError) as caught:
            read()
        assert f"Sample.{told[0]} of the row with id=1234: " in str(caught.value)
        assert told[1] in str(caught.value)
        assert (caught.value.entity, caught.value.field) == ("Sample", told[0])
    assert samples.get(1).id == 1


def test_a_star_is_looked_at_each_time(connection: psycopg.Connection[Any]) -> None:
    samples = Repository(Sample, connection)
    samples.add(Sample(id=1))
    text = "UPDATE {table} SET ratio = coalesce(ratio, 0) + 1 RETURNING *"
    assert samples.query(text)[0].ratio == 1
    connection.execute("ALTER TABLE sample ADD added integer")
    with pytest.raises(InvalidValue, match="the query gives the columns"):
        samples.query(text)
    assert samples.get(1).ratio == 1
