"""What the command prints: a result on standard output, its way there on standard error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo
from support.migration_files import write_migration, write_tables
from support.runs import query, run_trueup, yoyo_url


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_tables(tmp_path, 2)
    return tmp_path


def test_people_read_lines(database: str, source: Path) -> None:
    first = run_trueup("apply", "--sources", str(source), dsn=database)
    assert first.stdout == "applied: 2 files\n"
    assert "[1/2] 0001_expand_table: Migration 0001_expand_table.\n    done in " in first.stderr
    second = run_trueup("apply", "--sources", str(source), dsn=database)
    assert (second.stdout, second.stderr) == ("nothing to do\n", "")
    back = run_trueup("rollback", "--sources", str(source), "--all", dsn=database)
    assert "[1/2] 0002_expand_table: Undo: Migration 0002_expand_table.\n" in back.stderr


def test_programs_read_json(database: str, source: Path) -> None:
    options = ("--sources", str(source), "--json", "--log-format", "json")
    done = run_trueup("apply", *options, dsn=database)
    result = json.loads(done.stdout)
    assert result["migrations"] == ["0001_expand_table", "0002_expand_table"]
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events] == [
        "RunStarted",
        "FileStarted",
        "FileDone",
        "FileStarted",
        "FileDone",
        "RunDone",
    ]
    assert {event["run"] for event in events if "run" in event} == {result["run"]}
    assert query(database, "SELECT DISTINCT run FROM trueup.ledger") == [(result["run"],)]


def test_an_error_is_one_message_with_its_exit_code(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT 1/0;")
    done = run_trueup("apply", "--sources", str(tmp_path), dsn=database)
    assert (done.returncode, done.stdout) == (5, "")
    assert "error: " in done.stderr
    assert "division by zero (SQLSTATE 22012)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("apply", "--nonsense"),
        ("apply", "--deadline", "soon"),
        ("rollback", "--to", "expand", "--all"),
        ("no-such-verb",),
    ],
)
def test_a_wrong_command_line_exits_with_2(
    database: str, source: Path, arguments: tuple[str, ...]
) -> None:
    where = ("--sources", str(source)) if arguments[0] in ("apply", "rollback") else ()
    done = run_trueup(*arguments, *where, dsn=database)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_everything_may_come_from_yoyo_ini(database: str, source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere" / "deep"
    folder.mkdir(parents=True)
    url = yoyo_url(database).replace("%", "%%")
    (tmp_path / "elsewhere" / "yoyo.ini").write_text(
        f"[DEFAULT]\nsources = {source}\ndatabase = {url}\n"
    )
    done = run_trueup("apply", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "applied: 2 files\n")


def test_the_records_stay_where_they_are_whatever_the_search_path(
    database: str, source: Path
) -> None:
    query(database, "CREATE SCHEMA other")
    run_trueup("apply", "--sources", str(source), "--to", "0001_expand_table", dsn=database)
    elsewhere = make_conninfo(database, options="-c search_path=other,public")
    done = run_trueup("apply", "--sources", str(source), dsn=elsewhere)
    assert done.stdout == "applied: 1 file\n"
    assert query(
        database, "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename LIKE '%yoyo%'"
    ) == [("public",)]


def test_the_url_may_name_the_schema_of_the_records(database: str, source: Path) -> None:
    query(database, "CREATE SCHEMA ops")
    url = yoyo_url(database) + "&schema=ops"
    for expected in ("applied: 2 files\n", "nothing to do\n"):
        assert run_trueup("apply", "--sources", str(source), dsn=url).stdout == expected
    assert query(database, "SELECT count(*) FROM ops._yoyo_migration") == [(2,)]
