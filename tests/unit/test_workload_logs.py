"""Statements out of files, whatever wrote them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.workload.logs import read_statements
from runner.workload.model import Sent


def read(tmp_path: Path, text: str) -> list[tuple[str, int | None]]:
    return [(s.text, s.calls) for s in sent(tmp_path, text)]


def sent(tmp_path: Path, text: str) -> list[Sent]:
    path = tmp_path / "given"
    path.write_text(text, encoding="utf-8")
    return read_statements(path)


def test_plain_sql_has_one_statement_for_each_semicolon(tmp_path: Path) -> None:
    text = "-- a; b\nSELECT ';';\n\nTABLE models;\nTABLE models"
    assert read(tmp_path, text) == [("SELECT ';';", 1), ("TABLE models;", 1), ("TABLE models", 1)]


def test_a_statement_keeps_its_place(tmp_path: Path) -> None:
    assert [s.source for s in sent(tmp_path, "SELECT 1;\nTABLE models;")] == ["given:1", "given:2"]


def test_rows_and_commands_of_psql_are_no_statements(tmp_path: Path) -> None:
    text = "\\restrict x\nCOPY models (id) FROM stdin;\nit's\n\\.\nTABLE models;\n"
    assert [text for text, _ in read(tmp_path, text)] == [
        "COPY models (id) FROM stdin;",
        "TABLE models;",
    ]


def test_what_differs_in_values_alone_is_one_statement(tmp_path: Path) -> None:
    text = "SELECT * FROM a WHERE id = 1; SELECT *  FROM a WHERE id = 22; SELECT * FROM a1;"
    assert read(tmp_path, text) == [
        ("SELECT * FROM a WHERE id = 1;", 2),
        ("SELECT * FROM a1;", 1),
    ]


@pytest.mark.parametrize(
    "prefix",
    [
        "2026-11-30 07:00:00.000 UTC [71] ",
        "2026-11-30 07:00:00 UTC:10.0.0.1(5000):app@shop:[71]:",
        "",
        "user=app,db=shop ",
    ],
)
def test_a_log_as_text_whatever_its_prefix(tmp_path: Path, prefix: str) -> None:
    text = (
        f"{prefix}LOG:  statement: SELECT 1\n\tFROM models\n"
        f"{prefix}LOG:  duration: 0.120 ms  parse <unnamed>: TABLE models\n"
        f"{prefix}LOG:  duration: 1.120 ms  execute <unnamed>: TABLE models WHERE id = $1\n"
        f"{prefix}DETAIL:  parameters: $1 = 'it''s', $2 = NULL\n"
        f'{prefix}ERROR:  relation "x" does not exist at character 15\n'
        f"{prefix}STATEMENT:  SELECT * FROM x\n"
        f"{prefix}LOG:  checkpoint starting: time\n"
    )
    found = sent(tmp_path, text)
    assert [s.text for s in found] == ["SELECT 1\nFROM models", "TABLE models WHERE id = $1"]
    assert found[1].values == ("it's", None)


def test_a_log_as_json(tmp_path: Path) -> None:
    entries = [
        {"message": "statement: TABLE models", "error_severity": "LOG"},
        {"message": "execute s1: TABLE a WHERE x = $1", "detail": "Parameters: $1 = 'v'"},
        {"message": "connection authorized: user=app"},
    ]
    found = sent(tmp_path, "".join(json.dumps(e) + "\n" for e in entries) + '{"message": "st')
    assert [s.text for s in found] == ["TABLE models", "TABLE a WHERE x = $1"]
    assert found[1].values == ("v",)


def test_a_log_as_csv(tmp_path: Path) -> None:
    output = io.StringIO()
    row = ["2026-11-30 07:00:00.000 UTC", *[""] * 25]
    row[11], row[13], row[14] = "LOG", 'statement: SELECT "a"\nFROM models', ""
    csv.writer(output).writerow(row)
    assert read(tmp_path, output.getvalue()) == [('SELECT "a"\nFROM models', 1)]


def test_a_file_without_statements_says_what_it_was_read_as(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no statement; it was read as a log"):
        read(tmp_path, "2026-11-30 07:00:00 UTC [7] LOG:  checkpoint starting: time\n")


def test_sql_that_nothing_can_split_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="given:2: the string never ends"):
        read(tmp_path, "SELECT 1;\nSELECT 'x")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_statements(tmp_path / "none")
