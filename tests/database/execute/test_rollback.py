"""Rolling back: what is undone, in which order, and what stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.migration_files import write_migration, write_tables
from support.runs import applied, query, run_trueup, tables

from runner.errors import MigrationFileError, StatementError
from runner.execute.engine import Settings, apply, rollback
from runner.ledger.files import read_migrations


def test_the_newest_migration_is_rolled_back_by_default(database: str, tmp_path: Path) -> None:
    write_tables(tmp_path, 3)
    migrations = read_migrations([tmp_path])
    apply(database, migrations)
    assert rollback(database, migrations).migrations == ("0003_expand_table",)
    assert tables(database) == ["t1", "t2"]


def test_a_named_phase_or_id_stays_applied(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_baseline_a", "CREATE TABLE a ();", "DROP TABLE a;")
    write_migration(tmp_path, "0100_expand_b", "CREATE TABLE b ();", "DROP TABLE b;")
    write_migration(tmp_path, "0110_expand_c", "CREATE TABLE c ();", "DROP TABLE c;")
    migrations = read_migrations([tmp_path])
    apply(database, migrations)
    assert rollback(database, migrations, to="expand").migrations == ()
    assert rollback(database, migrations, to="0100_expand_b").migrations == ("0110_expand_c",)
    assert rollback(database, migrations, to="baseline").migrations == ("0100_expand_b",)
    assert tables(database) == ["a"]


def test_a_service_without_legacy_files_has_a_baseline_too(database: str, tmp_path: Path) -> None:
    source = tmp_path / "orders" / "online"
    write_migration(source, "0101_expand_b", "CREATE TABLE b ();", "DROP TABLE b;")
    options = ("--sources", str(source))
    assert run_trueup("apply", "--to", "baseline", *options, dsn=database).returncode == 0
    assert tables(database) == []
    needed = run_trueup("baseline", *options, dsn=database)
    assert (needed.returncode, needed.stdout) == (
        0,
        "nothing to do: orders has no legacy files, so no baseline is needed\n",
    )
    apply(database, read_migrations([source]))

    undone = run_trueup("rollback", "--to", "baseline", *options, dsn=database)

    assert (undone.returncode, undone.stdout) == (0, "rolled back: 1 file\n")
    assert tables(database) == []


def test_everything_is_all_but_the_baseline(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_baseline_a", "CREATE TABLE a ();", "DROP TABLE a;")
    write_tables(tmp_path, 2)
    migrations = read_migrations([tmp_path])
    apply(database, migrations)
    rollback(database, migrations, everything=True)
    assert (applied(database), tables(database)) == (["0001_baseline_a"], ["a"])


def test_a_file_without_a_rollback_stops_before_anything_is_changed(
    database: str, tmp_path: Path
) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE a ();", "DROP TABLE a;")
    write_migration(tmp_path, "0002_expand_b", "CREATE TABLE b ();", "DROP TABLE b;")
    apply(database, read_migrations([tmp_path]))
    (tmp_path / "0001_expand_a.rollback.sql").unlink()
    with pytest.raises(MigrationFileError, match=r"there is no 0001_expand_a\.rollback\.sql"):
        rollback(
            database,
            read_migrations([tmp_path]),
            everything=True,
            settings=Settings(accept=frozenset({"edited"})),
        )
    assert tables(database) == ["a", "b"]


def test_a_failed_rollback_leaves_file_and_record_as_they_were(
    database: str, tmp_path: Path
) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE a ();", "DROP TABLE a;\nSELECT 1/0;")
    migrations = read_migrations([tmp_path])
    apply(database, migrations)
    with pytest.raises(StatementError, match=r"0001_expand_a\.rollback\.sql:2:.*division by zero"):
        rollback(database, migrations)
    assert (applied(database), tables(database)) == (["0001_expand_a"], ["a"])


def test_a_file_that_was_begun_and_not_finished_can_be_rolled_back(
    database: str, tmp_path: Path
) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE t AS SELECT 1 AS n;", "DROP TABLE t;")
    write_migration(
        tmp_path,
        "0002_backfill_a",
        "DO $$ BEGIN UPDATE t SET n = 2; COMMIT; PERFORM 1/0; END $$;",
        "UPDATE t SET n = 1;",
        transactional=False,
    )
    migrations = read_migrations([tmp_path])
    with pytest.raises(StatementError):
        apply(database, migrations)
    assert rollback(database, migrations).migrations == ("0002_backfill_a",)
    assert query(database, "SELECT n FROM t") == [(1,)]


def test_a_rollback_that_was_begun_and_not_finished_is_applied_again(
    database: str, tmp_path: Path
) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE t AS SELECT 1 AS n;", "DROP TABLE t;")
    write_migration(
        tmp_path,
        "0002_backfill_a",
        "UPDATE t SET n = 2;",
        "DO $$ BEGIN UPDATE t SET n = 1; COMMIT; PERFORM 1/0; END $$;",
        transactional=False,
    )
    migrations = read_migrations([tmp_path])
    apply(database, migrations)
    with pytest.raises(StatementError):
        rollback(database, migrations)
    assert apply(database, migrations).migrations == ("0002_backfill_a",)
    assert query(database, "SELECT n FROM t") == [(2,)]
