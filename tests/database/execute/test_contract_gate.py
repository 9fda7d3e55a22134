"""What contract's gate lets through: names that rest, and names that a person has typed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from support.processes import eventually
from support.runs import query, run_trueup

from runner import config
from runner.execute import engine
from runner.execute.gate import removed_by
from runner.execute.old_names import read_old_names
from runner.ledger.files import read_migrations

SERVICE = Path(__file__).parents[3] / "sql" / "model_orchestration"
CONTRACT = ("apply", "--service", str(SERVICE), "--to", "contract", "--deadline", "10s")
NAMES = ("public.models", "public.provider_quotas", "public.requests")


@pytest.fixture
def switched(database: str) -> str:
    """The switch is done."""
    sources = config.resolve_sources((), str(SERVICE), {}, "online")
    migrations = read_migrations(sources.folders, on_request=sources.on_request)
    engine.apply(database, migrations, to="switch")
    return database


@pytest.fixture
def in_use(switched: str) -> str:
    """The switch is done, and a client has just used all old names."""
    database = switched
    with psycopg.connect(database, autocommit=True) as client:
        client.execute("SELECT FROM models; SELECT FROM requests; SELECT FROM provider_quotas")
    eventually(
        lambda: (
            query(
                database,
                "SELECT 1 FROM pg_stat_user_tables WHERE relname ~ '_used$' AND seq_scan = 0",
            )
            == []
        )
    )
    return database


def old_names(dsn: str) -> list[str]:
    return [
        row[0]
        for row in query(
            dsn, "SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace ="
            " 'public'::regnamespace ORDER BY 1"
        )
    ]  # fmt: skip


def force(*names: str) -> list[str]:
    return [part for name in names for part in ("--force", name)]


def test_names_in_use_are_not_removed(in_use: str) -> None:
    done = run_trueup(*CONTRACT, dsn=in_use)
    assert done.returncode == 1
    assert "public.models may still be in use" in done.stderr
    assert "contract is allowed from" in done.stderr or "uses: 1 since" in done.stderr
    assert "not heard: pg_stat_statements: the extension is not in this database" in done.stderr
    assert "`trueup status`" in done.stderr
    assert "--waiting-period" in done.stderr
    assert "applying" not in done.stderr
    assert old_names(in_use) == ["models", "provider_quotas", "requests"]


def test_names_that_were_typed_are_removed(in_use: str) -> None:
    done = run_trueup(*CONTRACT, *force(*NAMES), dsn=in_use)
    assert done.returncode == 0, done.stderr
    assert old_names(in_use) == []


def test_a_name_that_was_not_typed_keeps_its_waiting_period(in_use: str) -> None:
    done = run_trueup(*CONTRACT, *force(*NAMES[:2]), dsn=in_use)
    assert done.returncode == 1
    assert "public.requests may still be in use, and --force does not name it" in done.stderr
    assert "--force public.requests" in done.stderr
    assert old_names(in_use) == ["models", "provider_quotas", "requests"]


def test_a_name_that_does_not_exist_is_refused(in_use: str) -> None:
    done = run_trueup(*CONTRACT, *force("models"), dsn=in_use)
    assert done.returncode == 2
    assert "--force models: this run does not remove that name" in done.stderr
    assert "it removes: public.models, public.provider_quotas, public.requests" in done.stderr


def test_contract_before_the_switch_says_what_to_do_and_changes_nothing(database: str) -> None:
    sources = config.resolve_sources((), str(SERVICE), {}, "online")
    migrations = read_migrations(sources.folders, on_request=sources.on_request)
    engine.apply(database, migrations, to="expand")
    before = query(database, "SELECT migration_id FROM _yoyo_migration ORDER BY 1")

    done = run_trueup(*CONTRACT, "--waiting-period", "2 h", dsn=database)

    assert done.returncode == 1
    assert "old names are counted from the switch on, and must be unused for 2 h" in done.stderr
    assert "run `trueup apply --to switch` first" in done.stderr
    assert query(database, "SELECT migration_id FROM _yoyo_migration ORDER BY 1") == before
    assert old_names(database) == ["model", "provider_quota", "request"]


def test_a_whole_chain_can_be_forced_at_once(database: str) -> None:
    done = run_trueup(*CONTRACT, *force(*NAMES), dsn=database)
    assert done.returncode == 0, done.stderr
    assert old_names(database) == []


def test_a_waiting_period_that_is_none_is_refused_at_once(in_use: str) -> None:
    done = run_trueup(*CONTRACT, "--waiting-period", "soon", dsn=in_use)
    assert done.returncode == 2
    assert 'the waiting period: invalid input syntax for type interval: "soon"' in done.stderr


def test_a_dry_run_is_held_to_it_and_reads_nothing(in_use: str) -> None:
    query(in_use, "TRUNCATE trueup.odometer")
    done = run_trueup(*CONTRACT, "--waiting-period", "0", "--dry-run", dsn=in_use)
    assert done.returncode == 1
    assert "counter: has no reading" in done.stderr
    assert "has been read now" not in done.stderr
    assert query(in_use, "SELECT count(*) FROM trueup.odometer") == [(0,)]


def test_a_run_that_cannot_read_says_so(in_use: str) -> None:
    query(in_use, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET track_counts = off',"
          " current_database()); END $$")  # fmt: skip
    for _ in range(2):
        done = run_trueup(*CONTRACT, "--waiting-period", "0", dsn=in_use)
        assert done.returncode == 1
        assert "counter: track_counts is off for this session, the database" in done.stderr
        assert "has been read now" not in done.stderr


def test_a_role_without_rights_is_told_what_it_may_not_see(in_use: str) -> None:
    with psycopg.connect(in_use, autocommit=True) as connection:
        connection.execute("CREATE ROLE onlooker; SET ROLE onlooker")
        try:
            found = read_old_names(connection, timedelta())
        finally:
            connection.execute("RESET ROLE; DROP ROLE onlooker")
    assert [name.name for name in found] == list(NAMES)
    for name in found:
        assert name.unused_since is None
        (witness,) = name.witnesses
        assert str(witness).startswith("not heard: counter: permission denied")


def test_an_odd_name_is_asked_for_as_the_files_write_it() -> None:
    texts = [
        "CALL trueup.require_unused('public.\"It''s\"');",
        "CALL trueup.require_unused('a.b');",
    ]
    assert removed_by(texts) == ["a.b", 'public."It\'s"']


def test_a_use_while_the_rows_are_compared_is_seen(
    switched: str, since: Callable[[int], None]
) -> None:
    since(15)  # a session cannot be told to send its counts before
    close = SERVICE / "online" / "contract" / "0501_contract_model_close.sql"
    refused: list[psycopg.Error] = []

    def run() -> None:
        with psycopg.connect(switched, autocommit=True) as file:
            file.execute("SET trueup.waiting_period = '2 s'; SET application_name = 'file'")
            try:
                file.execute(b"BEGIN; " + close.read_bytes() + b"; COMMIT")
            except psycopg.Error as error:
                refused.append(error)

    time.sleep(3)  # the waiting period
    with psycopg.connect(switched) as client:
        client.execute("LOCK TABLE model IN ACCESS EXCLUSIVE MODE")
        thread = threading.Thread(target=run)
        thread.start()
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'file'"
            " AND wait_event_type = 'Lock'"
        )
        eventually(lambda: query(switched, waiting) == [(1,)])
        client.execute("SELECT FROM models")
        client.execute("SELECT pg_stat_force_next_flush()")
        client.commit()
        thread.join()
    assert "models may still be in use" in str(refused[0])
