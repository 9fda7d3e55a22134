"""A dry run tries what it can and leaves nothing, whatever a file does."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg import sql
from support.migration_files import write_migration
from support.runs import query, run_trueup, tables

from runner.errors import StatementError
from runner.execute.dry_run import _REFUSE_COMMIT, dry_run
from runner.ledger.files import read_migrations
from runner.postgres.connect import connect


def test_transactional_files_are_tried_and_undone(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE a ();", "DROP TABLE a;")
    write_migration(tmp_path, "0002_expand_b", "ALTER TABLE a ADD n int;", depends="0001_expand_a")
    write_migration(
        tmp_path,
        "0003_enforce_c",
        "CREATE INDEX CONCURRENTLY i ON a (n);",
        depends="0002_expand_b",
        transactional=False,
    )
    write_migration(tmp_path, "0004_enforce_d", "SELECT 1;", depends="0003_enforce_c")
    trials = dry_run(database, read_migrations([tmp_path]))
    assert [(t.migration, t.tried, t.reason) for t in trials] == [
        ("0001_expand_a", True, ""),
        ("0002_expand_b", True, ""),
        ("0003_enforce_c", False, "it runs outside a transaction"),
        ("0004_enforce_d", False, "it depends on 0003_enforce_c"),
    ]
    schemas = query(database, "SELECT nspname FROM pg_namespace WHERE nspname = 'trueup'")
    assert (tables(database), schemas) == ([], [])
    assert query(database, "SELECT to_regclass('_yoyo_migration')") == [(None,)]


def test_the_database_itself_refuses_to_commit(database: str) -> None:
    with connect(database, application_name="test") as connection:
        connection.execute("BEGIN")
        connection.execute(sql.SQL(_REFUSE_COMMIT))
        connection.execute("CREATE TABLE a ()")
        with pytest.raises(Exception, match="a dry run is never committed"):
            connection.execute("COMMIT")
    assert tables(database) == []


def test_an_error_is_shown_as_apply_would_show_it(database: str, tmp_path: Path) -> None:
    path = write_migration(tmp_path, "0001_expand_a", "SELECT nothing;")
    with pytest.raises(StatementError) as raised:
        dry_run(database, read_migrations([tmp_path]))
    assert f"{path}:3:8: column" in raised.value.message


def test_the_command_lists_what_it_tried(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT 1;")
    done = run_trueup("apply", "--dry-run", "--sources", str(tmp_path), dsn=database)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == (
        "dry run: 1 of 1 pending tried and undone; nothing was changed"
    )
