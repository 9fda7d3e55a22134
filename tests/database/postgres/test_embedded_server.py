"""The embedded server, as its users meet it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from support.databases import DatabaseFactory
from support.processes import ServerUser, eventually, processes_naming

from runner.errors import ConnectionFailedError, ServerStartError
from runner.postgres import binaries as binaries_module
from runner.postgres.binaries import find_binaries
from runner.postgres.connect import connect
from runner.postgres.embedded import FAST, EmbeddedServer, start_server


def answers(dsn: str) -> bool:
    try:
        with connect(dsn, application_name="test"):
            return True
    except ConnectionFailedError:
        return False


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The temporary directory of the servers of one test; at its end nothing may be left there."""
    folder = Path(tempfile.mkdtemp(prefix="base", dir="/tmp"))
    folder.chmod(0o711)  # root's servers run as another account
    monkeypatch.setenv("TMPDIR", str(folder))
    try:
        yield folder
        eventually(lambda: not list(folder.glob("trueup-*")))
        eventually(lambda: not processes_naming(str(folder)))
    finally:
        shutil.rmtree(folder)


class TestDatabasesForTests:
    def test_each_test_has_a_fresh_empty_database(self, database: str) -> None:
        with psycopg.connect(database) as connection:
            connection.execute("CREATE TABLE t ()")
            row = connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone()
        assert row == (1,)

    def test_a_loaded_database_is_a_clone_of_what_was_loaded_once(
        self, database_factory: DatabaseFactory
    ) -> None:
        loads = []

        def load(dsn: str) -> None:
            loads.append(dsn)
            with psycopg.connect(dsn) as connection:
                connection.execute("CREATE TABLE t AS SELECT 1 AS n")

        for dsn in (database_factory(load), database_factory(load)):
            with psycopg.connect(dsn) as connection:
                assert connection.execute("DELETE FROM t RETURNING n").fetchall() == [(1,)]
        assert len(loads) == 1


class TestARunningServer:
    def test_listens_on_a_private_socket_only(self, server: EmbeddedServer) -> None:
        with connect(server.dsn(), application_name="test") as connection:
            row = connection.execute("SHOW listen_addresses").fetchone()
        assert row == ("",)
        assert stat.S_IMODE(Path(server.host).stat().st_mode) == 0o700

    def test_folds_case_the_same_on_every_machine(self, server: EmbeddedServer) -> None:
        with connect(server.dsn(), application_name="test") as connection:
            row = connection.execute("SELECT upper('äé'), lower('ÄÉ')").fetchone()
        assert row == ("ÄÉ", "äé")

    def test_tells_its_version(self, server: EmbeddedServer) -> None:
        assert server.version == find_binaries().version

    @pytest.mark.parametrize("name", ["plain", "Two words", "100%", 'a"b', "x/y?z#", "ü" * 31])
    def test_makes_clones_and_drops_databases_of_any_name(
        self, server: EmbeddedServer, name: str
    ) -> None:
        server.create_database(name)
        try:
            with connect(server.dsn(name), application_name="test") as connection:
                assert connection.info.dbname == name
                connection.execute("CREATE TABLE t ()")
            server.create_database(name[:20] + "2", template=name)
            with connect(server.dsn(name[:20] + "2"), application_name="test") as connection:
                connection.execute("SELECT FROM t")
        finally:
            server.drop_database(name)
            server.drop_database(name[:20] + "2")
        assert not answers(server.dsn(name))


class TestACrash:
    def test_ends_every_session_and_a_restart_finds_what_was_committed(self, base: Path) -> None:
        with start_server(settings=FAST) as server:
            with connect(server.dsn(), application_name="test") as connection:
                connection.execute("CREATE TABLE t AS SELECT 1 AS n")
                server.crash()
                with pytest.raises(psycopg.OperationalError):
                    connection.execute("SELECT n FROM t")
            assert not answers(server.dsn())
            server.restart()
            with connect(server.dsn(), application_name="test") as connection:
                assert connection.execute("SELECT n FROM t").fetchone() == (1,)

    def test_a_running_server_restarts_too(self, base: Path) -> None:
        with start_server(settings=FAST) as server:
            server.restart()
            assert answers(server.dsn())


