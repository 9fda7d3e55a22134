"""The fixtures of `pyorm[testing]`, on those of pytest-postgresql.

    pyorm_postgres          the DSN of a new database, dropped after the test
    pyorm_connection        a connection to it, with autocommit
    pyorm_pool              a psycopg_pool.ConnectionPool on it
    pyorm_async_connection  the same for pytest-asyncio
    pyorm_async_pool
    pyorm_sqlite            an SQLite database in memory with the same tables: no server, a few ms

A service overrides in its conftest.py what the databases hold:

    pyorm_entities    its entities; by default those of Model Orchestration
    pyorm_load        what fills a database, as pytest-postgresql's `load`; by default creates the
                      tables of the entities, and `migrated(...)` applies the service's migrations

Beneath them are what `depends_on` and `postgresql(...)` of pytest-postgresql take:

    pyorm_server      the server of the run: the embedded one, or PYORM_TEST_DSN
    pyorm_noproc      the template that each test's database is a clone of
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from pyorm.errors import NotInstalled
from pyorm.model_orchestration import Model, ProviderQuota, Request
from pyorm.sources import forget_databases
from pyorm.testing import lent
from pyorm.testing.loaders import tables
from pyorm.testing.server import Server
from pyorm.testing.sqlite import sqlite_database

if TYPE_CHECKING:
    import pytest_asyncio
    from psycopg_pool import AsyncConnectionPool, ConnectionPool
    from pytest_postgresql import factories
    from pytest_postgresql.executors import NoopExecutor

    async_fixture = pytest_asyncio.fixture
elif find_spec("pytest_asyncio"):
    from pytest_asyncio import fixture as async_fixture
else:
    async_fixture = pytest.fixture  # as anyio's plugin takes it

# pytest loads this module wherever pyorm is installed, with the extra or without it.
HAS_PYTEST_POSTGRESQL = find_spec("pytest_postgresql") is not None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """The databases of tests have one name: what an earlier one taught holds for none after it."""
    forget_databases()


@pytest.fixture(scope="session")
def pyorm_entities() -> tuple[type[Any], ...]:
    """The entities of the service, those that others refer to first."""
    return (Model, Request, ProviderQuota)


@pytest.fixture(scope="session")
def pyorm_load(pyorm_entities: tuple[type[Any], ...]) -> Sequence[Callable[..., Any] | str | Path]:
    """What fills a database, once: loaders of pyorm.testing, SQL files, functions."""
    return [tables(*pyorm_entities)]


@pytest.fixture(scope="session")
def pyorm_server() -> Iterator[Server]:
    """The server of the run: the one that PYORM_TEST_DSN names, else the embedded one."""
    if not HAS_PYTEST_POSTGRESQL:
        raise NotInstalled(
            "the fixtures on PostgreSQL need pytest-postgresql", hint="pip install 'pyorm[testing]'"
        )
    if named := os.environ.get("PYORM_TEST_DSN"):
        yield Server.at(named)
        return
    with lent.server() as dsn:
        yield Server.at(dsn)


@pytest.fixture(scope="session")
def pyorm_noproc(
    pyorm_server: Server, pyorm_load: Sequence[Callable[..., Any] | str | Path]
) -> Iterator[NoopExecutor]:
    """The template that each test's database is a clone of, filled by pyorm_load."""
    from pytest_postgresql.executors import NoopExecutor

    executor = NoopExecutor(
        host=pyorm_server.host,
        port=pyorm_server.port,
        user=pyorm_server.user,
        password=pyorm_server.password,
        options=pyorm_server.options,
        # Its own, so that runs side by side on a named server do not meet.
        dbname=f"pyorm_{uuid4().hex[:12]}",
        maintenance_dbname=pyorm_server.maintenance_dbname,
    )
    with pyorm_server.janitor(executor.template_dbname, is_template=True) as janitor:
        for load in pyorm_load:
            janitor.load(load)
        yield executor


if HAS_PYTEST_POSTGRESQL:
    from pytest_postgresql import factories

    _pyorm_database = factories.postgresql("pyorm_noproc")

else:

    @pytest.fixture
    def _pyorm_database(pyorm_noproc: object) -> None:
        """Not reached: pyorm_server says what is missing."""


@pytest.fixture
def pyorm_postgres(
    _pyorm_database: psycopg.Connection[Any], pyorm_server: Server, pyorm_noproc: NoopExecutor
) -> str:
    """The DSN of a new database, dropped after the test."""
    _pyorm_database.close()  # nobody is connected to it but the test
    return pyorm_server.dsn(pyorm_noproc.dbname)


@pytest.fixture
def pyorm_connection(pyorm_postgres: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection with autocommit to a new database."""
    with psycopg.connect(pyorm_postgres, autocommit=True) as connection:
        yield connection


@pytest.fixture
def pyorm_pool(pyorm_postgres: str) -> Iterator[ConnectionPool[Any]]:
    """A pool on a new database, its connections in autocommit."""
    from psycopg_pool import ConnectionPool

    with ConnectionPool(
        pyorm_postgres, min_size=1, max_size=4, kwargs={"autocommit": True}, open=True
    ) as pool:
        yield pool


@async_fixture
async def pyorm_async_connection(
    pyorm_postgres: str,
) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """An async connection with autocommit to a new database."""
    connecting = psycopg.AsyncConnection.connect(pyorm_postgres, autocommit=True)
    async with await connecting as connection:
        yield connection


@async_fixture
async def pyorm_async_pool(pyorm_postgres: str) -> AsyncIterator[AsyncConnectionPool[Any]]:
    """An open async pool on a new database, its connections in autocommit."""
    from psycopg_pool import AsyncConnectionPool

    async with AsyncConnectionPool(
        pyorm_postgres, min_size=1, max_size=4, kwargs={"autocommit": True}, open=False
    ) as pool:
        yield pool


@pytest.fixture
def pyorm_sqlite(pyorm_entities: tuple[type[Any], ...]) -> Iterator[sqlite3.Connection]:
    """An SQLite database in memory with the entities' tables, in autocommit."""
    connection = sqlite_database(*pyorm_entities)
    yield connection
    connection.close()
