"""Two catalogs are the same when their definitions mean the same, however they were written."""

from __future__ import annotations

import psycopg
import pytest

from runner.catalog import diff, read_catalog

TABLE = """
    CREATE TABLE public.parcels (
        state varchar(20) {},
        tags varchar[] CHECK (tags <@ ARRAY['a', 'it''s, b]']::varchar[])
    );
    CREATE INDEX lost ON public.parcels (state) WHERE state IN ('lost', 'gone');
"""


@pytest.mark.parametrize("values", ["'packed', 'it''s, sent]'", "'packed'::varchar, 'sent'"])
def test_a_dump_and_its_source_do_not_differ(database: str, values: str) -> None:
    # PostgreSQL reads its own text of such a CHECK as another expression, which means the same.
    check = f"CONSTRAINT ok CHECK (state IN ({values}))"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLE.format(check).encode())
        source = read_catalog(connection)
        row = connection.execute(
            "SELECT pg_get_constraintdef(oid), pg_get_indexdef('lost'::regclass)"
            " FROM pg_constraint WHERE conname = 'ok'"
        ).fetchone()
        assert row is not None
        connection.execute("DROP INDEX lost; ALTER TABLE parcels DROP CONSTRAINT ok")
        connection.execute(f"ALTER TABLE parcels ADD CONSTRAINT ok {row[0]}".encode())
        connection.execute(row[1].encode())
        assert diff(source, read_catalog(connection)) == []


def test_other_values_differ(database: str) -> None:
    check = "CONSTRAINT ok CHECK (state IN ('packed', '{}'))"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLE.format(check.format("sent")).encode())
        source = read_catalog(connection)
        connection.execute("DROP TABLE parcels")
        connection.execute(TABLE.format(check.format("lost")).encode())
        assert [d.object for d in diff(source, read_catalog(connection))] == [
            "relation public.parcels constraint ok"
        ]