class TestTheEndOfAUser:
    @pytest.mark.parametrize(
        "body",
        ["server.stop(); server.stop()", "pass", "raise RuntimeError", "os._exit(1)"],
        ids=["stops it", "exits", "raises", "exits at once"],
    )
    def test_leaves_nothing_behind(self, base: Path, body: str) -> None:
        with ServerUser(body) as user:
            told = user.server()
            user.end()
        eventually(lambda: not answers(told["dsn"]))

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_by_a_signal_leaves_nothing_behind(self, base: Path, number: signal.Signals) -> None:
        with ServerUser() as user:
            told = user.server()
            assert answers(told["dsn"])
            user.signal(number)
            user.end()
        eventually(lambda: not answers(told["dsn"]))

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
    def test_while_the_server_starts_leaves_nothing_behind(
        self, base: Path, number: signal.Signals
    ) -> None:
        with ServerUser() as user:
            eventually(lambda: list(base.iterdir()))
            user.signal(number)
            user.end()

    def test_a_forked_child_does_not_stop_its_parents_server(self, base: Path) -> None:
        body = "if os.fork() == 0: sys.exit()\nos.wait(); print(flush=True); sys.stdin.read()"
        with ServerUser(body) as user:
            told = user.server()
            assert user.line() == "\n"
            assert answers(told["dsn"])

    @pytest.mark.skipif(not Path("/proc").exists(), reason="only Linux tells of a parent's end")
    def test_with_its_supervisor_leaves_a_home_that_the_next_start_sweeps(self, base: Path) -> None:
        with ServerUser() as user:
            told = user.server()
            os.kill(told["supervisor"], signal.SIGKILL)
            user.signal(signal.SIGKILL)
            user.end()
        eventually(lambda: not answers(told["dsn"]))
        assert Path(told["host"]).exists()
        with start_server(settings=FAST):
            assert not Path(told["host"]).exists()

    def test_a_sweep_takes_no_folder_that_is_not_a_servers(self, base: Path) -> None:
        (base / "trueup-pg-abcdefgh" / "data").mkdir(parents=True)
        with start_server(settings=FAST):
            pass
        (base / "trueup-pg-abcdefgh" / "data").rmdir()
        (base / "trueup-pg-abcdefgh").rmdir()


class TestTwoUsersAtOnce:
    def test_have_a_server_each(self, base: Path) -> None:
        with start_server(settings=FAST) as one, start_server(settings=FAST) as other:
            one.create_database("only_here")
            assert answers(one.dsn("only_here"))
            assert not answers(other.dsn("only_here"))

    def test_share_the_server_of_one_data_directory(self, base: Path) -> None:
        arguments = {"data": str(base / "data")}
        with ServerUser(arguments=arguments) as one, ServerUser(arguments=arguments) as other:
            told = one.server()
            assert other.server() == told
            with connect(told["dsn"], application_name="test") as connection:
                connection.execute("CREATE TABLE t ()")
            one.signal(signal.SIGKILL)
            one.end()
            assert answers(told["dsn"])
        eventually(lambda: not answers(told["dsn"]))
        with (
            start_server(data=base / "data") as server,
            connect(server.dsn(), application_name="test") as connection,
        ):
            connection.execute("SELECT FROM t")

    def test_one_who_comes_while_the_server_stops_gets_a_new_one(self, base: Path) -> None:
        data = base / "data"
        with start_server(data=data) as server:
            record = (data / "postmaster.pid").read_text().splitlines()
            record[4] = str(base / "ending")
        # A supervisor that stops: its socket takes a visitor, and closes without an answer.
        (base / "ending").mkdir()
        with socket.socket(socket.AF_UNIX) as ending:
            ending.bind(str(base / "ending" / "control"))
            ending.listen()
            (data / "postmaster.pid").write_text("\n".join([*record, ""]))
            owner = data.stat()
            os.chown(data / "postmaster.pid", owner.st_uid, owner.st_gid)
            closing = threading.Timer(0.3, ending.close)
            closing.start()
            with start_server(data=data) as server:
                assert answers(server.dsn())
            closing.join()


