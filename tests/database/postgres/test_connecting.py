"""Connections to a server that is there: what they are, and why it may refuse them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from runner.errors import ConnectionFailedError
from runner.postgres.connect import connect
from runner.postgres.embedded import FAST, EmbeddedServer, start_server


class TestAConnection:
    def test_names_itself_unless_the_dsn_does(self, database: str) -> None:
        for dsn, name in (
            (database, "trueup test"),
            (make_conninfo(database, application_name="mine"), "mine"),
        ):
            with connect(dsn, application_name="trueup test") as connection:
                row = connection.execute("SHOW application_name").fetchone()
            assert row == (name,)

    def test_has_the_settings_asked_for_beside_those_of_the_dsn(self, database: str) -> None:
        dsn = make_conninfo(database, options="-c statement_timeout=7s")
        settings = {"lock_timeout": "200ms", "search_path": 'pg_temp, "two words"'}
        with connect(dsn, application_name="test", settings=settings) as connection:
            row = connection.execute(
                "SELECT current_setting('lock_timeout'), current_setting('search_path'),"
                " current_setting('statement_timeout')"
            ).fetchone()
        assert row == ("200ms", 'pg_temp, "two words"', "7s")

    def test_reads_texts_whatever_the_encoding_of_the_database_is(self, database: str) -> None:
        with connect(database, application_name="test") as connection:
            name = sql.Identifier(connection.info.dbname)
            ascii_only = sql.SQL("ALTER DATABASE {} SET client_encoding = 'SQL_ASCII'")
            connection.execute(ascii_only.format(name))
        settings = {"search_path": "pg_catalog"}
        with connect(database, application_name="test", settings=settings) as connection:
            assert connection.execute("SELECT 'é'").fetchone() == ("é",)

    def test_prepares_nothing_on_the_server(self, database: str) -> None:
        with connect(database, application_name="test") as connection:
            for _ in range(10):
                connection.execute("SELECT 1")
            assert connection.execute("SELECT name FROM pg_prepared_statements").fetchall() == []

    def test_commits_by_itself_unless_told_otherwise(self, database: str) -> None:
        with connect(database, application_name="test") as connection:
            connection.execute("CREATE TABLE t ()")
            with connect(database, application_name="test", autocommit=False) as other:
                other.execute("SELECT FROM t")
                assert other.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


@pytest.fixture(scope="module")
def strict_server() -> Iterator[EmbeddedServer]:
    """A server that wants a password of everyone but its superuser."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o711)
        rules = Path(folder, "pg_hba.conf")
        rules.write_text(
            "local postgres shut_out reject\n"
            "local all postgres trust\n"
            "local all all scram-sha-256\n"
        )
        rules.chmod(0o644)
        with start_server(settings={**FAST, "hba_file": str(rules)}) as server:
            with connect(server.dsn(), application_name="test") as connection:
                connection.execute("CREATE ROLE ann LOGIN PASSWORD 's3cret'")
                connection.execute("CREATE ROLE nobody_in NOLOGIN PASSWORD 's3cret'")
                connection.execute("CREATE ROLE shut_out LOGIN PASSWORD 's3cret'")
            yield server


class TestARefusal:
    @pytest.mark.parametrize(
        ("change", "reason", "hint"),
        [
            (
                {"user": "ann", "password": "wr0ng"},
                'password authentication failed for user "ann"',
                "check the user and the password",
            ),
            ({"user": "ann"}, "no password supplied", "check the user and the password"),
            (
                {"dbname": "nowhere"},
                'database "nowhere" does not exist',
                "create the database, or name another one in the DSN",
            ),
            (
                {"user": "nobody_in", "password": "s3cret"},
                'role "nobody_in" is not permitted to log in',
                "ask the DBA for access",
            ),
            (
                {"user": "shut_out", "password": "s3cret"},
                "pg_hba.conf rejects connection",
                "ask the DBA for access",
            ),
        ],
    )
    def test_is_one_line_with_the_reason_and_the_next_step(
        self,
        strict_server: EmbeddedServer,
        monkeypatch: pytest.MonkeyPatch,
        change: dict[str, str],
        reason: str,
        hint: str,
    ) -> None:
        monkeypatch.delenv("PGPASSWORD", raising=False)
        monkeypatch.setenv("PGPASSFILE", os.devnull)
        dsn = make_conninfo(strict_server.dsn(), **change)
        with pytest.raises(ConnectionFailedError) as caught:
            connect(dsn, application_name="test")
        assert reason in caught.value.message
        assert "\n" not in caught.value.message
        assert caught.value.hint == hint
        assert change.get("password", "\0") not in str(caught.value)

    def test_of_an_unknown_role_says_so(self, server: EmbeddedServer) -> None:
        with pytest.raises(ConnectionFailedError) as caught:
            connect(make_conninfo(server.dsn(), user="who"), application_name="test")
        assert caught.value.message.endswith("as 'who': role \"who\" does not exist")
        assert caught.value.hint == "name an existing role in the DSN"

    def test_by_a_full_server_says_what_makes_room(self) -> None:
        few = {**FAST, "max_connections": "4", "superuser_reserved_connections": "0"}
        refusals = []
        with start_server(settings=few) as server, contextlib.ExitStack() as opened:
            # How many get in depends on how soon the server forgets a closed connection.
            for _ in range(10):
                try:
                    opened.enter_context(connect(server.dsn(), application_name="test"))
                except ConnectionFailedError as refusal:
                    refusals.append(refusal.hint)
                    break
        assert refusals == [
            "end sessions, or wait until some have ended; a run opens the fewest with --jobs 1"
        ]
