"""What lint believes of PostgreSQL, asked of PostgreSQL."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from runner.lint import parser, tree
from runner.lint.rules.alter_column_type import keeps_rows

TYPES = (
    *("varchar(20)", "varchar(50)", "varchar", "text", "char(5)"),
    *("numeric(10,2)", "numeric(12,2)", "numeric(12,4)", "numeric"),
    *("timestamp(0)", "timestamp(3)", "timestamp", "timestamptz(3)", "timestamptz"),
    *("interval", "time(0)", "time", "cidr", "inet", "varbit(5)", "varbit(9)", "varbit"),
    *("smallint", "integer", "bigint", "real", "double precision", "date", "json", "jsonb"),
)
DEFAULTS = (
    *("now()", "CURRENT_TIMESTAMP", "'x'", "lower('X')", "current_user", "md5('x')"),
    *("gen_random_uuid()", "random()", "clock_timestamp()", "statement_timestamp()"),
    *("nextval('numbers')", "timeofday()", "to_char(now(), 'YYYY')", "concat('a', random())"),
)


def filenode(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT relfilenode FROM pg_class WHERE relname = 't'").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("old", TYPES)
def test_which_type_changes_rewrite_the_table(database: str, old: str) -> None:
    wrong = []
    with psycopg.connect(database, autocommit=True) as connection:
        for new in TYPES:
            connection.execute("DROP TABLE IF EXISTS t")
            connection.execute(sql.SQL("CREATE TABLE t (c {})").format(sql.SQL(old)))
            before = filenode(connection)
            try:
                connection.execute(sql.SQL("ALTER TABLE t ALTER c TYPE {}").format(sql.SQL(new)))
            except psycopg.errors.DatatypeMismatch:
                continue  # It needs a USING.
            rewritten = filenode(connection) != before
            if rewritten and keeps_rows(old, new):
                wrong.append(f"{old} to {new} rewrites the table")
            if not rewritten and not keeps_rows(old, new) and not _checked(old, new):
                wrong.append(f"{old} to {new} does not rewrite the table")
    assert wrong == []


def _checked(old: str, new: str) -> bool:
    """Changes that lint calls dangerous though PostgreSQL keeps the file: none is allowed here."""
    # Whether these rewrite depends on the session's time zone.
    return {tree.base_type(old), tree.base_type(new)} == {"timestamp", "timestamptz"}


@pytest.mark.parametrize("default", DEFAULTS)
def test_which_defaults_rewrite_the_table(database: str, default: str) -> None:
    parsed = parser.parse(f"SELECT {default}")[0][0].target_list[0].res_target.val
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE numbers")
        connection.execute("CREATE TABLE t (a int)")
        before = filenode(connection)
        statement = sql.SQL("ALTER TABLE t ADD COLUMN c text DEFAULT ({})::text")
        connection.execute(statement.format(sql.SQL(default)))
        assert (filenode(connection) != before) == bool(tree.volatile_call(parsed))


@pytest.mark.parametrize("word", ["order", "user", "left", "time", "position", "value", "name"])
def test_which_names_need_quotes(database: str, word: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        statement = sql.SQL("CREATE TABLE t ({} int)").format(sql.SQL(word))
        try:
            connection.execute(statement)
            refused = False
        except psycopg.errors.SyntaxError:
            refused = True
    assert refused == parser.must_be_quoted(word)
