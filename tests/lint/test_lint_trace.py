"""Traced on a real server: what no reading of the text shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.lint import Finding, Report, lint
from runner.lint.docs import write_example

BASE = "CREATE TABLE users (id int PRIMARY KEY, name text);\n"


def traced(folder: Path, example: str, schema: Path | None = None) -> Report:
    write_example(folder, example)
    return lint([folder], with_squawk=False, traced=True, schema=schema)


def of_trace(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.source == "trace"]


def test_a_do_block_shows_the_locks_it_took_and_the_table_it_rewrote(tmp_path: Path) -> None:
    hidden = (
        "DO $$\nDECLARE t text;\nBEGIN\n"
        "  FOR t IN SELECT relname FROM pg_class WHERE relname ~ '^use' AND relkind = 'r' LOOP\n"
        "    EXECUTE 'ALTER TABLE ' || t || ' ALTER COLUMN id TYPE bigint';\n"
        "  END LOOP;\nEND $$;\n"
    )
    found = of_trace(traced(tmp_path, f"{BASE}-- file: 0002_hidden.sql\n{hidden}"))
    assert [(f.rule, f.path.name, f.line) for f in found] == [
        ("traced-lock", "0002_hidden.sql", 1),
        ("traced-rewrite", "0002_hidden.sql", 1),
    ]
    assert found[0].message == "took ACCESS EXCLUSIVE on users"
    assert found[1].message == "rewrote users"


def test_a_function_that_changes_a_table_is_seen(tmp_path: Path) -> None:
    text = (
        f"{BASE}CREATE FUNCTION widen() RETURNS void LANGUAGE sql AS\n"
        "'ALTER TABLE users ADD COLUMN more text';\n"
        "-- file: 0002_call.sql\nSELECT widen();\n"
    )
    (finding,) = of_trace(traced(tmp_path, text))
    assert (finding.rule, finding.path.name) == ("traced-lock", "0002_call.sql")


def test_a_rollback_that_is_not_the_reverse(tmp_path: Path) -> None:
    text = (
        "-- migrate:up\nCREATE TABLE a (n int);\nCREATE VIEW v AS SELECT n FROM a;\n"
        "-- migrate:down\nDROP VIEW v;\nDROP TABLE a;\n"
        "-- file: 0002_b.sql\n"
        "-- migrate:up\nSET LOCAL lock_timeout = '1s';\nALTER TABLE a ADD COLUMN m text;\n"
        "-- migrate:down\nALTER TABLE a ADD COLUMN wrong text;\n"
    )
    (finding,) = of_trace(traced(tmp_path, text))
    assert (finding.rule, finding.path.name, finding.line) == (
        "rollback-not-reverse",
        "0002_b.sql",
        5,
    )
    assert "not expected" in finding.message or "wrong" in finding.message


def test_a_rollback_that_fails(tmp_path: Path) -> None:
    text = "-- migrate:up\nCREATE TABLE a (n int);\n-- migrate:down\nDROP TABLE a, b;\n"
    (finding,) = of_trace(traced(tmp_path, text))
    assert finding.message == 'it fails: table "b" does not exist'


def test_files_outside_a_transaction_are_traced_too(tmp_path: Path) -> None:
    text = (
        f"-- depends:\n{BASE}-- file: 0001_example.rollback.sql\nDROP TABLE users;\n"
        "-- file: 0002_index.sql\n-- transactional: false\n"
        "CREATE INDEX CONCURRENTLY i ON users (name);\n"
        "-- file: 0002_index.rollback.sql\nSELECT 1;\n"
    )
    (finding,) = of_trace(traced(tmp_path, text))
    assert (finding.rule, finding.path.name) == ("rollback-not-reverse", "0002_index.rollback.sql")


def test_what_was_there_before_comes_from_the_schema(tmp_path: Path) -> None:
    files = tmp_path / "migrations"
    text = "SET lock_timeout = '1s';\nALTER TABLE users ADD COLUMN more text;\n"
    (finding,) = of_trace(traced(files, text))
    assert (finding.rule, finding.level, finding.line) == ("trace-failed", "error", 2)
    assert finding.message == 'relation "users" does not exist; what follows it was not run'
    schema = tmp_path / "schema.sql"
    schema.write_text(BASE, encoding="utf-8")
    assert of_trace(traced(files, text, schema)) == []
    dumped = "\\restrict x1\n\nALTER TABLE users OWNER TO shop;\n\\unrestrict x1\n"
    schema.write_text(BASE + "CREATE EXTENSION file_fdw;\n" + dumped, encoding="utf-8")
    report = traced(files, text, schema)
    assert of_trace(report) == []
    assert ["stand-ins" in note or "file_fdw" in note for note in report.notes] == [True, True]
    schema.write_text("CREATE TABLE broken (;", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be loaded"):
        traced(files, text, schema)


def test_a_materialized_view_may_be_filled_in_a_file_that_nothing_undoes(tmp_path: Path) -> None:
    text = (
        f"-- depends:\n{BASE}CREATE MATERIALIZED VIEW m AS SELECT id FROM users WITH NO DATA;\n"
        "-- file: 0001_example.rollback.sql\nDROP MATERIALIZED VIEW m;\nDROP TABLE users;\n"
        "-- file: 0002_fill.sql\nREFRESH MATERIALIZED VIEW m;\n"
        "-- file: 0002_fill.rollback.sql\n-- no-op: it goes with the file that made it.\n"
    )
    assert of_trace(traced(tmp_path, text)) == []
    again = "-- file: 0003_again.sql\nREFRESH MATERIALIZED VIEW m;\n"
    empties = "-- file: 0003_again.rollback.sql\nREFRESH MATERIALIZED VIEW m WITH NO DATA;\n"
    found = of_trace(traced(tmp_path, text + again + empties))
    assert [(f.rule, f.path.name) for f in found] == [
        ("rollback-not-reverse", "0003_again.rollback.sql"),
        ("traced-rewrite", "0003_again.sql"),
    ]
