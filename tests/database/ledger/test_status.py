"""What status tells: read-only, without a lock, in the words of the ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.migration_files import write_migration
from support.processes import eventually
from support.runs import query, run_trueup, run_yoyo

from runner.errors import StatementError
from runner.execute.engine import apply
from runner.ledger.files import read_migrations


@pytest.fixture
def service(tmp_path: Path) -> Path:
    folder = tmp_path / "orders"
    write_migration(
        folder / "legacy", "0001_baseline_a", "CREATE TABLE t (n int);", "DROP TABLE t;"
    )
    write_migration(
        folder / "online",
        "0100_enforce_i",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_n ON public.t (n);",
        "DROP INDEX CONCURRENTLY IF EXISTS public.t_n;",
        depends="0001_baseline_a",
        transactional=False,
    )
    write_migration(folder / "online" / "contract", "0900_contract_a", "SELECT 1;")
    return folder


def status(dsn: str, service: Path) -> list[dict[str, object]]:
    done = run_trueup("status", "--service", str(service), "--json", dsn=dsn)
    assert done.returncode == 0, done.stderr
    lines: list[dict[str, object]] = json.loads(done.stdout)["migrations"]
    return lines


def standings(dsn: str, service: Path) -> dict[object, object]:
    return {line["migration"]: line["standing"] for line in status(dsn, service)}


def test_a_database_without_a_ledger(database: str, service: Path) -> None:
    assert standings(database, service) == {
        "0001_baseline_a": "pending",
        "0100_enforce_i": "pending",
        "0900_contract_a": "on request",
    }
    assert query(database, "SELECT to_regclass('yoyo_lock')") == [(None,)]


def test_what_was_begun_is_told_with_the_index_it_left(database: str, service: Path) -> None:
    folders = [service / "legacy", service / "online"]
    apply(database, read_migrations(folders), to="baseline")
    query(database, "INSERT INTO t VALUES (1), (1)")
    with pytest.raises(StatementError):
        apply(database, read_migrations(folders))
    assert standings(database, service)["0100_enforce_i"] == "unfinished"
    shown = run_trueup("status", "--service", str(service), dsn=database).stdout
    assert "could not create unique index" in shown
    assert "index public.t_n is invalid; the next run drops it and builds it again" in shown


def test_files_that_changed_are_told(database: str, service: Path) -> None:
    folders = [service / "legacy", service / "online"]
    apply(database, read_migrations(folders))
    path = service / "legacy" / "0001_baseline_a.sql"
    path.write_text(path.read_text() + "SELECT 1;\n")
    for file in (service / "online").glob("0100*"):
        file.rename(service / "online" / file.name.replace("0100", "0200"))
    write_migration(service / "legacy", "0002_baseline_b", "SELECT 1;")
    run_yoyo("apply", "-r", "0002_baseline_b", str(service / "legacy"), dsn=database)
    notes = {line["migration"]: line["notes"] for line in status(database, service)}
    assert "was edited" in str(notes["0001_baseline_a"])
    assert "was applied by plain yoyo" in str(notes["0002_baseline_b"])
    assert "was renamed to 0200_enforce_i" in str(notes["0100_enforce_i"])
    assert standings(database, service)["0100_enforce_i"] == "missing"


def test_a_role_that_may_only_read(database: str, service: Path) -> None:
    apply(database, read_migrations([service / "legacy", service / "online"]))
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("CREATE ROLE reader LOGIN")
        try:
            dsn = make_conninfo(database, user="reader")
            denied = run_trueup("status", "--service", str(service), dsn=dsn)
            assert (denied.returncode, "the ledger cannot be read" in denied.stderr) == (1, True)
            admin.execute("GRANT USAGE ON SCHEMA trueup TO reader")
            admin.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public, trueup TO reader")
            admin.execute("ALTER ROLE reader SET default_transaction_read_only = on")
            assert set(standings(dsn, service).values()) == {"applied", "on request"}
            # Of a run of another role it may see that it is there, and no more.
            key = int.from_bytes(b"trueup", "big")
            admin.execute("SELECT pg_advisory_lock(%s)", [key])
            told = run_trueup("status", "--service", str(service), dsn=dsn)
            assert told.stdout.splitlines()[-1].startswith("running; ")
            assert "since" not in told.stdout
            admin.execute("SELECT pg_advisory_unlock(%s)", [key])
        finally:
            admin.execute("DROP OWNED BY reader")
            admin.execute("DROP ROLE reader")


def test_it_waits_for_no_lock(database: str, service: Path) -> None:
    apply(database, read_migrations([service / "legacy"]))
    with psycopg.connect(database) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [int.from_bytes(b"trueup", "big")])
        other.execute("LOCK TABLE yoyo_lock")
        assert standings(database, service)["0001_baseline_a"] == "applied"


def test_who_rolled_a_file_back_is_not_shown_as_who_applied_it(
    database: str, service: Path
) -> None:
    for arguments in (("apply",), ("rollback",)):
        done = run_trueup(*arguments, "--service", str(service), dsn=database)
        assert done.returncode == 0, done.stderr
    shown = run_trueup("status", "--service", str(service), dsn=database).stdout.splitlines()
    assert " UTC  " in shown[0]
    assert shown[1].split() == ["pending", "0100_enforce_i"]


def test_a_watch_ends_with_one_message_when_the_server_goes(database: str, service: Path) -> None:
    watch = subprocess.Popen(
        [sys.executable, "-m", "runner", "status", "--watch", "--service", str(service)],
        env={**os.environ, "TRUEUP_DSN": database},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    ended: LiteralString = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'trueup status'"
    )
    eventually(lambda: query(database, ended) == [(True,)])
    _, errors = watch.communicate(timeout=60)
    assert watch.returncode == 3
    assert errors.startswith("error: the connection was lost: ")
    assert errors.splitlines()[1].startswith("hint: make sure that the server is running")
    assert "Traceback" not in errors


def test_a_refused_query_is_one_message(database: str, service: Path) -> None:
    query(database, "CREATE SCHEMA trueup")
    query(database, "CREATE TABLE trueup.progress (file text)")
    done = run_trueup("status", "--service", str(service), dsn=database)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("error: the server refused a query: column p.table_name does")
    assert "Traceback" not in done.stderr


def test_a_time_that_no_calendar_has_is_told_as_what_it_is(database: str, service: Path) -> None:
    done = run_trueup("apply", "--service", str(service), dsn=database)
    assert done.returncode == 0, done.stderr
    for table, column in (("_yoyo_migration", "applied_at_utc"), ("trueup.ledger", "started_at")):
        query(database, f"UPDATE {table} SET {column} = 'infinity'")
        for verb in ("status", "apply"):
            done = run_trueup(verb, "--service", str(service), dsn=database)
            assert done.returncode == 1
            assert "error: the ledger holds a time that no run writes" in done.stderr
            assert table in done.stderr
        query(database, f"UPDATE {table} SET {column} = now()")
