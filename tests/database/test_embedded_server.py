"""The embedded server, as its users meet it."""

from __future__ import annotations

import psycopg
from support.databases import DatabaseFactory


def test_each_test_has_a_fresh_empty_database(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE t ()")
        row = connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone()
    assert row == (1,)


def test_a_loaded_database_is_a_clone_of_what_was_loaded_once(
    database_factory: DatabaseFactory,
) -> None:
    loads = []

    def load(dsn: str) -> None:
        loads.append(dsn)
        with psycopg.connect(dsn) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS n")

    for dsn in (database_factory(load), database_factory(load)):
        with psycopg.connect(dsn) as connection:
            assert connection.execute("DELETE FROM t RETURNING n").fetchall() == [(1,)]
    assert len(loads) == 1
