"""The backfill, while clients of the old contract go on writing."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from runner import config
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
    apply_to(filled, "backfill")

    with psycopg.connect(filled) as connection:
        left = connection.execute("SELECT count(*) FROM public.model WHERE id IS NULL").fetchone()
        done = connection.execute(
            "SELECT rows_done, page = pages FROM trueup.progress WHERE file LIKE '%_model'"
        ).fetchone()
    assert left == (0,)
    assert done == (400, True)


def test_a_trigger_that_silences_the_update_stops_the_backfill(filled: str) -> None:
    apply_to(filled, "expand")
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute(
            """
            CREATE FUNCTION public.silence() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RETURN NULL; END $$;
            CREATE TRIGGER silence BEFORE UPDATE ON public.models
            FOR EACH ROW WHEN (OLD.model_id = 'model-7') EXECUTE FUNCTION public.silence();
                ALTER TABLE public.models ENABLE ALWAYS TRIGGER silence;
            """
        )
    with pytest.raises(Exception, match="could not convert") as refusal:
        apply_to(filled, "backfill")
    assert "SELECT * FROM public.models WHERE id__new IS NULL" in str(refusal.value)
