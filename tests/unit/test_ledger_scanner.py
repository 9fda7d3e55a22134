"""Statements end where PostgreSQL ends them. The server's own word: tests/database."""

import pytest

from runner.ledger.scanner import ScanError, split


def texts(sql: str) -> list[str]:
    return [statement.text for statement in split(sql)]


def test_statements_end_at_semicolons_and_the_last_one_needs_none() -> None:
    assert texts("SELECT 1;  SELECT 2") == ["SELECT 1;", "SELECT 2"]


def test_comments_and_empty_statements_are_no_statements() -> None:
    assert texts("-- one; two\n;; /* three; */ ;\n") == []
    assert texts("/* a */ SELECT 1 -- b;\n;") == ["SELECT 1 -- b;\n;"]
    assert texts("SELECT 1; -- done\n/* end */") == ["SELECT 1;"]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT ';';",
        "SELECT 'it''s; here';",
        r"SELECT 'C:\';",
        r"SELECT E'it\'s; here';",
        "SELECT E'a'\n  'b\\'; c';",
        'SELECT 1 AS "a;""b";',
        "SELECT $$;$$;",
        "SELECT $a$ $b$ ; $$ $a$;",
        "SELECT a$b$c;",
        "SELECT /* ; /* nested ; */ ; */ 1;",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE 1 WHEN 1 THEN 2 END;"
        " END;",
        "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); END;",
        "DO $do$ BEGIN PERFORM 1; COMMIT; END $do$;",
        "SELECT U&'d\\0061t;a', N'x;', B'01', X'1F';",
    ],
)
def test_a_semicolon_inside_ends_nothing(statement: str) -> None:
    assert texts(statement + "\nSELECT 2;") == [statement, "SELECT 2;"]


def test_begin_opens_a_body_only_in_the_definition_of_a_routine() -> None:
    assert texts("BEGIN; SELECT 1; END;") == ["BEGIN;", "SELECT 1;", "END;"]


def test_each_statement_knows_its_place() -> None:
    sql = "-- title\n\nSELECT 1;\n  -- why\n  SELECT\n 2;"
    first, second = split(sql)
    assert (first.line, first.offset, first.words) == (3, 10, ("SELECT",))
    assert (second.line, sql[second.offset :]) == (5, "SELECT\n 2;")


@pytest.mark.parametrize(
    ("sql", "message", "offset"),
    [
        ("SELECT 1;\nSELECT 'a", "string never ends", 17),
        ('SELECT "a', "quoted identifier never ends", 7),
        ("SELECT $x$ a $y$", r"\$x\$ quote is never closed", 7),
        ("/* /* */ SELECT 1", "comment is never closed", 0),
        ("SELECT 1;\n\\d t", "psql command", 10),
    ],
)
def test_what_no_lexer_can_split_is_told_with_its_place(
    sql: str, message: str, offset: int
) -> None:
    with pytest.raises(ScanError, match=message) as raised:
        split(sql)
    assert raised.value.offset == offset


def test_a_long_run_of_blank_lines_after_a_string_costs_no_backtracking() -> None:
    assert len(split("SELECT 'a'" + " \n" * 10_000 + ";")) == 1
