"""Whatever the user gives, trueup answers with one clear message, and nothing is changed."""

from __future__ import annotations

import array
import fcntl
import os
import pty
import subprocess
import sys
import termios
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.migration_files import write_migration, write_tables
from support.processes import eventually
from support.runs import applied, query, run_trueup, tables

from runner.execute.engine import Settings, apply, rollback
from runner.execute.underway import look
from runner.ledger import records
from runner.ledger.files import read_migrations
from runner.postgres.connect import connect
from runner.postgres.databases import create_database, drop_database
from runner.postgres.embedded import FAST, start_server


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_tables(tmp_path / "source", 2)
    return tmp_path / "source"


def refusal(*arguments: str, dsn: str | None, exit_code: int) -> str:
    done = run_trueup(*arguments, dsn=dsn)
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    assert (done.returncode, done.stdout) == (exit_code, "")
    return done.stderr


def test_a_server_that_is_not_there(source: Path) -> None:
    message = refusal("apply", "--sources", str(source), dsn="host=/no/where user=a", exit_code=3)
    assert "cannot connect to database" in message


def test_a_database_that_is_not_there(database: str, source: Path) -> None:
    dsn = make_conninfo(database, dbname="no_such_database")
    message = refusal("apply", "--sources", str(source), dsn=dsn, exit_code=3)
    assert 'database "no_such_database" does not exist' in message


def test_a_database_that_may_only_be_read(database: str, source: Path) -> None:
    name = conninfo_to_dict(database)["dbname"]
    assert isinstance(name, str)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(
                sql.Identifier(name)
            )
        )
    message = refusal("apply", "--sources", str(source), dsn=database, exit_code=3)
    assert "is read-only for this role" in message
    assert run_trueup("status", "--sources", str(source), dsn=database).returncode == 0


