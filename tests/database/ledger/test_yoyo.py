"""Plain yoyo and trueup read and write the same records, in both directions."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.migration_files import write_migration, write_tables
from support.runs import applied, query, run_yoyo, tables

from runner.execute.engine import apply, rollback
from runner.ledger.files import read_migrations

IDS = ["0001_expand_table", "0002_expand_table", "0003_expand_table"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_tables(tmp_path, 3)
    return tmp_path


def test_yoyo_rolls_back_what_trueup_applied(database: str, source: Path) -> None:
    apply(database, read_migrations([source]))
    listed = run_yoyo("list", str(source), dsn=database).stdout
    assert [line.split()[0] for line in listed.splitlines()[2:]] == ["A", "A", "A"]
    run_yoyo("rollback", "--all", str(source), dsn=database)
    assert (applied(database), tables(database)) == ([], [])


def test_trueup_rolls_back_what_yoyo_applied(database: str, source: Path) -> None:
    run_yoyo("apply", str(source), dsn=database)
    migrations = read_migrations([source])
    assert apply(database, migrations).migrations == ()
    rollback(database, migrations, everything=True)
    assert (applied(database), tables(database)) == ([], [])
    assert "U" in run_yoyo("list", str(source), dsn=database).stdout


def test_either_goes_on_where_the_other_stopped(database: str, source: Path) -> None:
    migrations = read_migrations([source])
    apply(database, migrations, to=IDS[0])
    run_yoyo("apply", "-r", IDS[1], str(source), dsn=database)
    assert apply(database, migrations).migrations == (IDS[2],)
    run_yoyo("rollback", "-r", IDS[2], str(source), dsn=database)
    assert applied(database) == IDS[:2]


TABLE_FORMAT = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid),
       (SELECT string_agg(conname || ' ' || pg_get_constraintdef(k.oid), ', ' ORDER BY conname)
        FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype <> 'n')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relname ~ '^_?yoyo' AND c.relkind = 'r' ORDER BY c.relname, a.attnum
"""


def test_the_tables_are_the_same_whoever_made_them(database_factory: object, source: Path) -> None:
    assert callable(database_factory)
    ours, theirs = database_factory(), database_factory()
    apply(ours, read_migrations([source]))
    run_yoyo("apply", str(source), dsn=theirs)
    assert query(ours, TABLE_FORMAT) == query(theirs, TABLE_FORMAT)
    kept = "SELECT migration_hash, migration_id FROM _yoyo_migration ORDER BY 2"
    assert query(ours, kept) == query(theirs, kept)
    log = "SELECT migration_id, operation, username, hostname <> '' FROM _yoyo_log ORDER BY 1, 2"
    assert query(ours, log) == query(theirs, log)
    assert query(ours, "SELECT version FROM _yoyo_version") == [(2,)]


def test_a_record_tells_content_duration_and_who(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path / "orders" / "online", "0001_expand_a", "SELECT pg_sleep(0.1);")
    migrations = read_migrations([tmp_path / "orders" / "online"])
    outcome = apply(database, migrations)
    (row,) = query(
        database,
        "SELECT migration_id, service, operation, state, checksum, rollback_checksum, run,"
        " database_user = current_user, os_user <> '' AND host <> '' AND runner_version <> '',"
        " finished_at - started_at > interval '0.1 s' FROM trueup.ledger",
    )
    (migration,) = migrations
    assert row == (
        "0001_expand_a",
        "orders",
        "APPLY",
        "DONE",
        migration.checksum,
        migration.rollback_checksum,
        outcome.run,
        True,
        True,
        True,
    )
