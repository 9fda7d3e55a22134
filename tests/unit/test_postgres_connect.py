"""DSNs in any spelling, and what a user is told when no connection comes about."""

from __future__ import annotations

import os
import pwd
import socket

import pytest

from runner.errors import ConnectionFailedError
from runner.postgres.connect import connect, parse_dsn


class TestADsn:
    @pytest.mark.parametrize(
        "dsn",
        [
            "host=db.example port=5433 user=ann password='s3 cret' dbname=app",
            "postgresql://ann:s3%20cret@db.example:5433/app",
            "postgres://ann:s3%20cret@db.example:5433/app",
            "postgresql+psycopg://ann:s3%20cret@db.example:5433/app",
        ],
    )
    def test_is_understood_in_every_spelling(self, dsn: str) -> None:
        assert parse_dsn(dsn) == {
            "host": "db.example",
            "port": "5433",
            "user": "ann",
            "password": "s3 cret",
            "dbname": "app",
        }

    def test_of_yoyo_may_name_a_socket_and_options(self) -> None:
        url = (
            "postgresql+psycopg://ann@/app?host=%2Frun%2Fpg&port=5433"
            "&options=-c%20lock_timeout%3D4s&schema=house"
        )
        assert parse_dsn(url) == {
            "host": "/run/pg",
            "port": "5433",
            "user": "ann",
            "dbname": "app",
            "options": "-c lock_timeout=4s -c search_path=house",
        }

    def test_of_yoyo_keeps_its_path_as_it_is(self) -> None:
        assert parse_dsn("postgresql+psycopg://ann@h/100%25")["dbname"] == "100%25"

    @pytest.mark.parametrize(
        "dsn",
        [
            "postgresl://ann:s3cret@db.example/app",
            "postgresql://ann:s3cret@db.example:54x3/app",
            "postgresql+psycopg://ann:s3cret@db.example:54x3/app",
            "postgresql+psycopg://ann:s3cret@db.example/app?colour=red",
            "user=ann password=my s3cret dbname=app",
            "s3cret",
        ],
    )
    def test_that_is_malformed_is_refused_without_quoting_it(self, dsn: str) -> None:
        with pytest.raises(ConnectionFailedError, match="malformed") as caught:
            parse_dsn(dsn)
        assert "s3cret" not in str(caught.value)
        assert "postgresql://user@host" in caught.value.hint
        assert caught.value.__suppress_context__

    @pytest.mark.parametrize("password", ["s3@cret", "s3/cret", "12/cret", "s3@/cret"])
    @pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
    def test_with_an_unescaped_password_is_refused_without_showing_it(
        self, scheme: str, password: str
    ) -> None:
        with pytest.raises(ConnectionFailedError, match="malformed") as caught:
            parse_dsn(f"{scheme}://ann:{password}@db.example/app")
        assert "cret" not in str(caught.value)

    def test_may_hold_an_at_sign_that_is_escaped(self) -> None:
        values = parse_dsn("postgresql://a%40b:s3%40cret@db.example/app%40x")
        assert (values["user"], values["password"], values["dbname"]) == (
            "a@b",
            "s3@cret",
            "app@x",
        )


class TestAServerOutOfReach:
    def test_is_one_line_with_place_reason_and_next_step(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
            port = taken.getsockname()[1]
            with pytest.raises(ConnectionFailedError) as caught:
                connect(f"postgresql://ann:s3cret@127.0.0.1:{port}/app", application_name="test")
        assert caught.value.message == (
            f"cannot connect to database 'app' at 127.0.0.1:{port} as 'ann': Connection refused"
        )
        assert caught.value.hint == "check the host and the port, and that the server is running"

    def test_may_be_a_missing_socket(self, tmp_path: object) -> None:
        with pytest.raises(ConnectionFailedError, match="No such file or directory"):
            connect(f"host={tmp_path} user=ann dbname=app", application_name="test")

    def test_names_the_account_whose_name_libpq_takes(
        self, tmp_path: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PGUSER", raising=False)
        own = pwd.getpwuid(os.geteuid()).pw_name
        with pytest.raises(ConnectionFailedError, match=f" as '{own}': "):
            connect(f"host={tmp_path} dbname=app", application_name="test")

    def test_may_be_a_name_that_does_not_resolve(self) -> None:
        with pytest.raises(ConnectionFailedError) as caught:
            connect("host=nowhere.invalid user=ann dbname=app", application_name="test")
        assert caught.value.hint == "check the host's name"

    def test_may_accept_and_never_answer(self) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            with pytest.raises(ConnectionFailedError, match="timeout"):
                connect(
                    f"host=127.0.0.1 port={silent.getsockname()[1]} user=ann connect_timeout=1",
                    application_name="test",
                )
