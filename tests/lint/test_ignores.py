"""Findings that a person has judged are left out, with a reason, and only where they are."""

from __future__ import annotations

from pathlib import Path

from runner.lint import Finding, lint
from runner.lint.docs import write_example

TIMEOUT = "SET lock_timeout = '1s';\n"


def findings(folder: Path, example: str) -> list[Finding]:
    write_example(folder, example)
    return list(lint([folder], with_squawk=False).findings)


def test_an_ignore_before_a_statement_covers_it(tmp_path: Path) -> None:
    text = TIMEOUT + "-- trueup: ignore drop-table because nothing reads it\nDROP TABLE a;\n"
    assert findings(tmp_path, text) == []


def test_an_ignore_inside_or_at_the_end_of_a_statement_covers_it(tmp_path: Path) -> None:
    inside = "ALTER TABLE a\n  DROP COLUMN b,  -- trueup: ignore drop-column because unused\n"
    text = TIMEOUT + inside + "  DROP COLUMN c;\n"
    assert findings(tmp_path, text) == []
    text = TIMEOUT + "DROP TABLE a;  -- trueup: ignore drop-table because nothing reads it\n"
    assert findings(tmp_path, text) == []


def test_it_does_not_cover_the_next_statement_or_another_rule(tmp_path: Path) -> None:
    comment = "-- trueup: ignore drop-table because nothing reads it\n"
    text = TIMEOUT + comment + "DROP TABLE a;\nDROP TABLE b;\nDROP TABLE c CASCADE;\n"
    found = findings(tmp_path, text)
    assert [(f.rule, f.line) for f in found] == [
        ("drop-table", 4),
        ("drop-cascade", 5),
        ("drop-table", 5),
    ]


def test_several_rules_in_one_comment(tmp_path: Path) -> None:
    comment = "-- trueup: ignore drop-table, drop-cascade because nothing reads them\n"
    assert findings(tmp_path, TIMEOUT + comment + "DROP TABLE a CASCADE;\n") == []


def test_in_the_header_it_covers_findings_about_the_file(tmp_path: Path) -> None:
    header = "-- depends: 0000_base\n-- trueup: ignore rollback-missing because it is a comment\n"
    assert findings(tmp_path, header + "COMMENT ON TABLE t IS 'x';\n") == []


def test_without_a_reason_it_is_an_error_and_covers_nothing(tmp_path: Path) -> None:
    for comment in ("-- trueup: ignore drop-table", "-- trueup: ignore drop-table because "):
        found = findings(tmp_path, f"{TIMEOUT}{comment}\nDROP TABLE a;\n")
        assert [f.rule for f in found] == ["ignore-without-reason", "drop-table"]
        assert found[0].level == "error"


def test_a_rule_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    found = findings(tmp_path, "-- trueup: ignore drop-tabel because typo\nSELECT 1;\n")
    assert [f.rule for f in found] == ["ignore-without-reason"]
    assert "there is no rule drop-tabel" in found[0].message


def test_one_that_covers_nothing_is_reported(tmp_path: Path) -> None:
    found = findings(tmp_path, "-- trueup: ignore drop-table because old\nSELECT 1;\n")
    assert [(f.rule, f.level, f.line) for f in found] == [("unused-ignore", "warning", 1)]


def test_in_a_file_with_two_sections_each_is_covered(tmp_path: Path) -> None:
    text = (
        "-- migrate:up\nSET LOCAL lock_timeout = '1s';\n"
        "-- trueup: ignore drop-table because nothing reads it\nDROP TABLE a;\n"
        "-- migrate:down\nCREATE TABLE a (n int);\n"
    )
    assert findings(tmp_path, text) == []


def test_a_rollback_may_give_the_reason_for_what_no_rule_reads_there(tmp_path: Path) -> None:
    comment = "-- trueup: ignore disable-trigger because it was disabled before\n"
    disable = f"SET LOCAL lock_timeout = '1s';\n{comment}ALTER TABLE a DISABLE TRIGGER t;\n"
    both = f"{disable}-- file: 0001_example.rollback.sql\n{disable}"
    assert findings(tmp_path, both) == []
    unused = comment.replace("disable-trigger", "transaction-control")
    text = f"{disable}-- file: 0001_example.rollback.sql\n{unused}{disable}"
    assert [f.rule for f in findings(tmp_path, text)] == ["unused-ignore"]
