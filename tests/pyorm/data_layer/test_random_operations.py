"""Random operations: the same results and errors under both contracts and on SQLite."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from support.databases import DatabaseFactory

from pyorm import (
    Database,
    ModelStatus,
    above,
    any_of,
    at_least,
    at_most,
    below,
    between,
    column,
    contains,
    entity,
    given,
    ilike,
    like,
    not_,
    one_of,
)
from pyorm.ddl import create_table
from pyorm.errors import InvalidValue, PyormError
from pyorm.testing import sqlite_database


@entity("thing", old="things")
class Thing:
    id: UUID
    name: str = column(length=6, default="")
    code: str | None = column(unique=True, default=None)
    size: int | None = None
    weight: float | None = None
    price: Decimal | None = None
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    day: date | None = None
    opens: time | None = None
    took: timedelta | None = None
    flag: bool = False
    raw: bytes | None = None
    about: dict[str, Any] | None = None
    status: ModelStatus = ModelStatus.ACTIVE
    statuses: list[ModelStatus] | None = None
    tags: list[str] | None = None
    version: int = column(version=True, default=1)


@entity("part", old="parts")
class Part:
    id: UUID
    thing_id: UUID = column(references="thing (id)")


OLD = """
    CREATE TYPE thing_status AS ENUM ('active', 'inactive', 'deprecated');
    CREATE TABLE things (
        id varchar(36) PRIMARY KEY, name varchar(6) NOT NULL, code varchar UNIQUE, size integer,
        weight double precision, price numeric, at timestamptz NOT NULL, day date, opens time,
        took interval, flag boolean NOT NULL, raw bytea, about json, status thing_status NOT NULL,
        statuses varchar[], tags varchar[], version integer NOT NULL
    );
    CREATE TABLE parts (id varchar(36) PRIMARY KEY, thing_id varchar(36) NOT NULL REFERENCES things)
