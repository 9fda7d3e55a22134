"""The stock `yoyo` command on trueup's backend: the same verbs, the safe lock, atomic records."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest
from support.migration_files import write_migration, write_tables
from support.runs import applied, query, run_yoyo, tables

from runner.execute.engine import apply, rollback
from runner.ledger.files import read_migrations

SCHEME = "postgresql+trueup"


@pytest.fixture(autouse=True)
def _registered(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    # An editable install knows only the entry points of the day it was made.
    folder = tmp_path_factory.mktemp("entry_points")
    info = folder / "registered-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: registered\nVersion: 0\n")
    (info / "entry_points.txt").write_text(
        f"[yoyo.backends]\n{SCHEME} = runner.execute.backend:LedgerBackend\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))


def yoyo(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_yoyo(*arguments, dsn=dsn, scheme=SCHEME)


def test_apply_list_and_rollback(database: str, tmp_path: Path) -> None:
    write_tables(tmp_path, 3)
    yoyo(database, "apply", str(tmp_path))
    assert tables(database) == ["t1", "t2", "t3"]
    listed = yoyo(database, "list", str(tmp_path)).stdout
    assert [line.split()[0] for line in listed.splitlines()[2:]] == ["A", "A", "A"]
    yoyo(database, "rollback", "--all", str(tmp_path))
    assert (applied(database), tables(database)) == ([], [])


def test_its_records_are_trueups(database: str, tmp_path: Path) -> None:
    write_tables(tmp_path, 2)
    yoyo(database, "apply", str(tmp_path))
    rows = query(database, "SELECT migration_id, state, checksum FROM trueup.ledger ORDER BY id")
    migrations = read_migrations([tmp_path])
    assert rows == [(m.id, "DONE", m.checksum) for m in migrations]
    assert apply(database, migrations).migrations == ()
    rollback(database, migrations)
    assert "U" in yoyo(database, "list", str(tmp_path)).stdout


def test_a_failed_non_transactional_file_is_not_undone_behind_the_users_back(
    database: str, tmp_path: Path
) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE a ();", "DROP TABLE a;")
    write_migration(
        tmp_path,
        "0002_backfill_a",
        "DO $$ BEGIN CREATE TABLE kept (); COMMIT; PERFORM 1/0; END $$;",
        "DROP TABLE kept;",
        depends="0001_expand_a",
        transactional=False,
    )
    with pytest.raises(subprocess.CalledProcessError) as raised:
        yoyo(database, "apply", str(tmp_path))
    assert "division by zero" in raised.value.stderr
    assert "Traceback" not in raised.value.stderr
    assert (applied(database), tables(database)) == (["0001_expand_a"], ["a", "kept"])
    assert query(database, "SELECT count(*) FROM yoyo_lock") == [(0,)]


def test_the_records_are_in_one_place_whatever_the_search_path(
    database: str, tmp_path: Path
) -> None:
    write_tables(tmp_path, 1)
    query(database, "CREATE SCHEMA postgres")  # named like the role: first in its search_path
    yoyo(database, "apply", str(tmp_path))
    assert apply(database, read_migrations([tmp_path])).migrations == ()
    assert query(
        database, "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname ~ 'yoyo.*n$'"
    ) == [("public",), ("public",)]


def test_two_yoyos_at_once_apply_everything_once(database: str, tmp_path: Path) -> None:
    write_tables(tmp_path, 5)
    failures: list[str] = []

    def run() -> None:
        try:
            yoyo(database, "apply", str(tmp_path))
        except subprocess.CalledProcessError as error:
            failures.append(error.stderr)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    assert query(database, "SELECT count(*) FROM trueup.ledger") == [(5,)]


def test_an_unreachable_server_is_one_line(tmp_path: Path) -> None:
    write_tables(tmp_path, 1)
    with pytest.raises(subprocess.CalledProcessError) as raised:
        yoyo("host=/nonexistent user=a dbname=b", "apply", str(tmp_path))
    assert "cannot connect to database 'b'" in raised.value.stderr
    assert "Traceback" not in raised.value.stderr
