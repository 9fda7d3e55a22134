"""Every SQL that lint suggests is parsed, and run on a real server where it belongs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest
from lint.ground import CORPUS_GROUND, GROUND, without_columns
from lint.hazards import HAZARDS, NOT_RUN, SCHEMA
from lint.test_corpus import CORPUS
from psycopg import sql

from runner.ledger.scanner import split
from runner.lint import all_rules, lint
from runner.lint.docs import write_example
from runner.lint.layouts import chains, find_files
from runner.lint.model import Finding, Rule
from runner.lint.steps import statements

RULES = all_rules()
# What they suggest belongs behind the statement.
_FIRST = {"several-tables-locked"}
_AFTER = {"security-definer"} | {rule.name for rule in RULES if rule.chain}
_REFUSED = {"already-there", "not-there"}
_MAKES = (
    r"\b(?:ADD CONSTRAINT|RENAME TO|CREATE\s+(?:OR REPLACE |UNIQUE |UNLOGGED |TEMP |MATERIALIZED )*"
    r"(?:TABLE|VIEW|TYPE|FUNCTION|DOMAIN|SCHEMA|INDEX|ROLE|SEQUENCE))\s+"
    r"(?:CONCURRENTLY )?(?:IF NOT EXISTS )?(?:next\.)?{}\b"
)


def run(connection: psycopg.Connection[Any], text: str) -> None:
    """Run statements one by one, those around a SET LOCAL or a lock in one transaction."""
    if "CONCURRENTLY" in text or "without BEGIN" in text:
        connection.execute("COMMIT")
    together = re.search(r"\bSET LOCAL\b|^-- in one transaction", text) is not None
    for statement in split(f"BEGIN;{text};COMMIT" if together else text):
        connection.execute(statement.text.encode())


def before(finding: Finding, folder: Path) -> list[str]:
    """The statements that run before a finding's, file by file."""
    found: list[str] = []
    for chain in chains(find_files([folder])):
        for pair in chain:
            for statement in pair.up.statements:
                here = pair.up.path == finding.path
                end = statement.offset + len(statement.text)
                place = _offset(pair.up.content, finding)
                if here and place < end and finding.rule not in _AFTER:
                    begins = [n for n, text in enumerate(found) if text.startswith("BEGIN")]
                    return found[: begins[-1]] if finding.rule in _FIRST else found
                found.append(statement.text)
                if (
                    here
                    and place < end
                    and finding.rule in _AFTER - {r.name for r in RULES if r.chain}
                ):
                    return found
    return found


def _offset(content: str, finding: Finding) -> int:
    lines = content.splitlines(keepends=True)
    return sum(map(len, lines[: finding.line - 1])) + finding.column - 1


def prepare(dsn: str, text: str, suggested: str, ground: dict[str, str]) -> None:
    """Make what the files take for granted."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        for schema in ("app", "archive", "next", "target", "billing"):
            connection.execute(
                sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))
            )
        for name, statement in ground.items():
            first = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text + suggested)
            made = re.search(_MAKES.format(re.escape(name)), text, re.IGNORECASE)
            if first and not (made and made.end() == first.end()):
                connection.execute(without_columns(statement, text).encode())


def problems(
    dsn: str, folder: Path, ground: dict[str, str], *, only: Path | None = None
) -> list[str]:
    """What is wrong with the suggestions for the files of a folder."""
    found = []
    text = "\n".join(path.read_text("utf-8") for path in sorted(folder.rglob("*.sql")))
    findings = lint([only or folder], with_squawk=False).findings
    refused = [f for f in findings if f.rule in _REFUSED]
    for finding in findings:
        if any(f.path <= finding.path and f.line <= finding.end_line for f in refused):
            continue  # No server runs the file to here.
        bad = [s.problem for s in statements(finding.instead) if s.problem]
        if bad:
            found.append(f"{finding.rule}: {bad[0]}\n{finding.instead}")
            continue
        if not split(finding.instead) or finding.path.name.endswith((".rollback.sql", ".down.sql")):
            continue
        prepare(dsn, text, finding.instead, ground)
        with psycopg.connect(dsn, autocommit=True) as connection:
            try:
                for statement in before(finding, folder):
                    connection.execute(statement.encode())
            except psycopg.Error as error:
                found.append(f"{finding.rule}: before it: {error}\n{text}")
                continue
            try:
                run(connection, finding.instead)
            except psycopg.errors.RaiseException:
                pass  # A check of its own refuses: the table was read when it was made.
            except psycopg.errors.DependentObjectsStillExist:
                pass  # The list of what depends on it is what the suggestion asks for.
            except psycopg.Error as error:
                found.append(f"{finding.rule}: {error}\n{text[-300:]}\n-->\n{finding.instead}")
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_is_suggested_for_the_examples_runs(database: str, rule: Rule, tmp_path: Path) -> None:
    found = []
    for number, example in enumerate(rule.flagged):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_example(folder, example)
        found += problems(database, folder, GROUND)
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("first", "abcdefghijklmnopqrstuvwxyz")
def test_what_is_suggested_for_the_hazards_runs(database: str, tmp_path: Path, first: str) -> None:
    found = []
    for name, (_, change) in HAZARDS.items():
        if name[0] != first or name in NOT_RUN:
            continue
        folder = tmp_path / name.replace(" ", "_")
        folder.mkdir()
        (folder / "0001_schema.sql").write_text(SCHEMA, encoding="utf-8")
        (folder / "0002_change.sql").write_text(change + "\n", encoding="utf-8")
        found += problems(database, folder, _ROLE, only=folder / "0002_change.sql")
    assert not found, "\n\n".join(found)


# `the_t` is what a suggestion calls a table whose name only the variable t of a block knows.
_ROLE = {"the_application": GROUND["the_application"], "the_t": "CREATE TABLE the_t (k int)"}


def test_all_that_is_suggested_for_the_corpus_is_sql() -> None:
    for finding in lint([CORPUS], with_squawk=False).findings:
        wrong = [statement.problem for statement in statements(finding.instead)]
        assert not any(wrong), f"{finding.path}: {finding.instead}"


def test_what_is_suggested_for_the_corpus_runs(database: str, tmp_path: Path) -> None:
    hazards = CORPUS / "hazards"
    files = [*hazards.glob("plain/*.sql"), *hazards.glob("flyway/*/*.sql")]
    found = []
    for path in sorted(files):
        folder = tmp_path / path.stem
        folder.mkdir()
        shutil.copy(path, folder)
        found += problems(database, folder, CORPUS_GROUND)
    assert len(files) > 50
    assert not found, "\n\n".join(found)
