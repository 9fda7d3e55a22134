"""One set of tests for every place a repository can work on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
import pytest
from pytest_postgresql import factories
from pytest_postgresql.executors import NoopExecutor

from pyorm import AsyncRepository, Model, ProviderQuota, Repository, Request
from pyorm.ddl import create_table
from pyorm.entity import declaration
from pyorm.testing import Server, sqlite_database, tables

from .entities import Author, Book

E = TypeVar("E")

LEGACY = Path("sql/model_orchestration/legacy/0001_baseline_legacy_schema.sql")
ENTITIES = (Model, Request, ProviderQuota, Author, Book)
OLD_AUTHORS = """
    CREATE TABLE authors (
        id varchar(36) PRIMARY KEY, "Name" varchar(40) NOT NULL, born date, balance numeric,
        address json NOT NULL, tags varchar[] NOT NULL, moods varchar[], scans bigint NOT NULL,
        picture bytea, active boolean NOT NULL, rating double precision,
        since timestamptz NOT NULL
    );
    CREATE TABLE books (
        shelf varchar(20) NOT NULL, number integer NOT NULL,
        author_id varchar(36) NOT NULL REFERENCES authors (id), "100%%" varchar,
        PRIMARY KEY (shelf, number)
    )
"""


def load_old(**where: Any) -> None:
    with psycopg.connect(**where) as connection:
        connection.execute(LEGACY.read_bytes())
        connection.execute(OLD_AUTHORS.replace("%%", "%").encode())


new_noproc = factories.postgresql_noproc(
    depends_on="pyorm_server", dbname=f"new_{uuid4().hex[:12]}", load=[tables(*ENTITIES)]
)
old_noproc = factories.postgresql_noproc(
    depends_on="pyorm_server", dbname=f"old_{uuid4().hex[:12]}", load=[load_old]
)
_new_database = factories.postgresql("new_noproc")
_old_database = factories.postgresql("old_noproc")


@pytest.fixture
def new_contract(
    _new_database: psycopg.Connection[Any], new_noproc: NoopExecutor, pyorm_server: Server
) -> str:
    """The DSN of a database with every entity's table under the new contract."""
    _new_database.close()
    return pyorm_server.dsn(new_noproc.dbname)


@pytest.fixture
def old_contract(
    _old_database: psycopg.Connection[Any], old_noproc: NoopExecutor, pyorm_server: Server
) -> str:
    """The same under the old contract."""
    _old_database.close()
    return pyorm_server.dsn(old_noproc.dbname)


class Place:
    """Where the repositories of a test work."""

    def __init__(self, on: Any, contract: Any = "new", loop: Any = None) -> None:
        self.on = on
        self.contract = contract
        self.loop = loop

    def repository(self, entity: type[E]) -> Repository[E]:
        if self.loop is None:
            return Repository(entity, self.on, contract=self.contract)
        repository = AsyncRepository(entity, self.on, contract=self.contract)
        return Waiting(repository, self.loop)  # type: ignore[return-value]

    def delete_all(self, entity: type[Any]) -> None:
        declared = declaration(entity)
        table = declared.old if self.contract != "new" else declared.table
        deleting = self.on.execute(f"DELETE FROM {table}")
        if self.loop and not self.is_sqlite:
            self.loop.run_until_complete(deleting)

    @property
    def is_sqlite(self) -> bool:
        return isinstance(self.on, sqlite3.Connection)


class Waiting:
    """An async repository whose calls are waited for, so that the sync tests run on it."""

    def __init__(self, repository: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._repository = repository
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._repository, name)
        if name in ("entity", "where"):
            return called
        if name == "stream":
            return lambda **wanted: self._stream(called(**wanted))
        return lambda *args, **wanted: self._loop.run_until_complete(
            self._await(called, args, wanted)
        )

    async def _await(self, called: Any, args: tuple[Any, ...], wanted: dict[str, Any]) -> Any:
        return await called(*args, **wanted)

    def _stream(self, rows: Any) -> Iterator[Any]:
        try:
            while True:
                yield self._loop.run_until_complete(anext(rows))
        except StopAsyncIteration:
            return
        finally:
            self._loop.run_until_complete(rows.aclose())


PLACES = ("postgresql", "old_contract", "auto_before", "async", "sqlite", "async_sqlite")


@pytest.fixture(scope="session", params=PLACES)
def _place(request: pytest.FixtureRequest, pyorm_server: Server) -> Iterator[Place]:
    if request.param in ("sqlite", "async_sqlite"):
        connection = sqlite_database(*ENTITIES)
        loop = asyncio.new_event_loop() if request.param == "async_sqlite" else None
        yield Place(connection, loop=loop)
        if loop:
            loop.close()
        connection.close()
        return
    old = request.param in ("old_contract", "auto_before")
    filled: NoopExecutor = request.getfixturevalue("old_noproc" if old else "new_noproc")
    with pyorm_server.janitor(
        f"{filled.dbname}_{request.param}", template=filled.template_dbname
    ) as made:
        yield from _on_server(pyorm_server.dsn(made.dbname), request.param)


def _on_server(dsn: str, place: str) -> Iterator[Place]:
    if place == "async":
        loop = asyncio.new_event_loop()
        made = psycopg.AsyncConnection.connect(dsn, autocommit=True)
        connection_async = loop.run_until_complete(made)
        yield Place(connection_async, loop=loop)
        loop.run_until_complete(connection_async.close())
        loop.close()
    else:
        contract = {"postgresql": "new", "old_contract": "old", "auto_before": "auto"}
        with psycopg.connect(dsn, autocommit=True) as connection_sync:
            yield Place(connection_sync, contract[place])


@pytest.fixture
def place(_place: Place) -> Iterator[Place]:
    """A database with every entity's table, empty: each kind that a repository works on."""
    yield _place
    for entity in (Book, Author, Request, Model):
        _place.delete_all(entity)


@pytest.fixture
def models(place: Place) -> Repository[Model]:
    return place.repository(Model)


@pytest.fixture
def requests(place: Place) -> Repository[Request]:
    return place.repository(Request)


@pytest.fixture
def authors(place: Place) -> Repository[Author]:
    return place.repository(Author)


@pytest.fixture
def books(place: Place) -> Repository[Book]:
    return place.repository(Book)


Made = Callable[..., Any]


@pytest.fixture(params=["postgresql", "sqlite"])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    """Gives a connection to a fresh database with the tables of a test's own entities."""
    with ExitStack() as stack:

        def make(*entities: type[Any]) -> Any:
            if request.param == "sqlite":
                return stack.enter_context(closing(sqlite_database(*entities)))
            dsn = request.getfixturevalue("database")
            connection = stack.enter_context(psycopg.connect(dsn, autocommit=True))
            for entity in entities:
                connection.execute(create_table(entity).encode())
            return connection

        yield make
