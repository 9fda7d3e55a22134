"""An existing database is recorded at its baseline only when it stands there; drift is listed."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from support.migration_files import write_migration
from support.runs import applied, query, run_trueup

from runner.errors import LedgerError, ScratchError, StatementError
from runner.execute.drift import drift
from runner.execute.engine import apply
from runner.execute.record import baseline
from runner.ledger.files import read_migrations

ROOT = Path(__file__).parents[3]
LEGACY = """CREATE TABLE public.models (
    id varchar(36) PRIMARY KEY,
    name varchar(100) NOT NULL,
    status varchar NOT NULL DEFAULT 'active'
);
CREATE INDEX models_name_idx ON public.models (name);"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "orders" / "legacy"
    write_migration(folder, "0001_baseline_legacy", LEGACY, "DROP TABLE public.models;")
    write_migration(
        folder,
        "0100_expand_model",
        "ALTER TABLE public.models ADD COLUMN n int;",
        "ALTER TABLE public.models DROP COLUMN n;",
        depends="0001_baseline_legacy",
    )
    return folder


def scratch_databases(dsn: str) -> list[tuple[object, ...]]:
    return query(dsn, "SELECT datname FROM pg_database WHERE datname LIKE 'trueup_scratch%'")


def test_a_database_at_the_baseline_is_recorded_and_not_changed(
    database: str, source: Path
) -> None:
    # The same columns in another order, with rows, a grant and a table of another service.
    query(database, "CREATE TABLE models (status varchar NOT NULL DEFAULT 'active')")
    query(database, "ALTER TABLE models ADD COLUMN id varchar(36) PRIMARY KEY")
    query(database, "ALTER TABLE models ADD COLUMN name varchar(100) NOT NULL")
    query(database, "CREATE INDEX models_name_idx ON models (name)")
    query(database, "INSERT INTO models VALUES ('active', 'a', 'b')")
    query(database, "GRANT SELECT ON models TO PUBLIC")
    query(database, "CREATE TABLE elsewhere (id int)")
    migrations = read_migrations([source])
    assert baseline(database, migrations) == ["0001_baseline_legacy"]
    assert applied(database) == ["0001_baseline_legacy"]
    assert query(database, "SELECT operation, state FROM trueup.ledger") == [("BASELINE", "DONE")]
    assert query(database, "SELECT operation FROM _yoyo_log") == [("mark",)]
    assert scratch_databases(database) == []
    assert baseline(database, migrations) == []
    assert apply(database, migrations).migrations == ("0100_expand_model",)


def test_each_difference_is_listed_and_nothing_is_recorded(database: str, source: Path) -> None:
    query(database, "CREATE TABLE models (id varchar(40) PRIMARY KEY, extra int)")
    with pytest.raises(LedgerError) as raised:
        baseline(database, read_migrations([source]))
    lines = raised.value.message.splitlines()
    assert lines[0] == "the database is not at the baseline of orders:"
    assert "  relation public.models column extra: not expected" in lines
    assert "  relation public.models column status: missing" in lines
    assert any(line.endswith(" models_name_idx: missing") for line in lines)
    assert any("type is 'character varying(40)'" in line for line in lines)
    assert query(database, "SELECT to_regclass('_yoyo_migration')") == [(None,)]
    assert scratch_databases(database) == []


def test_an_existing_database_that_was_not_recorded_is_told_how(
    database: str, source: Path
) -> None:
    query(database, LEGACY)
    with pytest.raises(StatementError, match="already exists") as raised:
        apply(database, read_migrations([source]))
    assert raised.value.hint.endswith("first record them with `trueup baseline`")
    assert applied(database) == []


def test_the_command_lists_the_differences(database: str, source: Path) -> None:
    done = run_trueup("baseline", "--sources", str(source), dsn=database)
    assert done.returncode == 1
    assert "relation public.models: missing" in done.stderr


def test_a_role_that_may_not_create_databases_is_told_so(database: str, source: Path) -> None:
    query(database, "DROP ROLE IF EXISTS no_createdb")
    query(database, "CREATE ROLE no_createdb LOGIN")
    dsn = " ".join(
        f"{k}={v}" for k, v in (conninfo_to_dict(database) | {"user": "no_createdb"}).items()
    )
    try:
        with pytest.raises(ScratchError, match="a scratch database cannot be created") as raised:
            baseline(dsn, read_migrations([source]))
        assert "CREATEDB" in raised.value.hint
    finally:
        query(database, "DROP ROLE no_createdb")


def test_a_database_that_only_its_files_have_changed_has_no_drift(
    database: str, source: Path
) -> None:
    migrations = read_migrations([source])
    apply(database, migrations)
    assert drift(database, migrations) == []
    assert scratch_databases(database) == []


def test_what_was_changed_past_the_files_is_listed_object_by_object(
    database: str, source: Path
) -> None:
    migrations = read_migrations([source])
    apply(database, migrations)
    query(database, "ALTER TABLE models ALTER COLUMN status SET DEFAULT 'ACTIVE'")
    query(database, "DROP INDEX models_name_idx")
    query(database, "CREATE TABLE extra (id int)")
    query(database, "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    found = [(d.object.split()[-1], d.property) for d in drift(database, migrations)]
    assert found == [
        ("public.extra", "exists"),
        ("status", "default"),
        ("models_name_idx", "exists"),
        ("public.f()", "exists"),
    ]
    listed = run_trueup("verify", "--drift", "--sources", str(source), dsn=database)
    assert (listed.returncode, listed.stdout.splitlines()[-1]) == (1, "changed past the files: 4")


def test_the_shipped_files_leave_no_drift(database: str) -> None:
    options = ("--service", "model_orchestration", "--dsn", database)
    for phase in ("enforce", "switch", "contract"):
        applied_ = run_trueup("apply", "--to", phase, "--waiting-period", "0", *options, cwd=ROOT)
        assert applied_.returncode == 0, applied_.stderr
        listed = run_trueup("verify", "--drift", *options, cwd=ROOT)
        assert (listed.returncode, listed.stdout) == (0, "changed past the files: 0\n")
