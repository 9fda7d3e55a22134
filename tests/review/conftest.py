"""A shop with two files, and a rehearsed hand-made project: what several tests work on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from support.databases import DatabaseFactory
from support.migration_files import write_migration

from runner.ledger.files import Migration, read_migrations
from runner.review.certificate import Certificate
from runner.review.rehearse import Options, rehearse

HAZARDS = Path(__file__).parent / "hazards" / "migrations"
SHOP = """
CREATE TABLE public."Order" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    parent uuid REFERENCES public."Order",
    "50% off" boolean NOT NULL DEFAULT false,
    state text NOT NULL CHECK (state IN ('open', 'shut'))
);
CREATE TABLE public.item (
    "order" uuid NOT NULL REFERENCES public."Order",
    line integer NOT NULL,
    name text,
    PRIMARY KEY ("order", line)
);
"""
ROWS = """
CREATE FUNCTION pg_temp.key(n integer) RETURNS uuid LANGUAGE sql AS $$
    SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid
$$;
INSERT INTO public."Order" (id, parent, state)
SELECT pg_temp.key(n), CASE WHEN n % 10 > 0 THEN pg_temp.key(n - 1) END, 'open'
FROM generate_series(0, 3999) AS n;
INSERT INTO public.item SELECT id, 1, 'x' FROM public."Order";
ANALYZE;
"""


@pytest.fixture(scope="session")
def hazards() -> tuple[Migration, ...]:
    """The migrations of the project with three hazards."""
    return read_migrations([HAZARDS])


@pytest.fixture(scope="session")
def hazardous(hazards: tuple[Migration, ...], server_dsn: str) -> Certificate:
    """Its rehearsal, from the files alone."""
    options = Options(rows=2000, scratch=server_dsn, base="0001_create_shop")
    return rehearse(None, hazards, options=options)


@pytest.fixture
def make_shop() -> Callable[[str], None]:
    """Makes a shop whose orders reference each other in a database."""

    def make(dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SHOP)
            connection.execute(ROWS.encode())

    return make


@pytest.fixture
def live(database_factory: DatabaseFactory, make_shop: Callable[[str], None]) -> str:
    """A database with such a shop."""
    return database_factory(make_shop)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two files that are safe, and lead back."""
    folder = tmp_path / "migrations"
    write_migration(
        folder,
        "0001_expand_note",
        'ALTER TABLE public."Order" ADD COLUMN note text;',
        'ALTER TABLE public."Order" DROP COLUMN note;',
    )
    write_migration(
        folder,
        "0002_enforce_name",
        "CREATE INDEX CONCURRENTLY item_name ON public.item (name);",
        "DROP INDEX CONCURRENTLY IF EXISTS public.item_name;",
        depends="0001_expand_note",
        transactional=False,
    )
    return folder
