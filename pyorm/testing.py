"""Fixtures for the tests of services: `pytest_plugins = ["pyorm.testing"]` in conftest.py.

    pyorm_postgres    the DSN of a database at the standard, empty, dropped after the test
    pyorm_connection  a connection to it, with autocommit
    pyorm_sqlite      an SQLite database in memory with the same tables: no server, a few ms
    pyorm_server      the DSN of the server of the run: the embedded one, or PYORM_TEST_DSN

A service overrides what the databases hold:

    pyorm_entities    its entities; by default those of Model Orchestration
    pyorm_schema      fills a new database, given its DSN; by default creates the entities' tables
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pyorm.ddl import DECIMAL, create_table
from pyorm.mapping import SQLITE
from pyorm.model_orchestration import Model, ProviderQuota, Request

Schema = Callable[[str], None]


@pytest.fixture(scope="session")
def pyorm_entities() -> tuple[type[Any], ...]:
    """The entities of the service, those that others refer to first."""
    return (Model, Request, ProviderQuota)


@pytest.fixture(scope="session")
def pyorm_schema(pyorm_entities: tuple[type[Any], ...]) -> Schema:
    """Fills a new database with the service's tables, given its DSN."""

    def fill(dsn: str) -> None:
        with psycopg.connect(dsn) as connection:
            for entity in pyorm_entities:
                connection.execute(create_table(entity).encode())

    return fill


@pytest.fixture(scope="session")
def pyorm_server() -> Iterator[str]:
    """The DSN of a server: PYORM_TEST_DSN, else the embedded one, for this run."""
    if named := os.environ.get("PYORM_TEST_DSN"):
        yield named
        return
    # The only place where pyorm knows of runner: both are in one distribution, and a service that
    # names its own server does not come here.
    from runner.postgres.embedded import FAST, start_server

    with start_server(settings=FAST) as server:
        yield server.dsn()


@pytest.fixture(scope="session")
def _pyorm_template(pyorm_server: str, pyorm_schema: Schema) -> Iterator[str]:
    name = _create(pyorm_server)
    pyorm_schema(make_conninfo(pyorm_server, dbname=name))
    yield name
    _drop(pyorm_server, name)


@pytest.fixture
def pyorm_postgres(pyorm_server: str, _pyorm_template: str) -> Iterator[str]:
    """The DSN of a database at the standard, empty, dropped after the test."""
    name = _create(pyorm_server, _pyorm_template)
    yield make_conninfo(pyorm_server, dbname=name)
    _drop(pyorm_server, name)


@pytest.fixture
def pyorm_connection(pyorm_postgres: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection with autocommit to a database at the standard."""
    with psycopg.connect(pyorm_postgres, autocommit=True) as connection:
        yield connection


@pytest.fixture
def pyorm_sqlite(pyorm_entities: tuple[type[Any], ...]) -> Iterator[sqlite3.Connection]:
    """An SQLite database in memory with the entities' tables, in autocommit."""
    connection = sqlite_database(*pyorm_entities)
    yield connection
    connection.close()


def sqlite_database(*entities: type[Any]) -> sqlite3.Connection:
    """An SQLite database in memory with the tables of some entities.

    Args:
        entities: those that others refer to first.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_collation(DECIMAL, _compare_decimals)
    for entity in entities:
        connection.execute(create_table(entity, SQLITE))
    return connection


def _compare_decimals(a: str, b: str) -> int:
    first, second = Decimal(a), Decimal(b)
    return (first > second) - (first < second)


def _create(server: str, template: str | None = None) -> str:
    name = f"pyorm_{uuid.uuid4().hex[:16]}"
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template:
        statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
    return name


def _drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )
