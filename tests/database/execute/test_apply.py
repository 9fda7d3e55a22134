"""Applying migrations: what an operator sees and what the database holds afterwards."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.migration_files import write_migration, write_tables
from support.runs import applied, query, start_trueup, tables

from runner.errors import LockedError, StatementError, UsageError
from runner.execute import events, holders
from runner.execute.engine import Settings, apply
from runner.ledger.files import read_migrations

HURRY = Settings(deadline=1.0, lock_timeout="50ms")


def test_all_pending_migrations_are_applied_once(database: str, tmp_path: Path) -> None:
    write_tables(tmp_path, 3)
    migrations = read_migrations([tmp_path])
    ids = tuple(m.id for m in migrations)
    assert apply(database, migrations).migrations == ids
    assert apply(database, migrations).migrations == ()
    assert (applied(database), tables(database)) == (list(ids), ["t1", "t2", "t3"])


def test_a_run_ends_at_the_phase_or_id_that_is_named(database: str, tmp_path: Path) -> None:
    for name in ("0001_baseline_a", "0100_expand_a", "0110_expand_b", "0200_backfill_a"):
        write_migration(tmp_path, name, "SELECT 1;")
    migrations = read_migrations([tmp_path])
    assert apply(database, migrations, to="0100_expand_a").migrations[-1] == "0100_expand_a"
    assert apply(database, migrations, to="expand").migrations == ("0110_expand_b",)
    with pytest.raises(UsageError, match=r"no migration has the phase or id 'enforce'") as raised:
        apply(database, migrations, to="enforce")
    assert "baseline, expand, backfill" in raised.value.hint


def test_contract_is_applied_only_when_it_is_named(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0100_expand_a", "SELECT 1;")
    write_migration(tmp_path / "contract", "0900_contract_a", "SELECT 1;", depends="0100_expand_a")
    write_migration(tmp_path / "contract", "0910_contract_b", "SELECT 1;")
    migrations = read_migrations([tmp_path], on_request=[tmp_path / "contract"])
    assert apply(database, migrations).migrations == ("0100_expand_a",)
    assert apply(database, migrations, to="0900_contract_a").migrations == ("0900_contract_a",)
    assert apply(database, migrations, to="contract").migrations == ("0910_contract_b",)


def test_a_file_and_its_record_commit_together_or_not_at_all(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE a (id int);")
    write_migration(tmp_path, "0002_expand_b", "CREATE TABLE b (id int);\nSELECT 1/0;")
    with pytest.raises(StatementError):
        apply(database, read_migrations([tmp_path]))
    assert (applied(database), tables(database)) == (["0001_expand_a"], ["a"])


def test_an_error_shows_file_line_column_and_a_caret(database: str, tmp_path: Path) -> None:
    path = write_migration(tmp_path, "0001_expand_a", "SELECT 1;\n\nSELECT 'é',\n  nothing;")
    with pytest.raises(StatementError) as raised:
        apply(database, read_migrations([tmp_path]))
    assert raised.value.message.splitlines() == [
        f'{path}:6:3: column "nothing" does not exist (SQLSTATE 42703)',
        "      nothing;",
        "      ^",
    ]


def test_an_error_inside_a_block_shows_the_line_of_the_block(database: str, tmp_path: Path) -> None:
    sql = (
        "DO $$\nDECLARE n int;\nBEGIN\n  n := 1;\n"
        "  RAISE EXCEPTION 'stop' USING HINT = 'go';\nEND $$;"
    )
    path = write_migration(tmp_path, "0001_expand_a", sql)
    with pytest.raises(StatementError) as raised:
        apply(database, read_migrations([tmp_path]))
    assert raised.value.message.splitlines()[:3] == [
        f"{path}:7:3: stop (SQLSTATE P0001)",
        "      RAISE EXCEPTION 'stop' USING HINT = 'go';",
        "      ^",
    ]
    assert raised.value.hint == "go"


def test_a_percent_sign_in_a_file_is_a_percent_sign(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE \"50% %s\" AS SELECT '%(x)s' AS c;")
    apply(database, read_migrations([tmp_path]))
    assert query(database, 'SELECT c FROM "50%% %%s" WHERE %s', True) == [("%(x)s",)]


def test_messages_of_the_server_reach_the_listener(database: str, tmp_path: Path) -> None:
    sql = "DO $$ BEGIN RAISE NOTICE 'hello'; RAISE WARNING 'careful' USING HINT = 'look'; END $$;"
    write_migration(tmp_path, "0001_expand_a", sql)
    heard: list[events.Event] = []
    apply(database, read_migrations([tmp_path]), listener=heard.append)
    assert [event for event in heard if isinstance(event, events.Noticed)] == [
        events.Noticed("0001_expand_a", "NOTICE", "hello"),
        events.Noticed("0001_expand_a", "WARNING", "careful\nlook"),
    ]


def test_messages_that_say_what_the_file_says_are_left_out(database: str, tmp_path: Path) -> None:
    sql = """
        CREATE SCHEMA IF NOT EXISTS public;
        DROP TABLE IF EXISTS nobody;
        CREATE TABLE k (id int NOT NULL);
        CREATE UNIQUE INDEX k_built ON k (id);
        ALTER TABLE k ADD CONSTRAINT k_pkey PRIMARY KEY USING INDEX k_built;
    """
    write_migration(tmp_path, "0001_expand_a", sql)
    heard: list[events.Event] = []
    apply(database, read_migrations([tmp_path]), listener=heard.append)
    assert not [event for event in heard if isinstance(event, events.Noticed)]


def test_the_listener_hears_a_run_from_start_to_end(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT 1;")
    heard: list[events.Event] = []
    apply(database, read_migrations([tmp_path]), listener=heard.append)
    kinds = [type(event).__name__ for event in heard]
    assert kinds == ["RunStarted", "FileStarted", "FileDone", "RunDone"]


def test_the_session_carries_the_runs_name_and_its_waiting_period(
    database: str, tmp_path: Path
) -> None:
    write_migration(
        tmp_path,
        "0001_expand_a",
        "CREATE TABLE seen AS SELECT current_setting('application_name') AS name,"
        " current_setting('trueup.run') AS run,"
        " current_setting('trueup.waiting_period')::interval AS period;",
    )
    outcome = apply(
        database, read_migrations([tmp_path]), settings=Settings(waiting_period="36 hours")
    )
    rows = query(database, "SELECT name, run, period::text FROM seen")
    assert rows == [(outcome.run, outcome.run, "36:00:00")]


def test_what_a_file_sets_for_the_session_ends_with_the_file(database: str, tmp_path: Path) -> None:
    write_migration(
        tmp_path,
        "0001_expand_a",
        "SET search_path = pg_catalog;\nSET ROLE pg_monitor;\nCREATE TEMP TABLE t (id int);",
    )
    write_migration(
        tmp_path,
        "0002_expand_b",
        "CREATE TEMP TABLE t (id int);\nCREATE TABLE seen AS SELECT"
        " current_setting('search_path') AS path, current_user = session_user AS same,"
        " current_setting('lock_timeout') AS lock_timeout;",
    )
    apply(database, read_migrations([tmp_path]), settings=HURRY)
    assert query(database, "SELECT * FROM seen") == [('"$user", public', True, "50ms")]


def test_a_locked_table_is_tried_again_until_it_is_free(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE t (id int);")
    write_migration(tmp_path, "0002_expand_b", "ALTER TABLE t ADD COLUMN n int;")
    migrations = read_migrations([tmp_path])
    apply(database, migrations, to="0001_expand_a")
    heard: list[events.Event] = []
    with psycopg.connect(database, application_name="a client") as client:
        client.execute("SELECT FROM t")
        monkeypatch.setattr(holders, "LONG_SECONDS", 3600)

        def listen(event: events.Event) -> None:
            heard.append(event)
            if isinstance(event, events.AttemptFailed) and event.attempt == 3:
                client.commit()

        apply(database, migrations, settings=Settings(lock_timeout="100ms"), listener=listen)
    failed = [event for event in heard if isinstance(event, events.AttemptFailed)]
    assert [event.attempt for event in failed] == [1, 2, 3]
    assert "lock timeout" in failed[0].reason
    assert any("a client" in blocker for blocker in failed[-1].blockers)
    assert applied(database) == ["0001_expand_a", "0002_expand_b"]


def test_a_long_transaction_is_waited_for_without_queueing(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE t (id int);")
    write_migration(tmp_path, "0002_expand_b", "ALTER TABLE t ADD COLUMN n int;")
    migrations = read_migrations([tmp_path])
    apply(database, migrations, to="0001_expand_a")
    heard: list[events.Event] = []
    with psycopg.connect(database, application_name="a report") as client:
        client.execute("SELECT FROM t")
        time.sleep(holders.LONG_SECONDS)

        def listen(event: events.Event) -> None:
            heard.append(event)
            if isinstance(event, events.TableHeld):
                client.commit()

        apply(database, migrations, listener=listen)
    (held,) = [event for event in heard if isinstance(event, events.TableHeld)]
    assert "a report" in held.holders[0]
    assert "holds t" in held.holders[0]
    assert not [event for event in heard if isinstance(event, events.AttemptFailed)]


def test_a_long_transaction_that_does_not_end_is_named_at_the_deadline(
    database: str, tmp_path: Path
) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE t (id int);")
    write_migration(tmp_path, "0002_expand_b", "ALTER TABLE t ADD COLUMN n int;")
    migrations = read_migrations([tmp_path])
    apply(database, migrations, to="0001_expand_a")
    with psycopg.connect(database) as client:
        client.execute("SELECT FROM t")
        time.sleep(holders.LONG_SECONDS)
        with pytest.raises(LockedError, match="its tables were never free within 1 s") as raised:
            apply(database, migrations, settings=HURRY)
        assert f"process {client.info.backend_pid} " in raised.value.message
    assert applied(database) == ["0001_expand_a"]


def test_the_deadline_ends_the_tries(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders, "LONG_SECONDS", 3600)
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE t (id int);")
    write_migration(tmp_path, "0002_expand_b", "ALTER TABLE t ADD COLUMN n int;")
    migrations = read_migrations([tmp_path])
    apply(database, migrations, to="0001_expand_a")
    with psycopg.connect(database) as client:
        client.execute("SELECT FROM t")
        with pytest.raises(
            LockedError, match=r"0002_expand_b\.sql: .*lock timeout; \d+ tries"
        ) as e:
            apply(database, migrations, settings=HURRY)
        assert f"in the way: process {client.info.backend_pid} " in e.value.message
    assert applied(database) == ["0001_expand_a"]
    apply(database, migrations, settings=HURRY)
    assert applied(database) == ["0001_expand_a", "0002_expand_b"]


def test_a_listener_that_blocks_keeps_no_lock_from_a_client(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE t (id int);")
    write_migration(
        tmp_path, "0002_expand_b", "ALTER TABLE t ADD n int;\nDO $$ BEGIN RAISE NOTICE 'x'; END $$;"
    )

    def listen(event: events.Event) -> None:
        if isinstance(event, events.Noticed):
            with psycopg.connect(database, options="-c lock_timeout=1s") as client:
                client.execute("SELECT n FROM t")

    apply(database, read_migrations([tmp_path]), listener=listen)


INDEX = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_n ON public.t (n);"
INDEX_STATE = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('t_n')"


def write_index(folder: Path) -> None:
    write_migration(
        folder,
        "0001_expand_a",
        "CREATE TABLE t (n int);\nINSERT INTO t SELECT 1 FROM generate_series(1, 2);",
        "DROP TABLE t;",
    )
    write_migration(
        folder,
        "0002_enforce_b",
        INDEX,
        "DROP INDEX CONCURRENTLY IF EXISTS public.t_n;",
        depends="0001_expand_a",
        transactional=False,
    )


def test_an_index_that_a_failed_build_left_is_dropped_and_built_again(
    database: str, tmp_path: Path
) -> None:
    write_index(tmp_path)
    migrations = read_migrations([tmp_path])
    with pytest.raises(StatementError, match="could not create unique index") as raised:
        apply(database, migrations)
    assert raised.value.hint.startswith("index public.t_n is invalid now")
    assert query(database, INDEX_STATE) == [(False,)]
    query(database, "DELETE FROM t WHERE ctid = '(0,1)'")
    heard: list[events.Event] = []
    apply(database, migrations, listener=heard.append)
    assert query(database, INDEX_STATE) == [(True,)]
    started = next(event for event in heard if isinstance(event, events.FileStarted))
    assert started.resumed
    dropped = [event.index for event in heard if isinstance(event, events.InvalidIndexDropped)]
    assert dropped == ["public.t_n"]


def test_a_valid_index_is_never_dropped(database: str, tmp_path: Path) -> None:
    write_index(tmp_path)
    migrations = read_migrations([tmp_path])
    apply(database, migrations, to="expand")
    query(database, "DELETE FROM t WHERE ctid = '(0,1)'")
    query(database, "CREATE UNIQUE INDEX t_n ON t (n)")
    oid = query(database, "SELECT 't_n'::regclass::oid")
    apply(database, migrations)
    assert query(database, "SELECT 't_n'::regclass::oid") == oid


BACKFILL = """DO $$
BEGIN
    FOR n IN 1..40 LOOP
        INSERT INTO t VALUES (n);
        INSERT INTO trueup.progress VALUES ('0002_backfill_t', 't', n, n, 40)
        ON CONFLICT (file) DO UPDATE SET rows_done = n, page = n, updated_at = clock_timestamp();
        COMMIT;
        PERFORM pg_sleep(0.05);
    END LOOP;
