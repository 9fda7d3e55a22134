"""Why some things are not converted online: what PostgreSQL has no statement for."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from support.runs import query

TABLE = """
    CREATE TABLE things (
        id text, span int4range, CONSTRAINT apart EXCLUDE USING gist (span WITH &&)
    );
    INSERT INTO things SELECT n::text, int4range(n, n + 1) FROM generate_series(1, 9) AS n
"""


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE things ADD EXCLUDE USING INDEX apart",
        "ALTER TABLE things ADD EXCLUDE USING gist (span WITH &&) NOT VALID",
        "REINDEX INDEX CONCURRENTLY apart",
        "ALTER TABLE things ALTER id ADD GENERATED ALWAYS AS (span::text) STORED",
    ],
)
def test_postgresql_has_no_such_statement(database: str, statement: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLE.encode())
        with pytest.raises(psycopg.Error) as raised:
            connection.execute(statement.encode())
    assert raised.value.sqlstate in ("42601", "0A000")


def test_another_expression_rewrites_the_table(database: str, since: Callable[[int], None]) -> None:
    since(17)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLE.encode())
        connection.execute(
            "ALTER TABLE things ADD long int GENERATED ALWAYS AS (length(id)) STORED"
        )
        before = query(database, "SELECT pg_relation_filenode('things')")
        connection.execute("ALTER TABLE things ALTER long SET EXPRESSION AS (length(id) + 1)")
    assert query(database, "SELECT pg_relation_filenode('things')") != before


def test_a_virtual_column_keeps_its_expression_where_a_check_is(
    database: str, since: Callable[[int], None]
) -> None:
    since(18)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLE.encode())
        connection.execute(
            "ALTER TABLE things ADD long int GENERATED ALWAYS AS (length(id)) VIRTUAL"
        )
        connection.execute("ALTER TABLE things ADD CHECK (id <> '')")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute("ALTER TABLE things ALTER long SET EXPRESSION AS (length(id) + 1)")