"""

IDS = [UUID(int=n) for n in range(4)]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=7)
HALF = timezone(timedelta(hours=5, minutes=30))
ZONES = st.sampled_from([UTC, HALF, timezone(timedelta(hours=-8))])
PRICES = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=4)
ABOUT = st.none() | st.integers(-(10**20), 10**20) | TEXT
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": TEXT,
    "code": st.none() | st.sampled_from(["a", "b", "A", "a%"]),
    "size": st.none() | st.integers(-(2**31), 2**31 - 1) | st.just(2**40),
    "weight": st.none() | st.floats(),
    "price": st.none()
    | PRICES
    | st.sampled_from([Decimal("1E+3"), Decimal("-0.0"), Decimal("2.50")]),
    "at": st.datetimes(datetime(2, 1, 2), datetime(9998, 1, 1), timezones=ZONES),  # noqa: DTZ001
    "day": st.none() | st.dates(),
    "opens": st.none() | st.times(),
    "took": st.none() | st.timedeltas(timedelta(days=-400), timedelta(days=400)),
    "flag": st.booleans(),
    "raw": st.none() | st.binary(max_size=4),
    "about": st.none() | st.dictionaries(TEXT, ABOUT, max_size=3),
    "status": st.sampled_from([*ModelStatus, "active", "nope"]),
    "statuses": st.none() | st.lists(st.sampled_from(ModelStatus), max_size=2),
    "tags": st.none() | st.lists(TEXT, max_size=3),
}
LISTS, JSON = ("statuses", "tags"), ("about",)


def condition(field: str, value: Any) -> st.SearchStrategy[Any]:
    """What a field can be asked with a value, right or wrong."""
    if value is None:
        return st.sampled_from([None, not_(None), given(None), any_of(None, not_(None))])
    if field in JSON:
        return st.sampled_from([value, not_(None), one_of(value)])
    same = [value, not_(value), given(value), any_of(None, value), not_(any_of(value, None))]
    if field in LISTS:
        return st.sampled_from([*same, contains(*value), not_(contains(*value)), one_of(value)])
    bounds = [at_least(value), above(value), at_most(value), below(value), between(value, value)]
    if field in ("name", "status", "code"):
        bounds = []  # texts are ordered by their bytes on SQLite, by a collation on PostgreSQL
    if isinstance(value, str) and field != "status":
        same += [like(f"%{value}"), ilike(f"{value[:2]}%"), not_(like("_%")), contains(value)]
    return st.sampled_from([*same, *bounds, one_of(value), one_of(value, value), one_of()])


def filter_of(field: str) -> st.SearchStrategy[tuple[str, Any]]:
    asked = VALUES[field].flatmap(lambda value: condition(field, value))
    return st.tuples(st.just(field), asked)


FIELDS = st.fixed_dictionaries({}, optional=VALUES)
FILTERS = st.lists(st.sampled_from(sorted(VALUES)).flatmap(filter_of), max_size=2).map(dict)
ORDERED = ["size", "-weight", "price", "-at", "day", "-opens", "took", "flag", "-raw"]
ORDERS = st.sampled_from([(), *((name,) for name in ORDERED), ("flag", "-size"), ("about",)])
KEYS = st.sampled_from(IDS)
Call = Callable[[Database], Any]


class Everywhere(RuleBasedStateMachine):
    """Does each operation on all three and compares what came of it."""

    places: dict[str, Database]

    @initialize()
    def empty(self) -> None:
        for database in self.places.values():
            database.execute("DELETE FROM {Part}", join=[Part])
            database.execute("DELETE FROM {Thing}", join=[Thing])

    def same(self, call: Call) -> None:
        came = {name: outcome(call, database) for name, database in self.places.items()}
        first = came["new"]
        for name, other in came.items():
            assert other == first, (name, other, first)

    @rule(key=KEYS, fields=FIELDS)
    def add(self, key: UUID, fields: dict[str, Any]) -> None:
        self.same(lambda db: db[Thing].add(Thing(id=key, **fields)))

    @rule(rows=st.lists(st.tuples(KEYS, FIELDS), max_size=3))
    def add_many(self, rows: list[tuple[UUID, dict[str, Any]]]) -> None:
        # COPY sends the rows before one that is refused; which of two errors comes first differs.
        self.same(
            lambda db: failed_or_not(
                lambda: db[Thing].add_many([Thing(id=k, **f) for k, f in rows])
            )
        )

    @rule(key=KEYS, fields=FIELDS)
    def update(self, key: UUID, fields: dict[str, Any]) -> None:
        self.same(lambda db: db[Thing].update(key, **fields))

    @rule(key=KEYS, version=st.integers(1, 3), size=VALUES["size"])
    def update_if(self, key: UUID, version: int, size: Any) -> None:
        self.same(lambda db: db[Thing].update(key, size=size, if_version=version))

    @rule(
        key=KEYS,
        fields=FIELDS,
        conflict=st.sampled_from(["id", "code", "name"]),
        changing=st.sampled_from([(), ("size",), ("tags", "about"), ("id",), ("nothing",)]),
    )
    def upsert(self, key: UUID, fields: dict[str, Any], conflict: str, changing: Any) -> None:
        self.same(lambda db: db[Thing].upsert(Thing(id=key, **fields), conflict, changing=changing))

    @rule(key=KEYS, fields=FIELDS)
    def add_missing(self, key: UUID, fields: dict[str, Any]) -> None:
        self.same(lambda db: db[Thing].add_missing(Thing(id=key, **fields), "id"))

    @rule(wanted=FILTERS, fields=FIELDS)
    def update_where(self, wanted: dict[str, Any], fields: dict[str, Any]) -> None:
        self.same(lambda db: db[Thing].update_where(db[Thing].where(**wanted), **fields))

    @rule(wanted=FILTERS)
    def delete_where(self, wanted: dict[str, Any]) -> None:
        self.same(lambda db: db[Thing].delete_where(**wanted))

    @rule(key=KEYS)
    def delete(self, key: UUID) -> None:
        self.same(lambda db: db[Thing].delete(key))

    @rule(key=KEYS)
    def part(self, key: UUID) -> None:
        self.same(lambda db: db[Part].add(Part(id=key, thing_id=key)))

    @rule(wanted=FILTERS, order=ORDERS)
    def find(self, wanted: dict[str, Any], order: tuple[str, ...]) -> None:
        self.same(lambda db: db[Thing].find(order=(*order, "id"), **wanted))
        self.same(lambda db: list(db[Thing].stream(order=(*order, "id"), **wanted)))
        self.same(lambda db: (db[Thing].count(**wanted), db[Thing].exists(**wanted)))
        self.same(lambda db: db[Thing].one(**wanted))

    @rule(wanted=FILTERS, order=st.sampled_from(["at", "-flag", "-at", (), "size", "about"]))
    def pages(self, wanted: dict[str, Any], order: Any) -> None:
        self.same(lambda db: all_pages(db, order, wanted))

    @rule(keys=st.lists(st.sampled_from([*IDS, str(IDS[1]), "x"]), max_size=4))
    def get_many(self, keys: list[Any]) -> None:
        self.same(lambda db: db[Thing].get_many(keys))
        self.same(lambda db: [db[Thing].get(key) for key in keys])

    @rule(fail=st.booleans(), key=KEYS, fields=FIELDS)
    def transaction(self, fail: bool, key: UUID, fields: dict[str, Any]) -> None:
        def work(tx: Database) -> int:
            tx[Thing].add(Thing(id=key, **fields))
            if fail:
                raise InvalidValue("as asked")
            return tx[Thing].count()

        self.same(lambda db: db.transaction(retry=1).run(work))

    @rule(status=st.sampled_from(ModelStatus))
    def sql(self, status: ModelStatus) -> None:
        text = (
            "SELECT count(*) FROM {table} WHERE status = %s OR status = {Thing.status.DEPRECATED}"
        )
        self.same(lambda db: db[Thing].scalars(int, text, [status]))
        self.same(lambda db: sorted(db[Thing].scalars(UUID, "SELECT id FROM {table}")))


def outcome(call: Call, database: Database) -> tuple[str, Any]:
    """What came of a call: its result, or the error's kind and field."""
    try:
        return "ok", comparable(call(database))
    except PyormError as error:
        return type(error).__name__, error.field


def comparable(result: Any) -> Any:
    return repr(result) if "nan" in repr(result) else result


def failed_or_not(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except PyormError:
        return "failed"


def all_pages(db: Database, order: Any, wanted: dict[str, Any]) -> list[Thing]:
    seen: list[Thing] = []
    after = None
    for _ in range(5):
        page = db[Thing].page(after, order=order, limit=1, **wanted)
        seen += page.items
        after = page.next
        if after is None:
            break
    return seen


@pytest.fixture
def places(database_factory: DatabaseFactory) -> Iterator[dict[str, Database]]:
    new, old = database_factory(), database_factory()
    with (
        psycopg.connect(new, autocommit=True) as new_one,
        psycopg.connect(old, autocommit=True) as old_one,
    ):
        for made in (Thing, Part):
            new_one.execute(create_table(made).encode())
        old_one.execute(OLD.encode())
        lite = sqlite_database(Thing, Part)
        yield {
            "new": Database(new_one),
            "old": Database(old_one, contract="old"),
            "sqlite": Database(lite),
        }
        lite.close()


def test_random_operations_come_to_the_same_everywhere(places: dict[str, Database]) -> None:
    Everywhere.places = places
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_state_machine_as_test(
            Everywhere,
            settings=settings(
                max_examples=int(os.environ.get("EXAMPLES", "10")),
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