class TestAKeptServer:
    def test_outlives_its_user_until_it_is_stopped_as_its_instructions_say(
        self, base: Path
    ) -> None:
        with ServerUser("server.keep(); print(json.dumps(server.keep_instructions()))") as user:
            told = user.server()
            instructions = json.loads(user.line())
            user.end()
        assert answers(told["dsn"])
        assert instructions[-1] == f"stop it:  kill {told['supervisor']}"
        os.kill(told["supervisor"], signal.SIGTERM)
        eventually(lambda: not Path(told["host"]).exists())


class TestPlacesAndAccounts:
    def test_starts_without_postgresql_on_path(self, base: Path) -> None:
        with ServerUser(environment={"PATH": "/nonexistent"}) as user:
            assert answers(user.server()["dsn"])

    def test_a_long_temporary_directory_is_not_used_for_the_socket(
        self, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        long = base / ("x" * 90)
        long.mkdir()
        monkeypatch.setenv("TMPDIR", str(long))
        with start_server(settings=FAST) as server:
            assert len(os.fsencode(server.host)) < 80
        assert not Path(server.host).exists()

    def test_libpqs_environment_changes_nothing(self, base: Path) -> None:
        place = {"PGHOST": "nowhere.invalid", "PGPORT": "1", "PGUSER": "x", "PGDATA": "/x"}
        with ServerUser(environment={**place, "PGCLIENTENCODING": "LATIN1"}) as user:
            told = user.server()
            with connect(told["dsn"], application_name="test") as connection:
                row = connection.execute("SHOW client_encoding").fetchone()
        assert row == ("UTF8",)

    def test_programs_in_a_private_home_are_used_and_the_home_stays_private(
        self, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = find_binaries()
        package = found.directory.parent.parent
        if not (found.directory.parent / "share").exists():
            pytest.skip("an installation that is spread over the system cannot be moved")
        home = base / "home"
        home.mkdir(mode=0o700)
        for part in (package, package.with_name(package.name + ".libs")):
            if part.exists():
                shutil.copytree(part, home / part.name)
        monkeypatch.setattr(binaries_module, "CACHE", base / "cache")
        private = replace(found, directory=home / found.directory.relative_to(package.parent))
        with start_server(binaries=private, settings=FAST) as server:
            assert answers(server.dsn())
            used = server.binaries.directory
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        made = used.stat().st_mtime_ns
        with start_server(binaries=private, settings=FAST) as server:
            assert server.binaries.directory == used
        assert used.stat().st_mtime_ns == made
        assert used.is_relative_to(base / "cache" if os.geteuid() == 0 else home)
        if os.geteuid() == 0:
            next((base / "cache").iterdir()).chmod(0o777)
            with pytest.raises(ServerStartError, match="others than root may write"):
                start_server(binaries=private)

    def test_a_data_directory_out_of_reach_is_refused_and_nothing_changes(self, base: Path) -> None:
        home = base / "home"
        home.mkdir(mode=0o700 if os.geteuid() == 0 else 0o500)
        mode = home.stat().st_mode
        with pytest.raises(ServerStartError, match="choose another data directory"):
            start_server(data=home / "data")
        assert home.stat().st_mode == mode
        assert list(home.iterdir()) == []

    def test_a_directory_with_other_files_is_refused_and_nothing_changes(self, base: Path) -> None:
        (base / "data").mkdir()
        (base / "data" / "letter").write_text("dear")
        before = (base / "data").stat()
        with pytest.raises(ServerStartError, match="no data directory of PostgreSQL"):
            start_server(data=base / "data")
        after = (base / "data").stat()
        assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)
        assert [path.name for path in (base / "data").iterdir()] == ["letter"]

    def test_a_bad_setting_is_reported_in_postgresqls_words(self, base: Path) -> None:
        with pytest.raises(ServerStartError, match='invalid value for parameter "max_connections"'):
            start_server(settings={"max_connections": "many"})
