"""Tables as they were made before: native enums in any case, and ids written in several ways."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import psycopg
import pytest
from support.databases import DatabaseFactory

from pyorm import Repository, above, column, contains, entity, not_, one_of
from pyorm.errors import DeclarationError
from pyorm.testing import sqlite_database

from .entities import Mood

NATIVE = """
    CREATE SCHEMA kinds;
    CREATE TYPE kinds."Mood" AS ENUM ('{cross}', '{calm}');
    CREATE TABLE persons (
        id {id} PRIMARY KEY, name varchar UNIQUE NOT NULL, mood kinds."Mood" NOT NULL,
        past kinds."Mood"[] NOT NULL, hidden kinds."Mood"
    )
"""


@entity("person", old="persons")
class Person:
    id: UUID = column(default_factory=uuid4)
    name: str = column(unique=True)
    mood: Mood = Mood.CALM
    past: list[Mood] = column(default_factory=list)
    hidden: Mood | None = None

    def __fields__(self, **fields: Any) -> None: ...


@pytest.fixture(params=["old", "auto"])
def contract(request: pytest.FixtureRequest) -> Literal["old", "auto"]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=[str.lower, str.upper, str.title], ids=["lower", "upper", "title"])
def persons(
    request: pytest.FixtureRequest,
    database_factory: DatabaseFactory,
    contract: Literal["old", "auto"],
) -> Iterator[Repository[Person]]:
    spelled = request.param
    script = NATIVE.format(cross=spelled("cross"), calm=spelled("calm"), id="varchar(36)")
    with psycopg.connect(database_factory(), autocommit=True) as connection:
        connection.execute(script.encode())
        yield Repository(Person, connection, contract=contract)


def test_native_enums_are_written_and_read(persons: Repository[Person]) -> None:
    past = [Mood.CROSS, Mood.CALM]
    ada = persons.add(Person(name="Ada", past=past))
    assert (ada.mood, ada.past, ada.hidden) == (Mood.CALM, past, None)
    bob = persons.update(persons.add(Person(name="Bob")).id, mood=Mood.CROSS, past=past[:1])
    carl = Person(name="Carl", mood=Mood.CROSS, hidden=Mood.CALM)
    assert persons.add_many([carl]) == 1
    assert persons.upsert(Person(name="Carl", past=past), "name", changing="past").past == past
    carl = persons.one(name="Carl")
    assert persons.find(order="name") == [ada, bob, carl]
    assert list(persons.stream(order="name")) == [ada, bob, carl]
    assert persons.query("SELECT {columns} FROM {table} WHERE mood = %s", [Mood.CALM]) == [ada]


@pytest.mark.parametrize(
    ("found", "hint"),
    [("timestamp", "timestamptz USING at AT TIME ZONE 'UTC'"), ("date", "use timestamptz")],
)
def test_a_column_whose_values_are_of_another_type_is_named(
    database: str, contract: Literal["old", "auto"], found: str, hint: str
) -> None:
    @entity("visit", old="visits")
    class Visit:
        id: UUID
        at: datetime

        def __fields__(self, **fields: Any) -> None: ...

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE visits (id text PRIMARY KEY, at {found})".encode())
        visits: Repository[Visit] = Repository(Visit, connection, contract=contract)
        with pytest.raises(DeclarationError, match=r"Visit\.at: .* holds no datetime") as caught:
            visits.find()
        assert hint in str(caught.value)


def test_native_enums_are_asked_for(persons: Repository[Person]) -> None:
    persons.add(Person(name="Ada", past=[Mood.CALM], hidden=Mood.CROSS))
    persons.add(Person(name="Bob", mood=Mood.CROSS, past=[Mood.CROSS, Mood.CALM]))

    def names(**wanted: Any) -> list[str]:
        return sorted(person.name for person in persons.find(**wanted))

    assert names(mood=Mood.CROSS) == ["Bob"]
    assert names(mood=not_(Mood.CROSS)) == ["Ada"]
    assert names(mood=one_of(Mood.CROSS, Mood.CALM)) == ["Ada", "Bob"]
    assert names(mood=one_of()) == []
    assert names(mood=above(Mood.CALM)) == ["Bob"]
    assert names(hidden=None) == ["Bob"]
    assert names(hidden=not_(Mood.CALM)) == ["Ada", "Bob"]
    assert names(past=[Mood.CALM]) == ["Ada"]
    assert names(past=not_([Mood.CALM])) == ["Bob"]
    assert names(past=contains(Mood.CROSS)) == ["Bob"]
    assert names(past=contains()) == ["Ada", "Bob"]
    # The type's own order is another one than that of the values.
    assert [person.name for person in persons.find(order="mood")] == ["Ada", "Bob"]
    first = persons.page(order="mood", limit=1)
    assert [person.name for person in first.items] == ["Ada"]
    assert [person.name for person in persons.page(first.next, order="mood").items] == ["Bob"]


SPELLINGS: dict[str, Callable[[UUID], str]] = {
    "36 characters": str,
    "32 digits": lambda key: key.hex,
    "uppercase": lambda key: str(key).upper(),
    "32 digits in uppercase": lambda key: key.hex.upper(),
}


@pytest.fixture(params=["varchar(36)", "char(36)", "text", "sqlite"])
def keyed(request: pytest.FixtureRequest, database_factory: DatabaseFactory) -> Iterator[Any]:
    """A repository, and what adds a row whose id is written in a way."""
    insert = "INSERT INTO {} (id, name, mood, past) VALUES ({}, {}, 'calm', '{}')"
    if request.param == "sqlite":
        lite = sqlite_database(Person)
        assert isinstance(lite, sqlite3.Connection)
        statement = insert.format("person", "?", "?", "[]").replace("calm", "CALM")
        yield Repository(Person, lite), lambda *values: lite.execute(statement, values)
        return
    with psycopg.connect(database_factory(), autocommit=True) as connection:
        script = NATIVE.format(cross="cross", calm="calm", id=request.param)
        connection.execute(script.encode())
        statement = insert.format("persons", "%s", "%s", "{}")
        persons = Repository(Person, connection, contract="old")
        yield persons, lambda *values: connection.execute(statement.encode(), values)


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_row_is_found_by_its_id_however_it_is_written(
    keyed: Any, spelled: Callable[[UUID], str]
) -> None:
    persons, add = keyed
    key, other = uuid4(), uuid4()
    add(spelled(key), "Ada")
    add(str(other), "Bob")
    assert persons.get(key).id == persons.get(str(key)).id == key
    assert [person.name for person in persons.get_many([other, key])] == ["Bob", "Ada"]
    assert persons.one(id=key).name == persons.one(id=one_of(key)).name == "Ada"
    assert persons.one(id=not_(key)).name == "Bob"
    assert persons.update(key, name="Eve").name == "Eve"
    persons.delete(key)
    assert [person.name for person in persons.find()] == ["Bob"]
    assert persons.add_many([Person(id=key, name="Joe")]) == 1
    assert persons.get(key).name == "Joe"


def test_pages_by_ids_written_in_several_ways_have_each_row_once(keyed: Any) -> None:
    persons, add = keyed
    for n in range(24):
        add(list(SPELLINGS.values())[n % 4](uuid4()), f"{n}")
    for order in ((), "-id", ("mood", "-id")):
        seen: list[str] = []
        cursor = None
        while len(seen) <= 24:
            page = persons.page(cursor, order=order, limit=1)
            seen += [person.name for person in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert sorted(seen, key=int) == [f"{n}" for n in range(24)]
