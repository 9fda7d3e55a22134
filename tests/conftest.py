"""The server and the databases that tests use: pyorm.testing's fixtures, and what is special.

TRUEUP_TEST_DSN names a server of one's own to test against instead of the embedded one, and
TRUEUP_PG_BIN other programs for the embedded one.

Under xdist each worker has its own server: roles and settings belong to a whole server, so workers
that shared one would meet in them. It costs half a second a worker, in parallel.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from support.databases import DatabaseFactory
from support.outlook import Outlook

from pyorm.testing import Load, Server
from runner.postgres.embedded import FAST, EmbeddedServer, start_server

UNIT = Path(__file__).parent / "unit"

# The same examples in every default run: one fails because of what was changed.
settings.register_profile("same", derandomize=True)
if "EXAMPLES" not in os.environ:
    settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outlook(config))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        wanted = {"server", "server_dsn"} & set(getattr(item, "fixturenames", ()))
        if wanted and item.path.is_relative_to(UNIT):
            raise pytest.UsageError(f"{item.nodeid} uses a server: move it to tests/database")


@pytest.fixture(scope="session", autouse=True)
def _children_hear_interrupts() -> None:
    # A background job ignores ^C, and what it starts inherits that. A handler is not inherited.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """The embedded server that the tests of this process share; do not stop or crash it."""
    with start_server(settings=FAST) as server:
        if server.version < (15, 0):
            # As later versions have it, and as files ask for that build indexes.
            with psycopg.connect(server.dsn("template1")) as connection:
                connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        yield server


@pytest.fixture(scope="session")
def server_dsn(request: pytest.FixtureRequest) -> str:
    """The maintenance database of the server under test."""
    if named := os.environ.get("TRUEUP_TEST_DSN"):
        return named
    server: EmbeddedServer = request.getfixturevalue("server")
    return server.dsn()


@pytest.fixture(scope="session")
def pyorm_server(server_dsn: str) -> Server:
    """The server under test for pyorm.testing, whose fixtures make the databases of tests."""
    return Server.at(server_dsn)


@pytest.fixture(scope="session")
def pyorm_load() -> list[Load]:
    """Nothing: databases start empty."""
    return []


@pytest.fixture
def database(pyorm_postgres: str) -> str:
    """The DSN of a new empty database, dropped after the test."""
    return pyorm_postgres


@pytest.fixture(scope="session")
def _session_databases(server_dsn: str) -> Iterator[DatabaseFactory]:
    factory = DatabaseFactory(server_dsn)
    yield factory
    factory.drop()


@pytest.fixture
def database_factory(_session_databases: DatabaseFactory) -> Iterator[DatabaseFactory]:
    """`database_factory(load=None)` gives the DSN of a new database, dropped after the test.

    For tests that want several, or that choose what fills them as they run.
    """
    yield _session_databases
    _session_databases.drop(but_templates=True)


@pytest.fixture(scope="session")
def since(server_dsn: str) -> Callable[[int], None]:
    """`since(18)` skips the test on a server that is older than PostgreSQL 18."""
    with psycopg.connect(server_dsn) as connection:
        found = connection.info.server_version // 10000

    def skip(version: int) -> None:
        if found < version:
            pytest.skip(f"this is new in PostgreSQL {version}")

    return skip
