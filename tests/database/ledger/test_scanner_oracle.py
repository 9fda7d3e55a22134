"""PostgreSQL itself says how many statements a text holds; the scanner must agree."""

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.ledger.scanner import split

# Each is a value that the server accepts after SELECT, however they are joined.
VALUES = st.one_of(
    st.sampled_from(
        [
            "1",
            "'a;b'",
            r"'C:\'",
            "''",
            "'it''s'",
            r"E'it\'s;'",
            r"E'\\'",
            "'a'\n'b;'",
            "E'a'\n  'b\\';'",
            "E'a' -- c;\n 'b\\';'",
            "$$;$$",
            "$a$ $b$ ; $$ $a$",
            "$é$;$é$",
            "U&'\\0061;'",
            "B'01'",
            "X'1f'",
            '1 AS "a;b"',
            '1 AS "a""; b"',
            "1 AS a$b$",
            "(SELECT 1)",
            "CASE WHEN true THEN 1 END",
            "1::int",
            "(ARRAY[1,2])[1:2]",
        ]
    ),
    st.text(alphabet="a;'\\$\n-/*\"é", max_size=6).map(lambda s: "'" + s.replace("'", "''") + "'"),
    st.text(alphabet="a;'\\$\n-/*\"é", max_size=6).map(
        lambda s: "E'" + s.replace("\\", "\\\\").replace("'", "\\'") + "'"
    ),
)
SPACES = st.sampled_from(
    [" ", "\n", " -- c;'\n", " /* ; */ ", " /* /* ' */ ; $$ */ ", "\t", "\r\n", " --\r\n"]
)
BODIES = st.sampled_from(
    [
        "DO $do$ BEGIN PERFORM 1; END; $do$",
        "CREATE OR REPLACE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql"
        " BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END",
        'CREATE OR REPLACE FUNCTION pg_temp.g("begin" int DEFAULT 1) RETURNS int LANGUAGE sql'
        " AS 'SELECT 1; SELECT 2'",
    ]
)
STATEMENTS = st.one_of(
    st.tuples(SPACES, VALUES).map(lambda parts: "SELECT" + parts[0] + parts[1]), BODIES
)
SCRIPTS = st.lists(st.tuples(SPACES, STATEMENTS, SPACES), min_size=1, max_size=5).map(
    lambda parts: ";".join(before + text + after for before, text, after in parts)
)


@pytest.fixture(scope="module")
def connection(server_dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server_dsn) as connection:
        yield connection


def commands_run_by_the_server(connection: psycopg.Connection, sql: str) -> int:
    try:
        cursor = connection.execute(sql.encode())
        count = 1
        while cursor.nextset():
            count += 1
    finally:
        connection.rollback()
    return count


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SCRIPTS)
def test_the_server_runs_as_many_commands_as_there_are_statements(
    connection: psycopg.Connection, script: str
) -> None:
    statements = split(script)
    assert len(statements) == commands_run_by_the_server(connection, script)
    for statement in statements:
        assert commands_run_by_the_server(connection, statement.text) == 1
        assert script[statement.offset :].startswith(statement.text)
