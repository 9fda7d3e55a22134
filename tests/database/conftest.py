"""Legacy databases for tests: clones of each variant, with the migrations that fit it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from support.databases import DatabaseFactory
from support.variants import PRODUCTION, SHIPPED, MakeService, Service, Variant, write_generated

ROLES = ("owner", "app", "report", "clerk", "deploy")


@cache
def _load(variant: Variant, filled: bool, at: str | None) -> Callable[[str], None]:
    def load(dsn: str) -> None:
        variant.load(dsn, filled=filled)
        if at is not None:
            Service(dsn, SHIPPED).up(at)

    return load


@pytest.fixture(scope="session")
def _generated() -> dict[Path, Path]:
    return {}


@pytest.fixture(scope="session")
def roles(server_dsn: str, _session_databases: DatabaseFactory) -> Iterator[None]:
    """The roles that production.sql grants to, `trueup_test_...`."""
    names = [sql.Identifier(f"trueup_test_{role}") for role in ROLES]
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        connection.execute("GRANT trueup_test_owner TO trueup_test_deploy")
        yield
        _session_databases.drop()
        for name in names:
            connection.execute(sql.SQL("DROP ROLE {}").format(name))


@pytest.fixture
def make_service(
    database_factory: DatabaseFactory,
    _generated: dict[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
    roles: None,
    since: Callable[[int], None],
) -> MakeService:
    """`make_service(variant, filled=True)` gives a new legacy database with its migrations.

    `at` names a phase that it has been brought to; for variants of the shipped files.
    """

    def make(variant: Variant, *, filled: bool = True, at: str | None = None) -> Service:
        if variant is PRODUCTION:
            since(15)  # before, a view cannot keep its row security
        dsn = database_factory(_load(variant, filled, at))
        if variant.is_shipped:
            return Service(dsn, SHIPPED)
        if variant.standard not in _generated:
            folder = tmp_path_factory.mktemp(variant.name)
            write_generated(variant.standard, dsn, folder)
            _generated[variant.standard] = folder
        return Service(dsn, _generated[variant.standard])

    return make


@pytest.fixture(scope="session")
def share_service(
    server_dsn: str, roles: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Variant, str], Service]]:
    """`share_service(variant, at)` gives a database that tests share: they commit nothing."""
    factory = DatabaseFactory(server_dsn)

    @cache
    def share(variant: Variant, at: str) -> Service:
        service = Service(factory(), SHIPPED)
        if variant.is_shipped:
            _load(variant, True, at)(service.dsn)
            return service
        variant.load(service.dsn)
        folder = tmp_path_factory.mktemp(variant.name)
        write_generated(variant.standard, service.dsn, folder)
        service = Service(service.dsn, folder)
        service.up(at)
        return service

    yield share
    factory.drop()


@pytest.fixture
def mallory(make_service: MakeService, server_dsn: str) -> Iterator[str]:
    """A role that may log in and no more."""
    with psycopg.connect(server_dsn, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS mallory")
        admin.execute("CREATE ROLE mallory LOGIN")
        yield "mallory"
        for (database,) in admin.execute(
            "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate"
        ).fetchall():
            with psycopg.connect(make_conninfo(server_dsn, dbname=database)) as connection:
                connection.execute("DROP OWNED BY mallory CASCADE")
        admin.execute("DROP ROLE mallory")
