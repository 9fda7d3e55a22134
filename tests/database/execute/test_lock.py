"""One run at a time, whoever runs: trueup or plain yoyo."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import psycopg
import pytest
from support.migration_files import write_migration, write_tables
from support.runs import applied, query, run_yoyo, start_trueup

from runner.errors import LockedError
from runner.execute import events
from runner.execute.engine import Settings, apply
from runner.ledger.files import read_migrations

HURRY = Settings(deadline=0.5)


def test_two_runs_at_once_apply_everything_once(database: str, tmp_path: Path) -> None:
    write_tables(tmp_path, 20)
    done: list[str] = []

    def run() -> None:
        done.extend(apply(database, read_migrations([tmp_path])).migrations)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(done) == [m.id for m in read_migrations([tmp_path])]


def test_the_second_run_is_told_who_holds_the_lock(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT pg_sleep(3);")
    heard: list[events.Event] = []
    with start_trueup("apply", "--sources", str(tmp_path), dsn=database):
        wait_for_lock_row(database)
        migrations = read_migrations([tmp_path])
        with pytest.raises(LockedError, match=r"held by trueup-[0-9a-f-]+ \(server process \d+"):
            apply(database, migrations, settings=HURRY, listener=heard.append)
    assert [type(event) for event in heard] == [events.LockAwaited]


def test_plain_yoyo_waits_while_trueup_runs(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT pg_sleep(2);")
    run_yoyo("list", str(tmp_path), dsn=database)
    with start_trueup("apply", "--sources", str(tmp_path), dsn=database) as process:
        wait_for_lock_row(database)
        run_yoyo("rollback", str(tmp_path), dsn=database)
        assert process.wait(timeout=10) == 0
    assert applied(database) == []


def test_a_run_whose_lock_was_broken_stops_before_its_next_file(
    database: str, tmp_path: Path
) -> None:
    write_tables(tmp_path, 2)

    def broken(event: events.Event) -> None:
        if isinstance(event, events.FileDone):
            run_yoyo("break-lock", dsn=database)

    migrations = read_migrations([tmp_path])
    with pytest.raises(LockedError, match="the lock of this run was removed"):
        apply(database, migrations, listener=broken)
    assert applied(database) == [migrations[0].id]
    apply(database, migrations)
    assert applied(database) == [m.id for m in migrations]


def test_trueup_respects_and_explains_the_lock_of_plain_yoyo(database: str, tmp_path: Path) -> None:
    write_tables(tmp_path, 1)
    run_yoyo("list", str(tmp_path), dsn=database)
    hold(database, os.getpid())
    migrations = read_migrations([tmp_path])
    with pytest.raises(LockedError, match="on this host such a process is running") as raised:
        apply(database, migrations, settings=HURRY)
    assert "yoyo break-lock" in raised.value.hint
    query(database, "DELETE FROM yoyo_lock")
    gone = subprocess.Popen(["true"])
    gone.wait()
    hold(database, gone.pid)
    with pytest.raises(LockedError, match="on this host such a process is not running"):
        apply(database, migrations, settings=HURRY)
    assert query(database, "SELECT pid FROM yoyo_lock") == [(gone.pid,)]


def test_a_row_that_a_dead_run_left_is_stale(database: str, tmp_path: Path) -> None:
    write_tables(tmp_path, 1)
    run_yoyo("list", str(tmp_path), dsn=database)
    hold(database, -12345)
    apply(database, read_migrations([tmp_path]), settings=HURRY)
    assert query(database, "SELECT count(*) FROM yoyo_lock") == [(0,)]


def test_waiting_for_the_lock_holds_no_snapshot(database: str, tmp_path: Path) -> None:
    # CREATE INDEX CONCURRENTLY waits for older snapshots; a blocking waiter would deadlock with it.
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE t (n int);\nSELECT pg_sleep(1);")
    write_migration(
        tmp_path,
        "0002_enforce_b",
        "CREATE INDEX CONCURRENTLY i ON public.t (n);",
        transactional=False,
    )
    with start_trueup("apply", "--sources", str(tmp_path), dsn=database) as first:
        wait_for_lock_row(database)
        with start_trueup("apply", "--sources", str(tmp_path), dsn=database) as second:
            assert first.wait(timeout=20) == 0
            assert second.wait(timeout=20) == 0


def hold(dsn: str, pid: int) -> None:
    query(dsn, "INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), %s)", pid)


def wait_for_lock_row(dsn: str) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            if query(dsn, "SELECT 1 FROM yoyo_lock"):
                return
        except psycopg.errors.UndefinedTable:
            pass
        assert time.monotonic() < end, "the run never took the lock"
        time.sleep(0.02)
