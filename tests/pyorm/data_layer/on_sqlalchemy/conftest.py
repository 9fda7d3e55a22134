"""Engines: on PostgreSQL at the new contract, made by the service's own files, and on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pytest_postgresql import factories
from sqlalchemy import URL, Engine, MetaData, create_engine
from sqlalchemy.pool import StaticPool

from pyorm import Model, ProviderQuota, Request
from pyorm.sqlalchemy import to_table
from pyorm.testing import migrated, sqlite_database

SERVICE = Path(__file__).parents[4] / "sql" / "model_orchestration"
ENTITIES = (Model, Request, ProviderQuota)

online_noproc = factories.postgresql_noproc(
    depends_on="pyorm_server", dbname=f"online_{uuid4().hex[:12]}", load=[migrated(SERVICE)]
)
at_contract = factories.postgresql("online_noproc")
window_noproc = factories.postgresql_noproc(
    depends_on="pyorm_server",
    dbname=f"window_{uuid4().hex[:12]}",
    load=[migrated(SERVICE, to="window")],
)
at_window = factories.postgresql("window_noproc")


def engine_of(connection: psycopg.Connection[Any]) -> Engine:
    """An engine on the database that a connection of pytest-postgresql is open to."""
    info = connection.info
    where = URL.create(
        "postgresql+psycopg",
        username=info.user,
        password=info.password or None,
        database=info.dbname,
        query={"host": info.host, "port": str(info.port)},
    )
    return create_engine(where)


def engine_of_sqlite() -> Engine:
    """An engine on an SQLite database that holds what a repository works on."""
    connection = sqlite_database(*ENTITIES)
    return create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)


@pytest.fixture
def metadata() -> MetaData:
    """The Tables of the service's entities."""
    metadata = MetaData()
    for entity in ENTITIES:
        to_table(entity, metadata)
    return metadata


@pytest.fixture(params=["postgresql", "sqlite"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine on a database at the new contract, empty."""
    if request.param == "sqlite":
        engine = engine_of_sqlite()
    else:
        engine = engine_of(request.getfixturevalue("at_contract"))
    yield engine
    engine.dispose()
