"""Files that changed since they were recorded: told apart, refused, accepted, recorded anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.migration_files import write_migration
from support.runs import applied, query, run_trueup, run_yoyo

from runner.errors import LedgerError, UsageError
from runner.execute.engine import Settings, apply, rollback
from runner.ledger.audit import Finding, audit
from runner.ledger.files import read_migrations
from runner.ledger.records import read_ledger
from runner.postgres.connect import connect

A, B, C = "0001_expand_a", "0002_expand_b", "0003_expand_c"


@pytest.fixture
def source(database: str, tmp_path: Path) -> Path:
    """Two applied migrations of a service."""
    folder = tmp_path / "orders" / "online"
    write_migration(folder, A, "CREATE TABLE a ();", "DROP TABLE a;")
    write_migration(folder, B, "CREATE TABLE b ();", "DROP TABLE b;", depends=A)
    apply(database, read_migrations([folder]))
    return folder


def findings(dsn: str, *sources: Path) -> list[Finding]:
    with connect(dsn, application_name="test") as connection:
        return audit(read_migrations(sources), read_ledger(connection))


def kinds(dsn: str, *sources: Path) -> list[tuple[str, str]]:
    return [(finding.kind, finding.migration) for finding in findings(dsn, *sources)]


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "SELECT 'edited';\n")


def test_unchanged_files_have_no_finding(database: str, source: Path) -> None:
    assert kinds(database, source) == []


@pytest.mark.parametrize("name", [f"{A}.sql", f"{A}.rollback.sql"])
def test_an_edited_file_is_refused_unless_it_is_accepted(
    database: str, source: Path, name: str
) -> None:
    edit(source / name)
    assert kinds(database, source) == [("edited", A)]
    write_migration(source, C, "SELECT 1;", depends=B)
    migrations = read_migrations([source])
    with pytest.raises(LedgerError, match=f"{A} was edited") as raised:
        apply(database, migrations)
    assert "--accept edited" in raised.value.hint
    assert applied(database) == [A, B]
    accept = Settings(accept=frozenset({"edited"}))
    assert apply(database, migrations, settings=accept).migrations == (C,)


def test_an_edited_rollback_file_is_not_run(database: str, source: Path) -> None:
    edit(source / f"{B}.rollback.sql")
    with pytest.raises(LedgerError, match="its rollback file is not the one"):
        rollback(database, read_migrations([source]))


def test_a_deleted_file_is_refused(database: str, source: Path) -> None:
    for path in source.glob(f"{B}*"):
        path.unlink()
    assert kinds(database, source) == [("deleted", B)]
    with pytest.raises(LedgerError, match=f"{B} is applied, and no file"):
        apply(database, read_migrations([source]))


def test_a_renamed_file_is_refused_and_runs_no_second_time(database: str, source: Path) -> None:
    for path in source.glob(f"{B}*"):
        path.rename(source / path.name.replace(B, C))
    (finding,) = findings(database, source)
    assert (finding.kind, finding.migration, finding.now) == ("renamed", B, C)
    with pytest.raises(LedgerError, match="which would run a second time"):
        apply(
            database,
            read_migrations([source]),
            settings=Settings(accept=frozenset({"edited", "deleted", "out-of-order"})),
        )


def test_a_file_that_comes_too_late_is_refused(database: str, source: Path) -> None:
    write_migration(source, "0001_expand_late", "CREATE TABLE late ();", "DROP TABLE late;")
    migrations = read_migrations([source])
    assert kinds(database, source) == [("out-of-order", "0001_expand_late")]
    with pytest.raises(LedgerError, match=f"out of order: {B} after it is applied"):
        apply(database, migrations)
    accept = Settings(accept=frozenset({"out-of-order"}))
    assert apply(database, migrations, settings=accept).migrations == ("0001_expand_late",)


def test_what_plain_yoyo_applied_is_told_and_not_refused(database: str, source: Path) -> None:
    write_migration(source, C, "SELECT 1;", depends=B)
    run_yoyo("apply", str(source), dsn=database)
    assert kinds(database, source) == [("by-yoyo", C)]
    write_migration(source, "0004_expand_d", "SELECT 1;", depends=C)
    assert apply(database, read_migrations([source])).migrations == ("0004_expand_d",)


def test_what_plain_yoyo_rolled_back_and_applied_again_is_no_longer_known(
    database: str, source: Path
) -> None:
    run_yoyo("rollback", "-r", B, str(source), dsn=database)
    assert kinds(database, source) == []
    rollback(database, read_migrations([source]))
    run_yoyo("apply", str(source), dsn=database)
    assert kinds(database, source) == [("by-yoyo", A), ("by-yoyo", B)]


def test_the_records_of_another_service_are_left_alone(
    database: str, source: Path, tmp_path: Path
) -> None:
    other = tmp_path / "billing" / "online"
    write_migration(other, "0001_expand_z", "SELECT 1;")
    assert kinds(database, other) == []
    apply(database, read_migrations([other]))
    write_migration(source, C, "SELECT 1;")
    assert kinds(database, source, other) == []


def test_repair_shows_the_change_and_records_what_is_named(database: str, source: Path) -> None:
    edit(source / f"{A}.sql")
    edit(source / f"{B}.sql")
    options = ("--sources", str(source))
    asked = run_trueup("repair", A, *options, dsn=database)
    assert asked.returncode == UsageError.exit_code
    assert "give --yes" in asked.stderr
    assert f"+++ now/{A}.sql" in asked.stdout
    assert "+SELECT 'edited';" in asked.stdout
    assert kinds(database, source) == [("edited", A), ("edited", B)]
    done = run_trueup("repair", A, "--yes", *options, dsn=database)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "recorded: 1")
    assert kinds(database, source) == [("edited", B)]


Change = Callable[[Path], None]


def delete_b(source: Path) -> None:
    for path in source.glob(f"{B}*"):
        path.unlink()


def rename_b(source: Path) -> None:
    for path in source.glob(f"{B}*"):
        path.rename(source / path.name.replace(B, C))


@pytest.mark.parametrize(("change", "left"), [(delete_b, [A]), (rename_b, [A, C])])
def test_repair_forgets_a_deleted_file_and_follows_a_renamed_one(
    database: str, source: Path, change: Change, left: list[str]
) -> None:
    change(source)
    assert run_trueup("repair", B, "--yes", "--sources", str(source), dsn=database).returncode == 0
    assert (kinds(database, source), applied(database)) == ([], left)
    assert apply(database, read_migrations([source])).migrations == ()
    assert query(database, "SELECT count(*) FROM pg_class WHERE relname = 'b'") == [(1,)]


def test_there_is_nothing_to_repair_where_file_and_record_agree(
    database: str, source: Path
) -> None:
    done = run_trueup("repair", A, "--yes", "--sources", str(source), dsn=database)
    assert (done.returncode, done.stdout) == (UsageError.exit_code, "")
    assert f"{A}: its file and its record agree" in done.stderr


def test_a_file_that_is_edited_between_plan_and_apply_runs_as_it_was_read(
    database: str, tmp_path: Path
) -> None:
    path = write_migration(tmp_path, A, "CREATE TABLE planned ();", "DROP TABLE planned;")
    migrations = read_migrations([tmp_path])
    path.write_text("CREATE TABLE sneaked_in ();")
    apply(database, migrations)
    assert query(database, "SELECT to_regclass('planned') IS NOT NULL") == [(True,)]
    assert kinds(database, tmp_path) == [("edited", A)]


def test_the_other_strategy_is_refused_once_one_has_begun(database: str) -> None:
    root = Path(__file__).parents[3]
    options = ("--service", "model_orchestration", "--dsn", database)
    assert run_trueup("apply", "--to", "expand", *options, cwd=root).returncode == 0
    other = run_trueup("apply", "--strategy", "window", *options, cwd=root)
    assert other.returncode == 1
    assert "--strategy online has begun to convert public.model, public.request" in other.stderr
    assert "go on with --strategy online, or roll it back first" in other.stderr
