"""Journeys for tests of what a real schema holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from support.databases import DatabaseFactory
from support.journey import Journey


@pytest.fixture
def journey(database_factory: DatabaseFactory, tmp_path: Path) -> Journey:
    """Databases in the schema public."""
    return Journey(database_factory, tmp_path)


@pytest.fixture(scope="session")
def extension(server_dsn: str) -> Callable[[str], str]:
    """`extension(name)` gives the SQL that makes it, or skips where the server has no such one."""
    with psycopg.connect(server_dsn) as connection:
        found = {row[0] for row in connection.execute("SELECT name FROM pg_available_extensions")}

    def create(name: str) -> str:
        if name not in found:
            pytest.skip(f"this server has no {name}")
        return f"CREATE EXTENSION {name};"

    return create


@pytest.fixture(scope="session")
def icu(server_dsn: str) -> str:
    """SQL for collations by ICU: one that folds case, one of Turkish; skips without ICU."""
    create = """
        CREATE COLLATION folded (
            provider = icu, locale = 'und-u-ks-level2', deterministic = false
        );
        CREATE COLLATION turkish (provider = icu, locale = 'tr-TR');
    """
    with psycopg.connect(server_dsn) as connection:
        try:
            connection.execute(create)
        except psycopg.errors.FeatureNotSupported:
            pytest.skip("this server has no ICU")
        connection.rollback()
    return create


@pytest.fixture(scope="session")
def roles(server_dsn: str, _session_databases: DatabaseFactory) -> Iterator[None]:
    """The roles object_owner, object_app and object_report."""
    names = [sql.Identifier(f"object_{role}") for role in ("owner", "app", "report")]
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))
            connection.execute(sql.SQL("CREATE ROLE {}").format(name))
        yield
        _session_databases.drop()
        for name in names:
            connection.execute(sql.SQL("DROP ROLE {}").format(name))
