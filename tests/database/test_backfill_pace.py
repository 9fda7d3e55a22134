"""The backfill as trueup runs it: the same rows as the file alone, at a pace of its own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from support.backfills import FILE, ROWS, load, migrations, progress_of, rows_of
from support.processes import eventually
from support.runs import query, run_yoyo
from support.variants import SHIPPED

from runner.execute import backfill, engine
from runner.execute.health import Watch
from runner.ledger.files import read_migrations

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
    sources = (str(SHIPPED / "legacy"), str(SHIPPED / "online"))
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


def test_batches_become_smaller_when_a_client_waits_for_one(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.apply(filled, migrations(), to="0201_backfill_model")
    for name in ("BATCH_SECONDS", "CHUNK_SECONDS"):
        monkeypatch.setattr(backfill, name, 1000)  # time alone never makes them smaller
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
    assert len(sizes) > 1
    assert sizes[1] < sizes[0]
    assert rows_of(filled) == [(ROWS, ROWS, ROWS)]


def test_health_is_read_on_every_server(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        assert Watch(connection, 10).behind() is None