def test_a_standby_gives_its_status_and_refuses_migrations(source: Path, tmp_path: Path) -> None:
    folder = Path("/tmp") / f"trueup-standby-{os.getpid()}"
    try:
        with start_server(settings=FAST, data=folder) as server:
            apply(server.dsn(), read_migrations([source]), to="0001_expand_table")
        (folder / "standby.signal").touch(mode=0o644)
        with start_server(settings=FAST, data=folder) as server:
            dsn = server.dsn()
            status = run_trueup("status", "--sources", str(source), dsn=dsn)
            assert status.returncode == 0
            assert [line.split()[0] for line in status.stdout.splitlines()] == [
                "applied",
                "pending",
                "applied:",
            ]
            looks = look(
                dsn, read_migrations([source]), waiting_period=timedelta(hours=24), every=0.01
            )
            assert next(looks) == next(looks)
            looks.close()
            message = refusal("apply", "--sources", str(source), dsn=dsn, exit_code=3)
            assert "is a standby" in message
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.mark.parametrize(
    ("sources", "message"),
    [("missing", "does not exist"), ("empty", "holds no migration"), ("file", "is a file")],
)
def test_a_source_that_is_no_folder_of_migrations(
    database: str, tmp_path: Path, sources: str, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    path = str(tmp_path / sources)
    assert message in refusal("apply", "--sources", path, dsn=database, exit_code=2)
    assert query(database, "SELECT to_regclass('_yoyo_migration')") == [(None,)]


def test_a_file_among_good_ones_that_is_bad_stops_the_run_before_it_begins(
    database: str, source: Path
) -> None:
    write_migration(source, "0003_expand_bad", "COMMIT;")
    message = refusal("apply", "--sources", str(source), dsn=database, exit_code=2)
    assert "0003_expand_bad.sql:3: COMMIT in a file" in message
    assert tables(database) == []


ODD = 'Ünï "qu\'oted" %s %% ; select'


def test_names_of_any_kind(server_dsn: str, tmp_path: Path) -> None:
    long = "x" * 63
    write_migration(
        tmp_path,
        "0001_expand_ünï 'q' %s",
        f'CREATE SCHEMA "{long}";\nCREATE TABLE "{long}"."50% ""t"" é" ("a %s" int);',
        f'DROP SCHEMA "{long}" CASCADE;',
    )
    create_database(server_dsn, ODD)
    try:
        dsn = make_conninfo(server_dsn, dbname=ODD)
        with connect(dsn, application_name="test") as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(ODD)))
        migrations = read_migrations([tmp_path])
        settings = Settings(schema=ODD)
        apply(dsn, migrations, settings=settings)
        home = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'yoyo_lock'"
        assert query(dsn, home) == [('"' + ODD.replace('"', '""') + '"',)]
        status = run_trueup("status", "--sources", str(tmp_path), dsn=dsn)
        assert "0001_expand_ünï 'q' %s" in status.stdout
        rollback(dsn, migrations, settings=settings)
        assert query(dsn, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'xxx%'") == [(0,)]
    finally:
        drop_database(server_dsn, ODD)


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert records.os_user.__wrapped__() == f"uid {os.getuid()}"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_user_without_a_name_or_home_gets_messages_as_well() -> None:
    # Python itself may be private to root, so everything is imported before.
    program = (
        "import os, sys, runner.cli, runner.execute.engine, runner.execute.listeners;"
        "os.setgroups([]); os.setgid(54321); os.setuid(54321);"
        "sys.argv = ['trueup', 'apply', '--sources', 'no', '--dsn', 'host=/x'];"
        "runner.cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "error: source folder no does not exist",
    )


def test_a_locale_without_unicode(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_ünï", "SELECT 1;")
    done = run_trueup(
        "apply",
        "--sources",
        str(tmp_path),
        dsn=database,
        LC_ALL="C",
        PYTHONCOERCECLOCALE="0",
        PYTHONUTF8="0",
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    status = run_trueup(
        "status", "--sources", str(tmp_path), dsn=database, PYTHONIOENCODING="ascii"
    )
    assert (status.returncode, "0001_expand_" in status.stdout) == (0, True)
    assert query(database, "SELECT migration_id FROM _yoyo_migration") == [("0001_expand_ünï",)]


def test_a_reader_that_goes_away(database: str, source: Path) -> None:
    command = f"'{sys.executable}' -m runner apply --sources '{source}' 2>&1 | true"
    subprocess.run(
        ["sh", "-c", command], env={**os.environ, "TRUEUP_DSN": database}, timeout=60, check=True
    )
    assert len(applied(database)) == 2


def test_a_full_disk_under_standard_output(database: str, source: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "runner", "apply", "--sources", str(source)],
            env={**os.environ, "TRUEUP_DSN": database},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left on device; the command itself has finished" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(applied(database)) == 2


def test_a_full_pipe_keeps_no_lock_from_a_client(database: str, tmp_path: Path) -> None:
    notices = (
        "DO $$ BEGIN FOR n IN 1..2000 LOOP RAISE NOTICE '%', repeat('x', 100); END LOOP; END $$;"
    )
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE t (id int);\n" + notices)
    with subprocess.Popen(
        [sys.executable, "-m", "runner", "apply", "--sources", str(tmp_path)],
        env={**os.environ, "TRUEUP_DSN": database},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        pipe = process.stderr.fileno()
        eventually(lambda: process.poll() is not None or _unread(pipe) > 60_000, seconds=60)
        eventually(lambda: query(database, "SELECT to_regclass('t') IS NOT NULL") == [(True,)])
        # The run is stuck in its report; the file is committed and its table is free.
        assert process.poll() is None, "the pipe was not full"
        with psycopg.connect(database, options="-c lock_timeout=1s") as client:
            client.execute("SELECT FROM t")
        process.stderr.read()
        assert process.wait(timeout=60) == 0


def _unread(pipe: int) -> int:
    """How many bytes nobody has read yet."""
    buffer = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, buffer)
    return buffer[0]


def test_a_terminal_gets_a_bar(database: str, tmp_path: Path) -> None:
    write_migration(
        tmp_path,
        "0001_expand_t",
        "CREATE TABLE trueup.progress (file text PRIMARY KEY, table_name text, rows_done bigint,"
        " page bigint, pages bigint, updated_at timestamptz);",
        "DROP TABLE trueup.progress;",
    )
    write_migration(
        tmp_path,
        "0002_backfill_t",
        "DO $$ BEGIN FOR n IN 1..20 LOOP INSERT INTO trueup.progress VALUES"
        " ('0002_backfill_t', 'public.t', n * 100, n, 20, clock_timestamp()) ON CONFLICT (file)"
        " DO UPDATE SET rows_done = excluded.rows_done, page = excluded.page,"
        " updated_at = clock_timestamp(); COMMIT; PERFORM pg_sleep(0.1); END LOOP; END $$;",
        depends="0001_expand_t",
        transactional=False,
    )
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "runner", "apply", "--sources", str(tmp_path)],
        env={**os.environ, "TRUEUP_DSN": database, "TERM": "xterm", "COLUMNS": "100"},
        stdout=slave,
        stderr=slave,
        stdin=slave,
    ) as process:
        os.close(slave)
        shown = b""
        try:
            while chunk := os.read(master, 4096):
                shown += chunk
        except OSError:
            pass  # the terminal ends with its last user
        os.close(master)
        assert process.wait(timeout=20) == 0
    text = shown.decode()
    assert "public.t" in text
    assert "rows/s" in text
    assert "done in" in text
