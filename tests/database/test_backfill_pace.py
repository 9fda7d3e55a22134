"""The backfill as trueup runs it: the same rows as the file alone, at a pace of its own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from support.processes import eventually
from support.runs import query, run_yoyo

from runner import config
from runner.execute import backfill, engine
from runner.execute.events import BackfillHeld, Event
from runner.execute.health import Watch
from runner.ledger.files import Migration, read_migrations

SERVICE = Path(__file__).parents[2] / "sql" / "model_orchestration"
FILE = "0202_backfill_request"
ROWS = 6000
HOLD_THE_FIRST_BATCH: LiteralString = """
    CREATE SEQUENCE public.batches;
    CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('public.batches') = 1 THEN
            PERFORM pg_sleep(1);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER hold AFTER UPDATE OF rows_done ON trueup.progress
        FOR EACH ROW EXECUTE FUNCTION public.hold()
"""


def migrations() -> tuple[Migration, ...]:
    sources = config.resolve_sources((), str(SERVICE), {}, "online")
    return read_migrations(sources.folders, on_request=sources.on_request)


def load(dsn: str) -> None:
    engine.apply(dsn, migrations(), to="baseline")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO public.models (id, model_id, provider, capabilities)
            VALUES (gen_random_uuid(), 'gpt-4', 'openai', '{chat}')
            """
        )
        connection.execute(
            """
            INSERT INTO public.requests
                (id, request_id, request_type, model_id, provider, request_data, success)
            SELECT md5(n::text)::uuid, 'req-' || n, 'chat', m.id, 'openai',
                json_build_object('prompt', repeat('x', 300)), true
            FROM generate_series(1, %s) AS n, public.models AS m
            """,
            [ROWS],
        )
    engine.apply(dsn, migrations(), to="expand")


@pytest.fixture
def filled(database: str) -> str:
    """A database before its backfill; its requests fill some hundred pages."""
    load(database)
    return database


def rows_of(dsn: str) -> list[tuple[object, ...]]:
    return query(
        dsn,
        "SELECT count(*), count(id), count(*) FILTER (WHERE id = id__old::uuid"
        " AND request_type = 'CHAT' AND provider = 'OPENAI' AND model_id = model_id__old::uuid)"
        " FROM public.request",
    )


def progress_of(dsn: str) -> list[tuple[object, ...]]:
    return query(dsn, "SELECT rows_done, page = pages FROM trueup.progress WHERE file = %s", FILE)


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_any_number_of_jobs_converts_each_row_once(filled: str, jobs: int) -> None:
    engine.apply(filled, migrations(), to=FILE, settings=engine.Settings(jobs=jobs))
    assert rows_of(filled) == [(ROWS, ROWS, ROWS)]
    assert progress_of(filled) == [(ROWS, True)]


def test_the_shipped_files_have_the_shape_that_is_walked() -> None:
    backfills = [m for m in migrations() if m.phase == "backfill"]
    walks = [backfill.read_walk(m.statements[0]) for m in backfills]
    assert [w.table for w in walks if w] == [
        "public.model", "public.request", "public.provider_quota",
    ]  # fmt: skip


def test_a_file_of_another_shape_runs_as_it_stands(database: str, tmp_path: Path) -> None:
    (tmp_path / "0001_backfill_t.sql").write_text(
        "-- Fill t.\n-- transactional: false\n\nDO $$ BEGIN CREATE TABLE t (); COMMIT; END $$;\n"
    )
    (tmp_path / "0001_backfill_t.rollback.sql").write_text("DROP TABLE t;\n")
    outcome = engine.apply(database, read_migrations([tmp_path]))
    assert outcome.migrations == ("0001_backfill_t",)


def test_plain_yoyo_and_trueup_convert_alike(filled: str) -> None:
    sources = (str(SERVICE / "legacy"), str(SERVICE / "online"))
    run_yoyo("apply", *sources, "-r", FILE, dsn=filled)
    assert rows_of(filled) == [(ROWS, ROWS, ROWS)]


def test_a_walk_goes_on_at_the_first_page_that_is_not_done(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.apply(filled, migrations(), to="0201_backfill_model")
    monkeypatch.setattr(backfill, "CHUNK_SECONDS", 0.0001)
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
        " VALUES (%s, 'public.request', 0, 100, 200)",
        FILE,
    )
    engine.apply(filled, migrations(), to=FILE)
    assert rows_of(filled) == [(ROWS, ROWS, ROWS)]


def test_a_standby_that_is_behind_holds_the_backfill_until_it_has_caught_up(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A real standby is not at hand: the query's answer is, and what is made of it.
    monkeypatch.setattr(backfill, "CHUNK_SECONDS", 0.0001)
    answers = [Reason("lag", "standby s is 12.0 s behind, more than 10 s", 0.01)] * 3
    behind = Watch.behind
    monkeypatch.setattr(Watch, "behind", lambda self: answers.pop() if answers else behind(self))
    heard: list[Event] = []
    engine.apply(filled, migrations(), to=FILE, listener=heard.append)
    held = [event.reason for event in heard if isinstance(event, BackfillHeld)]
    assert held == ["standby s is 12.0 s behind, more than 10 s"]
    assert rows_of(filled) == [(ROWS, ROWS, ROWS)]


def test_batches_become_smaller_when_a_client_waits_for_one(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.apply(filled, migrations(), to="0201_backfill_model")
    monkeypatch.setattr(backfill, "BATCH_SECONDS", 1000)  # time alone never makes them smaller
    sizes: list[int] = []
    over = backfill.Walk.over

    def note(self: backfill.Walk, first: int, end: int, batch_pages: int) -> str:
        sizes.append(batch_pages)
        return over(self, first, end, batch_pages)

    monkeypatch.setattr(backfill.Walk, "over", note)
    query(filled, HOLD_THE_FIRST_BATCH)

    def wait_for_its_rows() -> None:
        eventually(
            lambda: query(filled, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        )
        query(filled, "SELECT FROM public.request WHERE ctid < '(8,0)' FOR UPDATE")

    client = threading.Thread(target=wait_for_its_rows)
    client.start()
    engine.apply(filled, migrations(), to=FILE)
    client.join(timeout=30)
    assert sizes[:2] == [128, 64]
    # Nobody waits any more.
    assert sizes[-1] == 128
    assert rows_of(filled) == [(ROWS, ROWS, ROWS)]


def test_health_is_read_on_every_server(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        assert Watch(connection, 10).behind() is None
