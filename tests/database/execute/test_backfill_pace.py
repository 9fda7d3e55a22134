"""The backfill as trueup runs it: the same rows as the file alone, at a pace of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from support.backfills import FILE, ROWS, load, migrations, progress_of, rows_of
from support.processes import eventually
from support.runs import query, run_yoyo
from support.variants import SHIPPED

from runner.execute import backfill, engine
from runner.execute.events import AttemptFailed, BackfillHeld, Event, Noticed
from runner.execute.health import Watch, clients_active
from runner.execute.pulse import Pulse
from runner.ledger.files import read_migrations

HOLD_THE_FIRST_BATCH: LiteralString = """
    CREATE SEQUENCE public.batches;
    CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('public.batches') = 1 THEN
            -- Until a client has waited for a while.
            FOR look IN 1..200 LOOP
                PERFORM pg_sleep(0.1);
                EXIT WHEN EXISTS (
                    SELECT FROM pg_locks
                    WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
                );
            END LOOP;
            PERFORM pg_sleep(0.5);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER hold AFTER UPDATE OF rows_done ON trueup.progress
        FOR EACH ROW EXECUTE FUNCTION public.hold()
"""


@pytest.fixture
def filled(database: str) -> str:
    """A database before its backfill; its requests fill some hundred pages."""
    load(database)
    return database


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_any_number_of_jobs_converts_each_row_once(filled: str, jobs: int) -> None:
    engine.apply(filled, migrations(), to=FILE, settings=engine.Settings(jobs=jobs))
    assert rows_of(filled) == [(ROWS, ROWS, ROWS)]
    assert progress_of(filled) == [(ROWS, True)]


def test_the_shipped_files_have_the_shape_that_is_walked() -> None:
    backfills = [m for m in migrations() if m.phase == "backfill"]
    walks = [backfill.read_walk(m.statements[0]) for m in backfills]
    assert [w.table for w in walks if w] == [
        "public.models", "public.requests", "public.provider_quotas",
    ]  # fmt: skip


def test_a_file_of_another_shape_runs_as_it_stands(database: str, tmp_path: Path) -> None:
    (tmp_path / "0001_backfill_t.sql").write_text(
        "-- Fill t.\n-- transactional: false\n\nDO $$ BEGIN CREATE TABLE t (); COMMIT; END $$;\n"
    )
    (tmp_path / "0001_backfill_t.rollback.sql").write_text("DROP TABLE t;\n")
    outcome = engine.apply(database, read_migrations([tmp_path]))
    assert outcome.migrations == ("0001_backfill_t",)


def test_plain_yoyo_and_trueup_convert_alike(filled: str) -> None:
    sources = [str(SHIPPED / name) for name in ("legacy", "common", "online")]
    run_yoyo("apply", *sources, "-r", FILE, dsn=filled)
    assert rows_of(filled) == [(ROWS, ROWS, ROWS)]


def test_a_walk_goes_on_at_the_first_page_that_is_not_done(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.apply(filled, migrations(), to="0201_backfill_model")
    monkeypatch.setattr(backfill, "CHUNK_SECONDS", 0.0001)
    monkeypatch.setattr(backfill, "BATCH_PAGES", 10)  # several chunks
    firsts: list[int] = []
    convert = backfill.Backfill._convert

    def stop_at_the_third(self: backfill.Backfill, chunk: backfill._Chunk) -> float:
        firsts.append(chunk.first)
        if len(firsts) == 3:
            raise KeyboardInterrupt
        return convert(self, chunk)

    monkeypatch.setattr(backfill.Backfill, "_convert", stop_at_the_third)
    with pytest.raises(Exception, match="stopped in"):
        engine.apply(filled, migrations(), to=FILE)
    engine.apply(filled, migrations(), to=FILE)
    assert firsts[0] == 0 < firsts[1] < firsts[2] == firsts[3]
    assert rows_of(filled) == [(ROWS, ROWS, ROWS)]
    assert progress_of(filled) == [(ROWS, True)]


def test_a_record_of_pages_that_are_not_done_does_not_stop_the_walk(filled: str) -> None:
    query(
        filled,
        "INSERT INTO trueup.progress (file, table_name, rows_done, page, pages)"
        " VALUES (%s, 'public.requests', 0, 100, 200)",
        FILE,
    )
    engine.apply(filled, migrations(), to=FILE)
    assert rows_of(filled) == [(ROWS, ROWS, ROWS)]


def test_batches_become_smaller_when_a_client_waits_for_one(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.apply(filled, migrations(), to="0201_backfill_model")
    for name in ("BATCH_SECONDS", "CHUNK_SECONDS"):
        monkeypatch.setattr(backfill, name, 1000)  # time alone never makes them smaller
    monkeypatch.setattr(backfill, "BATCH_PAGES", 10)  # several chunks
    monkeypatch.setattr(backfill, "clients_active", lambda _: False)  # none begins small
    sizes: list[int] = []
    over = backfill.Walk.over

    def note(self: backfill.Walk, session: Any, first: int, end: int, batch_pages: int) -> None:
        sizes.append(batch_pages)
        over(self, session, first, end, batch_pages)

    monkeypatch.setattr(backfill.Walk, "over", note)
    query(filled, HOLD_THE_FIRST_BATCH)

    def wait_for_its_rows() -> None:
        eventually(
            lambda: query(filled, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        )
        query(filled, "SELECT FROM public.requests WHERE ctid < '(8,0)' FOR UPDATE")

    client = threading.Thread(target=wait_for_its_rows)
    client.start()
    engine.apply(filled, migrations(), to=FILE)
    client.join(timeout=30)
    assert len(sizes) > 1
    assert sizes[1] < sizes[0]
    assert rows_of(filled) == [(ROWS, ROWS, ROWS)]


def test_a_table_that_cannot_be_analyzed_is_not_walked_again(filled: str) -> None:
    heard: list[Event] = []
    with psycopg.connect(filled) as other:  # a vacuum that does not give way
        other.execute("LOCK TABLE public.requests IN SHARE UPDATE EXCLUSIVE MODE")
        engine.apply(filled, migrations(), to=FILE, listener=heard.append)
    (warning,) = (e.message for e in heard if isinstance(e, Noticed))
    assert "public.requests was not analyzed" in warning
    assert not [e for e in heard if isinstance(e, AttemptFailed)]
    assert rows_of(filled) == [(ROWS, ROWS, ROWS)]


@contextmanager
def an_active_client(dsn: str) -> Iterator[None]:
    """A client that asks for something twenty times a second."""
    stop = threading.Event()

    def ask() -> None:
        with psycopg.connect(dsn, autocommit=True, application_name="billing") as connection:
            while not stop.wait(0.05):
                connection.execute("SELECT")

    client = threading.Thread(target=ask)
    client.start()
    try:
        yield
    finally:
        stop.set()
        client.join()


def is_quiet(dsn: str) -> bool:
    with psycopg.connect(dsn, autocommit=True, application_name="trueup test") as connection:
        return not clients_active(connection)


def reasons(dsn: str, settings: engine.Settings) -> list[str]:
    """Why a run that backfills rested or waited."""
    heard: list[Event] = []
    engine.apply(dsn, migrations(), to=FILE, settings=settings, listener=heard.append)
    assert rows_of(dsn) == [(ROWS, ROWS, ROWS)]
    return [e.reason for e in heard if isinstance(e, BackfillHeld) and e.migration == FILE]


@pytest.mark.parametrize("jobs", [1, 2])
def test_it_rests_while_clients_are_active_and_says_so_once(
    filled: str, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(backfill, "CHUNK_SECONDS", 0.001)  # many stretches
    naps: list[float] = []
    with an_active_client(filled):
        eventually(lambda: not is_quiet(filled))
        monkeypatch.setattr(time, "sleep", naps.append)
        heard = reasons(filled, engine.Settings(jobs=jobs))
    assert sum("clients are active" in reason for reason in heard) == 1
    assert len(naps) > 1
    assert min(naps) > 0


def test_it_does_not_rest_when_it_is_told_not_to(filled: str) -> None:
    with an_active_client(filled):
        eventually(lambda: not is_quiet(filled))
        assert reasons(filled, engine.Settings(pause=0.0)) == []


def test_it_does_not_rest_when_nobody_is_there(filled: str) -> None:
    with psycopg.connect(filled, autocommit=True) as idle:
        idle.execute("SELECT")
        eventually(lambda: is_quiet(filled))
        assert reasons(filled, engine.Settings()) == []


def lsn(dsn: str, function: LiteralString) -> int:
    ((position,),) = query(dsn, f"SELECT {function}() - '0/0'")
    return int(position)


def test_a_beat_is_a_commit_that_waits_for_the_disk(filled: str) -> None:
    engine.apply(filled, migrations(), to="0201_backfill_model")
    query(filled, "SET synchronous_commit = off; CREATE TABLE public.t AS SELECT 1")
    written = lsn(filled, "pg_current_wal_insert_lsn")
    with psycopg.connect(filled, autocommit=True) as connection:
        Pulse(connection, "0201_backfill_model").beat(working=True)
    assert lsn(filled, "pg_current_wal_flush_lsn") > written


def test_a_beat_waits_for_no_batch(filled: str) -> None:
    engine.apply(filled, migrations(), to="0201_backfill_model")
    with psycopg.connect(filled) as batch, psycopg.connect(filled, autocommit=True) as connection:
        batch.execute("UPDATE trueup.progress SET rows_done = rows_done")
        connection.execute("SET lock_timeout = '1s'")
        Pulse(connection, "0201_backfill_model").beat(working=True)


NOTE_THE_WAL: LiteralString = """
    CREATE TABLE public.noted (setting text);
    CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.noted VALUES (current_setting('wal_compression'));
        RETURN NULL;
    END $$;
    CREATE TRIGGER note AFTER UPDATE OF rows_done ON trueup.progress
        FOR EACH ROW EXECUTE FUNCTION public.note()
