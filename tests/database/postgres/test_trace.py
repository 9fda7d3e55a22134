"""What a traced statement tells of itself, against a real server."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from runner.postgres import trace
from runner.postgres.connect import connect
from runner.postgres.trace import Touch, Trace, Tracer

ROWS = 3000


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    settings = {**trace.SETTINGS, "log_temp_files": "0"}
    with connect(database, application_name="test", settings=settings) as connection:
        connection.execute(
            "CREATE TABLE public.item (id integer PRIMARY KEY, state text);"
            "CREATE TABLE public.part (item integer REFERENCES public.item)"
        )
        connection.execute(
            "INSERT INTO public.item SELECT n, 'open' FROM generate_series(1, %s) AS n", [ROWS]
        )
        yield connection


def run(connection: psycopg.Connection, *statements: str) -> list[Trace]:
    tracer = Tracer(connection)
    connection.execute("BEGIN")
    tracer.begin()
    traces = [tracer.run(statement) for statement in statements]
    connection.execute("ROLLBACK")
    return traces


def test_a_rewrite_is_seen_with_its_lock(connection: psycopg.Connection) -> None:
    (found,) = run(connection, "ALTER TABLE public.item ALTER COLUMN state TYPE varchar(9)")
    assert ("public.item", "ACCESS EXCLUSIVE") in [(k.relation, k.mode) for k in found.locks]
    (touch,) = found.touches
    assert touch.rewritten
    assert touch.read == 2 * ROWS  # once for the rows, once for the index of the key
    assert found.wal_bytes > 0
    assert found.seconds > 0


def test_a_change_of_the_catalog_alone_reads_and_rewrites_nothing(
    connection: psycopg.Connection,
) -> None:
    (found,) = run(connection, "ALTER TABLE public.item ADD COLUMN note text DEFAULT 'x'")
    assert found.touches == ()
    assert found.locks[0].mode == "ACCESS EXCLUSIVE"


def test_sql_in_a_do_block_is_seen_through(connection: psycopg.Connection) -> None:
    (found,) = run(
        connection,
        "DO $$ BEGIN EXECUTE 'UPDATE public.item SET state = ''shut'' WHERE id <= 100'; END $$",
    )
    (lock,) = [lock for lock in found.locks if lock.relation == "public.item"]
    assert lock.mode == "ROW EXCLUSIVE"
    assert found.touches[0].updated == 100
    assert found.touches[0].dead == 100


def test_a_lock_belongs_to_the_statement_that_took_it_under_the_name_of_before(
    connection: psycopg.Connection,
) -> None:
    first, second, third = run(
        connection,
        "ALTER TABLE public.item RENAME TO thing",
        "ALTER TABLE public.thing ADD COLUMN a integer",
        "CREATE TABLE public.fresh ()",
    )
    assert [(lock.relation, lock.mode) for lock in first.locks] == [
        ("public.item", "ACCESS EXCLUSIVE")
    ]
    assert second.locks == ()
    assert [(lock.relation, lock.new) for lock in third.locks] == [("public.fresh", True)]


def test_a_foreign_key_locks_both_tables(connection: psycopg.Connection) -> None:
    (found,) = run(
        connection,
        "ALTER TABLE public.part ADD FOREIGN KEY (item) REFERENCES public.item NOT VALID",
    )
    assert {(lock.relation, lock.mode) for lock in found.locks} == {
        ("public.item", "SHARE ROW EXCLUSIVE"),
        ("public.part", "SHARE ROW EXCLUSIVE"),
    }


def test_temporary_files_are_counted(connection: psycopg.Connection) -> None:
    connection.execute("SET work_mem = '64kB'")
    small, large = run(
        connection,
        "SELECT 1",
        "SELECT n FROM generate_series(1, 200000) AS n ORDER BY n::text",
    )
    assert small.temp_bytes == 0
    assert large.temp_bytes is not None
    assert large.temp_bytes > 1_000_000


def test_a_session_that_does_not_hear_of_temporary_files_says_so(database: str) -> None:
    with connect(database, application_name="test") as connection:
        (found,) = run(connection, "SELECT 1")
    assert found.temp_bytes is None


def test_a_concurrent_index_is_sampled(connection: psycopg.Connection, database: str) -> None:
    connection.execute("INSERT INTO public.item SELECT n FROM generate_series(10000, 99999) AS n")
    found = Tracer(connection).run_outside(
        "CREATE INDEX CONCURRENTLY item_state ON public.item (state, id)", database
    )
    assert found.sampled
    (lock,) = [lock for lock in found.locks if lock.relation == "public.item"]
    assert lock.mode == "SHARE UPDATE EXCLUSIVE"
    assert 0 < lock.held <= found.seconds + 0.1
    assert found.touches[0].read >= 90_000


def test_a_block_that_commits_is_sampled(connection: psycopg.Connection, database: str) -> None:
    found = Tracer(connection).run_outside(
        """
        DO $$ BEGIN
            FOR n IN 0..9 LOOP
                UPDATE public.item SET state = 'shut' WHERE id % 10 = n;
                COMMIT;
            END LOOP;
        END $$
        """,
        database,
    )
    touch = found.touches[0]
    assert (touch.relation, touch.updated, touch.rewritten) == ("public.item", ROWS, False)
    assert Touch("public.item", updated=ROWS).dead == touch.dead


def test_a_materialized_view_without_data_is_filled_and_not_rewritten(
    connection: psycopg.Connection,
) -> None:
    connection.execute("CREATE MATERIALIZED VIEW public.m AS SELECT id FROM public.item")
    connection.execute("CREATE MATERIALIZED VIEW public.n AS SELECT 1 AS a WITH NO DATA")
    again, first = run(
        connection, "REFRESH MATERIALIZED VIEW public.m", "REFRESH MATERIALIZED VIEW public.n"
    )
    assert ("public.m", True) in [(t.relation, t.rewritten) for t in again.touches]
    assert not any(t.rewritten for t in first.touches)
