"""What `trueup status` tells while a conversion is under way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from support.runs import run_trueup

from runner import config
from runner.execute import engine
from runner.execute.old_names import describe_old_name, read_old_names
from runner.execute.underway import read_backfills
from runner.ledger.files import read_migrations

SERVICE = Path(__file__).parents[3] / "sql" / "model_orchestration"
DAY = timedelta(hours=24)


def up(dsn: str, to: str) -> None:
    sources = config.resolve_sources((), str(SERVICE), {}, "online")
    migrations = read_migrations(sources.folders, on_request=sources.on_request)
    engine.apply(dsn, migrations, to=to)


@pytest.fixture
def converted(database: str) -> str:
    """A database with both contracts live."""
    up(database, "baseline")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO public.models (id, model_id, provider, capabilities, description)
            SELECT gen_random_uuid(), 'model-' || n, 'openai', '{chat}', repeat('x', 500)
            FROM generate_series(1, 400) AS n
            """
        )
    up(database, "backfill")
    return database


@pytest.fixture
def switched(converted: str) -> str:
    """The same after the switch."""
    up(converted, "switch")
    return converted


def test_it_tells_nothing_before_expand(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        assert read_backfills(connection) == []
        assert read_old_names(connection, DAY) == []


def test_it_tells_how_far_each_backfill_is_and_what_it_cost(
    converted: str, since: Callable[[int], None]
) -> None:
    since(15)  # before, a session's counters cannot be asked for at once
    with psycopg.connect(converted, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        statuses = {s.table_name: s for s in read_backfills(connection)}
    model = statuses["public.models"]
    assert (model.rows_done, model.share) == (400, 1.0)
    assert model.growth is not None
    assert 1.0 <= model.growth < 2.5
    assert model.hot_share is not None
    assert 0.0 <= model.hot_share <= 1.0


def test_it_tells_who_used_an_old_name_and_when_contract_is_allowed(
    switched: str, since: Callable[[int], None]
) -> None:
    since(15)  # before, a session that goes idle keeps its counters to itself
    with (
        psycopg.connect(switched, autocommit=True, application_name="billing") as client,
        psycopg.connect(switched, autocommit=True) as connection,
    ):
        unused = {n.name: n for n in read_old_names(connection, DAY)}["public.requests"]
        assert (unused.queries, unused.users) == (0, ())
        assert unused.unused_since is not None
        assert unused.allowed_from == unused.unused_since + DAY

        client.execute("SELECT count(*) FROM models")
        used = unused
        # A session that goes idle writes its counters within a second, or after ten.
        end = time.monotonic() + 30
        while used.queries == 0 and time.monotonic() < end:
            time.sleep(0.1)
            used = {n.name: n for n in read_old_names(connection, DAY)}["public.models"]
        assert used.queries == 1
        assert used.users == (f"billing ({client.info.user}), sessions: 1",)
        if connection.info.server_version >= 160000:
            assert used.last_use is not None
            assert used.allowed_from is not None
            assert used.allowed_from >= used.last_use + DAY
        else:
            assert used.allowed_from is None
        assert "billing" in "\n".join(describe_old_name(used))


def test_a_name_is_found_as_a_word_only(switched: str) -> None:
    with (
        psycopg.connect(switched, autocommit=True, application_name="other") as client,
        psycopg.connect(switched, autocommit=True) as connection,
    ):
        client.execute("SELECT 'supermodels and models_2'")
        assert [n.users for n in read_old_names(connection, DAY)] == [(), (), ()]


def test_status_shows_it(converted: str) -> None:
    shown = run_trueup("status", "--all", "--service", str(SERVICE), dsn=converted).stdout
    assert "0201_backfill_model: 100% of public.models, 400 rows" in shown
    assert "dead rows, table " in shown
    # Until the switch nothing counts: the old release has its table.
    assert "queries" not in shown

    up(converted, "switch")
    shown = run_trueup("status", "--all", "--service", str(SERVICE), dsn=converted).stdout
    assert "0201_backfill_model: 100% of public.models, 400 rows" in shown
    assert "dead rows" not in shown  # of the view that has the name now
    assert "public.models: 0 queries; contract allowed from" in shown
    told = json.loads(
        run_trueup("status", "--all", "--service", str(SERVICE), "--json", dsn=converted).stdout
    )
    assert told["backfills"][0]["table_name"] == "public.models"
    assert told["backfills"][0]["growth"] is None
    assert {n["name"] for n in told["old_names"]} >= {"public.models"}


def test_status_says_where_each_unit_is_and_what_comes_next(converted: str) -> None:
    def told() -> list[str]:
        done = run_trueup("status", "--all", "--service", str(SERVICE), dsn=converted).stdout
        return [line for line in done.splitlines() if "; next:" in line]

    assert told() == [
        "public.model, public.request: backfill is done; next: trueup apply",
        "public.provider_quota: backfill is done; next: trueup apply",
    ]
    up(converted, "enforce")
    assert told() == [
        "public.model, public.request: enforce is done; next: trueup apply --to switch",
        "public.provider_quota: enforce is done; next: trueup apply --to switch",
    ]
    up(converted, "0402_switch_request")
    assert told() == [
        "public.model, public.request: switch is done; next: trueup apply --to contract",
        "public.provider_quota: enforce is done; next: trueup apply --to switch",
    ]


def test_watch_tells_what_changed_until_it_is_interrupted(converted: str) -> None:
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "runner", "status", "--all", "--watch"),
            *("--service", str(SERVICE), "--dsn", converted),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")  # one that ends early has no more of them
        assert any(line.startswith("0201_backfill_model:") for line in lines)
        up(converted, "enforce")
        assert any("enforce is done" in line for line in lines)
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in errors