"""


@pytest.mark.parametrize("busy", [True, False])
def test_it_writes_less_wal_while_clients_are_active(filled: str, busy: bool) -> None:
    query(filled, NOTE_THE_WAL)
    with an_active_client(filled) if busy else nullcontext():
        eventually(lambda: is_quiet(filled) is not busy)
        reasons(filled, engine.Settings())
    settings = {setting for (setting,) in query(filled, "SELECT setting FROM public.noted")}
    assert (settings == {"off"}) is not busy
    assert len(settings) == 1


def test_a_session_that_the_role_may_not_see_counts_as_active(database: str) -> None:
    with (
        psycopg.connect(database, autocommit=True) as idle,
        psycopg.connect(database, autocommit=True, application_name="trueup test") as connection,
    ):
        idle.execute("CREATE ROLE nobody_special")
        eventually(lambda: not clients_active(connection))
        connection.execute("SET ROLE nobody_special")
        assert clients_active(connection)
        connection.execute("RESET ROLE; DROP ROLE nobody_special")


@pytest.mark.parametrize(("jobs", "workers"), [(1, "0"), (2, "1")])
def test_a_statement_leaves_the_processors_to_active_clients(
    database: str, tmp_path: Path, jobs: int, workers: str
) -> None:
    (tmp_path / "0001_t.sql").write_text(
        "-- Keep what it found.\n\nCREATE TABLE public.t AS\n"
        "SELECT current_setting('max_parallel_workers_per_gather') AS scan,"
        " current_setting('max_parallel_maintenance_workers') AS build;\n"
    )
    (tmp_path / "0001_t.rollback.sql").write_text("DROP TABLE public.t;\n")
    files = read_migrations([tmp_path])

    with an_active_client(database):
        eventually(lambda: not is_quiet(database))
        engine.apply(database, files, settings=engine.Settings(jobs=jobs))
    assert query(database, "SELECT scan, build FROM public.t") == [(workers, workers)]

    engine.rollback(database, files)
    eventually(lambda: is_quiet(database))
    engine.apply(database, files)
    assert query(database, "SELECT scan, build FROM public.t") == [("2", "2")]


def test_health_is_read_on_every_server(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        reason = Watch(connection, 10).behind()
    # Before PostgreSQL 15 a new database forces a checkpoint, which may be counted late.
    assert reason is None or reason.kind == "checkpoint"