END
$$;"""


def write_backfill(folder: Path, rows: int = 40) -> None:
    write_migration(
        folder,
        "0001_expand_t",
        "CREATE TABLE t (c int);\nCREATE TABLE trueup.progress (file text PRIMARY KEY,"
        " table_name text, rows_done bigint, page bigint, pages bigint,"
        " started_at timestamptz DEFAULT clock_timestamp(),"
        " updated_at timestamptz DEFAULT clock_timestamp());",
        "DROP TABLE trueup.progress;\nDROP TABLE t;",
    )
    write_migration(
        folder,
        "0002_backfill_t",
        BACKFILL.replace("40", str(rows)),
        "DELETE FROM t;",
        depends="0001_expand_t",
        transactional=False,
    )


def test_a_backfill_reports_its_progress(database: str, tmp_path: Path) -> None:
    write_backfill(tmp_path)
    heard: list[events.Event] = []
    apply(database, read_migrations([tmp_path]), listener=heard.append)
    progress = [event for event in heard if isinstance(event, events.Progress)]
    assert {event.table for event in progress} == {"t"}
    assert 0 < progress[0].share < progress[-1].share <= 1
    assert progress[-1].rows_per_second > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_backfill_keeps_its_batches_and_goes_on_later(
    database: str, tmp_path: Path, number: signal.Signals
) -> None:
    write_backfill(tmp_path)
    with start_trueup("apply", "--sources", str(tmp_path), dsn=database) as process:
        wait_for(lambda: bool(query_or_nothing(database, "SELECT 1 FROM t LIMIT 1")))
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "stopped in 0002_backfill_t.sql: what it committed remains" in errors
    assert "run the same `trueup apply` again" in errors
    assert "Traceback" not in errors
    kept = query(database, "SELECT count(*) FROM t")[0][0]
    assert 0 < kept < 40
    assert query(database, "SELECT count(*) FROM yoyo_lock") == [(0,)]
    assert apply(database, read_migrations([tmp_path])).migrations == ("0002_backfill_t",)
    assert query(database, "SELECT count(*) FROM t") == [(kept + 40,)]


def test_a_background_run_goes_on_at_an_interrupt_and_stops_at_sigterm(
    database: str, tmp_path: Path
) -> None:
    write_backfill(tmp_path, rows=4000)
    sources = ("--sources", str(tmp_path))
    with start_trueup("apply", *sources, dsn=database, in_background=True) as process:
        wait_for(lambda: bool(query_or_nothing(database, "SELECT 1 FROM t LIMIT 1")))
        process.send_signal(signal.SIGINT)
        ((kept,),) = query(database, "SELECT count(*) FROM t")
        wait_for(lambda: query(database, "SELECT count(*) FROM t") > [(kept + 2,)])
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "stopped in 0002_backfill_t.sql: what it committed remains" in errors


def test_a_killed_run_leaves_no_lock_and_is_resumed(database: str, tmp_path: Path) -> None:
    write_backfill(tmp_path)
    with start_trueup("apply", "--sources", str(tmp_path), dsn=database) as process:
        wait_for(lambda: bool(query_or_nothing(database, "SELECT 1 FROM t LIMIT 1")))
        process.kill()
    outcome = apply(database, read_migrations([tmp_path]), settings=Settings(deadline=20))
    assert outcome.migrations == ("0002_backfill_t",)
    assert query(database, "SELECT count(*) FROM yoyo_lock") == [(0,)]


def test_a_stopped_transactional_file_leaves_nothing(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE t (id int);\nSELECT pg_sleep(30);")
    with start_trueup("apply", "--sources", str(tmp_path), dsn=database) as process:
        wait_for(
            lambda: bool(
                query(
                    database,
                    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
                    " AND query LIKE 'SELECT pg_sleep%' AND pid <> pg_backend_pid()",
                )
            )
        )
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "stopped in 0001_expand_a.sql: none of it remains" in errors
    assert (applied(database), tables(database)) == ([], [])


def test_a_statement_timeout_of_the_role_is_told_with_the_way_around(
    database: str, tmp_path: Path
) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT pg_sleep(5);")
    strict = make_conninfo(database, options="-c statement_timeout=100ms")
    with pytest.raises(StatementError, match="statement timeout") as raised:
        apply(strict, read_migrations([tmp_path]))
    assert "statement_timeout=0" in raised.value.hint


@pytest.mark.parametrize("transactional", [True, False])
def test_a_session_that_the_server_ends_is_told_and_taken_up_again(
    database: str, tmp_path: Path, transactional: bool
) -> None:
    body = "DO $$ BEGIN CREATE TABLE IF NOT EXISTS t (id int); {} PERFORM pg_sleep(3); END $$;"
    sql = body.format("" if transactional else "COMMIT;")
    write_migration(tmp_path, "0001_expand_a", sql, transactional=transactional)
    with start_trueup("apply", "--sources", str(tmp_path), dsn=database) as process:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %'"
        wait_for(lambda: bool(query(database, ended)))
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 3
    assert "the connection was lost in 0001_expand_a.sql" in errors
    assert (applied(database), tables(database)) == ([], [] if transactional else ["t"])
    assert apply(database, read_migrations([tmp_path])).migrations == ("0001_expand_a",)


def query_or_nothing(dsn: str, statement: LiteralString) -> list[tuple[object, ...]]:
    try:
        return query(dsn, statement)
    except psycopg.errors.UndefinedTable:
        return []


def wait_for(condition: object, seconds: float = 20) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the awaited state never came"
        threading.Event().wait(0.02)
