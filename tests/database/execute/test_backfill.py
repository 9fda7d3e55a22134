"""The backfill, while clients of the old contract go on writing."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import psycopg
import pytest
from support.processes import eventually
from support.variants import AT_ONCE

from runner import config
from runner.errors import LockedError
from runner.execute import engine
from runner.ledger.files import read_migrations

SERVICE = Path(__file__).parents[3] / "sql" / "model_orchestration"


def apply_to(dsn: str, phase: str) -> None:
    sources = config.resolve_sources((), str(SERVICE), {}, "online")
    migrations = read_migrations(sources.folders, on_request=sources.on_request)
    engine.apply(dsn, migrations, to=phase)


@pytest.fixture
def filled(database: str) -> str:
    """A database at the old contract whose models fill several pages."""
    apply_to(database, "baseline")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO public.models (id, model_id, provider, capabilities, description)
            SELECT gen_random_uuid(), 'model-' || n, 'openai', '{chat}', repeat('x', 500)
            FROM generate_series(1, 400) AS n
            """
        )
    return database


def test_a_row_that_a_client_moves_before_the_backfill_comes_is_converted(filled: str) -> None:
    apply_to(filled, "expand")
    with psycopg.connect(filled, autocommit=True) as client:
        # No converted column changes, and the row moves behind the pages that the walk will see.
        client.execute("UPDATE public.models SET updated_at = now() WHERE model_id = 'model-1'")
        row = client.execute("SELECT id, status FROM public.model WHERE model_id = 'model-1'")
        assert row.fetchone()[1] == "ACTIVE"  # type: ignore[index]

    apply_to(filled, "backfill")


def test_every_row_is_converted_once_and_the_progress_says_so(filled: str) -> None:
    apply_to(filled, "expand")
    scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'models'"
    with psycopg.connect(filled, autocommit=True) as connection:
        before = connection.execute(scans).fetchone()
    apply_to(filled, "backfill")

    with psycopg.connect(filled) as connection:
        after = connection.execute(scans).fetchone()
        left = connection.execute("SELECT count(*) FROM public.model WHERE id IS NULL").fetchone()
        done = connection.execute(
            "SELECT rows_done, page = pages FROM trueup.progress WHERE file LIKE '%_model'"
        ).fetchone()
    assert left == (0,)
    assert done == (400, True)
    # A batch fetches its rows, however small the table is.
    assert before
    assert after
    assert after[0] - before[0] <= 2


def test_a_rule_that_silences_the_update_stops_the_backfill(filled: str) -> None:
    apply_to(filled, "expand")
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute(
            "CREATE RULE silence AS ON UPDATE TO public.models WHERE OLD.model_id = 'model-7'"
            " DO INSTEAD NOTHING"
        )
    with pytest.raises(Exception, match="could not convert") as refusal:
        apply_to(filled, "backfill")
    assert "SELECT * FROM public.models WHERE id__new IS NULL" in str(refusal.value)


def sizes(dsn: str) -> tuple[int, int]:
    """Bytes of the models and rows that are not converted."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT pg_relation_size('public.models'), count(*) FILTER (WHERE id__new IS NULL)"
            " FROM public.models"
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def file_of(name: str) -> str:
    return (SERVICE / "online" / name).read_text()


def test_rows_that_a_client_holds_are_passed_over_and_converted_later(filled: str) -> None:
    apply_to(filled, "expand")
    before, _ = sizes(filled)
    seen: list[tuple[int, int]] = []

    with psycopg.connect(filled) as client:
        client.execute("SELECT FROM public.models WHERE model_id = 'model-200' FOR UPDATE")

        def release() -> None:
            eventually(lambda: sizes(filled)[1] == 1)
            seen.append(sizes(filled))
            client.rollback()

        releasing = threading.Thread(target=release)
        releasing.start()
        apply_to(filled, "backfill")
        releasing.join(timeout=30)

    assert seen[0][0] < 3 * before
    assert sizes(filled)[1] == 0


def test_a_row_that_is_held_to_the_end_stops_the_file_which_goes_on_when_run_again(
    filled: str,
) -> None:
    apply_to(filled, "expand")
    before, _ = sizes(filled)
    with (
        psycopg.connect(filled) as client,
        psycopg.connect(filled, autocommit=True) as connection,
    ):
        client.execute("SELECT FROM public.models WHERE model_id < 'model-2' FOR UPDATE")
        with pytest.raises(psycopg.errors.LockNotAvailable) as refusal:
            connection.execute(file_of("0201_backfill_model.sql").encode())
        held = r"public\.models: all rows are converted but 111, held by process (\d+)"
        process = re.search(held, str(refusal.value))
        assert process
        assert int(process[1]) == client.info.backend_pid
        assert sizes(filled)[1] == 111
        assert sizes(filled)[0] < 2 * before

    apply_to(filled, "backfill")
    with psycopg.connect(filled) as connection:
        done = connection.execute(
            "SELECT rows_done, page = pages FROM trueup.progress WHERE file LIKE '%_model'"
        ).fetchone()
    assert done == (400, True)
    assert sizes(filled)[1] == 0


def test_the_run_says_how_many_rows_are_held_and_goes_on_where_it_was(filled: str) -> None:
    apply_to(filled, "expand")
    sources = config.resolve_sources((), str(SERVICE), {}, "online")
    migrations = read_migrations(sources.folders, on_request=sources.on_request)
    with psycopg.connect(filled) as client:
        client.execute("SELECT FROM public.models WHERE model_id = 'model-7' FOR UPDATE")
        with pytest.raises(LockedError, match="converted but 1, held by process") as refusal:
            engine.apply(filled, migrations, to="backfill", settings=engine.Settings(deadline=0.1))
    assert "run the same command again" in str(refusal.value.hint)
    assert sizes(filled)[1] == 1

    apply_to(filled, "backfill")
    assert sizes(filled)[1] == 0


def test_a_held_row_is_passed_over_on_the_way_back_too(filled: str) -> None:
    sources = config.resolve_sources((), str(SERVICE), {}, "online")
    migrations = read_migrations(sources.folders, on_request=sources.on_request)
    engine.apply(filled, migrations, to="contract", settings=AT_ONCE)
    engine.rollback(filled, migrations, to="0516_contract_model_fill", settings=AT_ONCE)
    short = engine.Settings(deadline=0.1)

    with psycopg.connect(filled) as client:
        client.execute("SELECT FROM public.model WHERE model_id = 'model-7' FOR UPDATE")
        with pytest.raises(LockedError, match=r"public\.model: all rows are converted but 1"):
            engine.rollback(filled, migrations, to="0515_contract_request_fill", settings=short)

    engine.rollback(filled, migrations, to="switch", settings=AT_ONCE)
    with psycopg.connect(filled) as connection:
        row = connection.execute("SELECT count(*), count(id) FROM public.models").fetchone()
    assert row == (400, 400)
