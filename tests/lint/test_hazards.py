"""Lint on changes as real teams write them, each run on a real server with what lint suggests."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from lint.hazards import HAZARDS, NOT_RUN, REFUSED, SAFE, SCHEMA

from runner.ledger.scanner import split
from runner.lint import lint
from runner.lint.model import Finding

_ROWS = "INSERT INTO accounts VALUES ('1', 'o', 'open'); INSERT INTO tenants VALUES (1, 'a');"


def findings(folder: Path, change: str, *, schema: bool = True) -> tuple[Finding, ...]:
    """What lint says of a change, behind the schema that it is made for."""
    if schema:
        (folder / "0001_schema.sql").write_text(SCHEMA, encoding="utf-8")
    path = folder / "0002_change.sql"
    path.write_text(change + "\n", encoding="utf-8")
    return lint([path]).findings


@pytest.mark.parametrize("name", HAZARDS)
def test_a_hazard_is_found(tmp_path: Path, name: str) -> None:
    rules, change = HAZARDS[name]
    found = {finding.rule for finding in findings(tmp_path, change)}
    assert found & set(rules.split()), found


@pytest.mark.parametrize("name", SAFE)
def test_nothing_is_said_of_a_safe_change(tmp_path: Path, name: str) -> None:
    found = findings(tmp_path, SAFE[name])
    assert [f"{finding.rule}: {finding.message}" for finding in found] == []


def test_nearly_as_much_is_found_without_the_schema(tmp_path: Path) -> None:
    missed = [
        name
        for name, (rules, change) in HAZARDS.items()
        if not {f.rule for f in findings(tmp_path, change, schema=False)} & set(rules.split())
    ]
    assert len(missed) <= len(HAZARDS) * 0.05, missed


def test_nothing_is_said_of_a_safe_change_without_the_schema(tmp_path: Path) -> None:
    said = {name: findings(tmp_path, change, schema=False) for name, change in SAFE.items()}
    errors = {n: [f.rule for f in found if f.level == "error"] for n, found in said.items()}
    assert not {name: rules for name, rules in errors.items() if rules}


def run(dsn: str, text: str) -> None:
    """Run SQL as psql does: one statement after the other, each by itself."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in split(text):
            connection.execute(statement.text.encode())


@pytest.mark.parametrize("name", [*HAZARDS, *SAFE])
def test_the_change_is_one_that_a_server_runs(database: str, name: str) -> None:
    if name in NOT_RUN:
        pytest.skip("it changes the server")
    change = HAZARDS[name][1] if name in HAZARDS else SAFE[name]
    run(database, SCHEMA)
    if name in REFUSED:
        with pytest.raises(psycopg.Error):
            run(database, _ROWS + change)
    else:
        run(database, change)


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("FOREACH t IN ARRAY ARRAY['notes', 'moods'] LOOP {} END LOOP;", ["notes", "moods"]),
        ("FOREACH t IN ARRAY '{notes,moods}'::text[] LOOP {} END LOOP;", ["notes", "moods"]),
        ("FOR t IN SELECT unnest(ARRAY['notes']) LOOP {} END LOOP;", ["notes"]),
        ("FOR t IN SELECT n FROM (VALUES ('notes'), ('moods')) AS v (n) LOOP {} END LOOP;", 2),
        ("t := 'notes'; {}", ["notes"]),
        ("t := 'notes'; t := current_setting('a.b'); {}", ["the table in the variable t"]),
        (
            "FOR t IN SELECT relname FROM pg_class LOOP {} END LOOP;",
            ["the table in the variable t"],
        ),
    ],
)
def test_a_block_that_names_its_tables_is_read_as_if_it_wrote_them_out(
    tmp_path: Path, block: str, told: list[str] | int
) -> None:
    work = "EXECUTE format('ALTER TABLE %I ALTER COLUMN k TYPE bigint', t);"
    change = f"DO $$ DECLARE t text; BEGIN {block.replace('{}', work)} END $$;"
    found = [f for f in findings(tmp_path, change) if f.rule == "alter-column-type"]
    names = told if isinstance(told, list) else ["notes", "moods"]
    assert [f.message.split(".k ")[0] for f in found] == [f"changing {name}" for name in names]
    for finding in found:
        assert ("-- the_t: the name in the variable t\n" in finding.instead) == (
            "the_t" in finding.instead
        )
