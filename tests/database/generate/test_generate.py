"""Generated files: the committed ones come out again, byte for byte."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from objects.things import STANDARD, things
from support.databases import DatabaseFactory
from support.variants import BASELINE, SHIPPED, TEXT, MakeService, write_generated

from runner.errors import LockedError
from runner.preflight import check
from runner.service.write import generate_service
from runner.standard import load_standard


def read_all(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.sql"))
        if "legacy" not in path.parts
    }


def test_generating_again_changes_nothing(make_service: MakeService, tmp_path: Path) -> None:
    service = make_service(TEXT, filled=False)
    write_generated(SHIPPED / "standard.toml", service.dsn, tmp_path, BASELINE)
    assert read_all(tmp_path) == read_all(SHIPPED)


def test_rows_change_nothing_in_the_files(make_service: MakeService, tmp_path: Path) -> None:
    service = make_service(TEXT)
    write_generated(SHIPPED / "standard.toml", service.dsn, tmp_path, BASELINE)
    assert read_all(tmp_path) == read_all(SHIPPED)


def test_views_of_another_schema_are_brought_along(
    database_factory: DatabaseFactory, tmp_path: Path
) -> None:
    dsn = database_factory()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(things() + "CREATE SCHEMA reports;")
        connection.execute(
            "CREATE VIEW reports.open AS SELECT id FROM things WHERE status = 'open'"
        )
    (tmp_path / "standard.toml").write_text('[service]\nname = "s"\n' + STANDARD, encoding="utf-8")
    generate_service(tmp_path, dsn=dsn, dry=False)
    (swap,) = (tmp_path / "online" / "contract").glob("*_contract_thing_dependents.sql")
    assert "CREATE VIEW reports.open AS" in swap.read_text(encoding="utf-8")
    # The server reads it in both contracts' words, and does not wait for ever.
    with psycopg.connect(dsn) as holder:
        holder.execute("LOCK TABLE things IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LockedError, match="waited for a lock"):
            generate_service(tmp_path, dsn=dsn, dry=True)


def test_check_tells_that_files_were_generated_from_another_schema(
    database_factory: DatabaseFactory, tmp_path: Path
) -> None:
    dsn = database_factory()
    standard = tmp_path / "standard.toml"
    standard.write_text('[service]\nname = "s"\n' + STANDARD, encoding="utf-8")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(things())
        generate_service(tmp_path, dsn=dsn, dry=False)
        before = check(connection, load_standard(standard), folder=tmp_path)
        connection.execute("CREATE INDEX ON things (status)")
        after = check(connection, load_standard(standard), folder=tmp_path)
    assert [f.problem for f in before.findings if "files in" in f.object] == []
    (found,) = (f for f in after.findings if "files in" in f.object)
    assert "enforce_thing_status_idx" in found.problem
