"""The same files on many databases."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.databases import DatabaseFactory
from support.migration_files import write_migration, write_tables
from support.processes import eventually
from support.runs import query, run_trueup, start_trueup, tables
from support.variants import DIRTY, TEXT, MakeService

from runner.errors import UsageError
from runner.fleet import read_fleet, run_fleet


def write_fleet(path: Path, dsns: list[str], canaries: int = 0) -> Path:
    path.write_text(
        "".join(
            f'[[database]]\nname = "db{n}"\ndsn = "{dsn}"\ncanary = {str(n < canaries).lower()}\n'
            for n, dsn in enumerate(dsns)
        )
    )
    return path


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Three migrations."""
    write_tables(tmp_path / "files", 3)
    return tmp_path / "files"


def test_every_database_gets_the_files_and_a_line(
    database_factory: DatabaseFactory,
    sources: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dsns = [database_factory() for _ in range(3)]
    fleet = write_fleet(tmp_path / "fleet.toml", dsns, canaries=1)
    done = run_trueup("apply", "--sources", str(sources), "--fleet", str(fleet), "-j", "2")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("db0  done")
    assert all("applied: 3 files" in line for line in lines[:3])
    assert lines[3] == "fleet: 3 of 3 databases done"
    assert [tables(dsn) for dsn in dsns] == [["t1", "t2", "t3"]] * 3

    again = run_trueup("apply", "--sources", str(sources), "--fleet", str(fleet))
    assert again.stdout.count("nothing to do") == 3

    # A package of that name in the folder where one works is another's.
    (tmp_path / "runner").mkdir()
    (tmp_path / "runner" / "__main__.py").write_text("print('stranger')\n")
    (tmp_path / "runner" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    arguments = ["apply", "--sources", str(sources)]
    (result,) = run_fleet(read_fleet(fleet)[:1], arguments, parallel=1, report=lambda _: None)
    assert "nothing to do" in result.message


def test_a_database_that_fails_does_not_stop_the_others_and_is_taken_up_later(
    database_factory: DatabaseFactory, sources: Path, tmp_path: Path
) -> None:
    dsns = [database_factory() for _ in range(3)]
    query(dsns[1], "CREATE TABLE public.t2 ()")
    fleet = write_fleet(tmp_path / "fleet.toml", dsns)
    arguments = ("apply", "--sources", str(sources), "--fleet", str(fleet), "--json")
    failed = run_trueup(*arguments)
    assert failed.returncode == 1
    results = {r["name"]: r for r in json.loads(failed.stdout)["databases"]}
    assert [results[f"db{n}"]["exit_code"] for n in range(3)] == [0, 5, 0]
    assert 'relation "t2" already exists' in results["db1"]["message"]
    query(dsns[1], "DROP TABLE public.t2")
    assert run_trueup(*arguments).returncode == 0
    assert tables(dsns[1]) == ["t1", "t2", "t3"]


def test_several_runners_share_a_fleet_and_status_merges_what_they_did(
    database_factory: DatabaseFactory, sources: Path, tmp_path: Path
) -> None:
    dsns = [database_factory() for _ in range(5)]
    fleet = ("--sources", str(sources), "--fleet", str(write_fleet(tmp_path / "fleet.toml", dsns)))
    first = run_trueup("apply", *fleet, "--shard", "1/3")
    assert (first.returncode, "fleet: 2 of 2 databases done" in first.stdout) == (0, True)
    assert [bool(tables(dsn)) for dsn in dsns] == [True, False, False, True, False]
    status = run_trueup("status", *fleet)
    assert status.stdout.count("applied: 3 of 3 files") == 2
    assert status.stdout.count("applied: 0 of 3 files") == 3

    # Two of them on one share, as a scheduler that starts one anew does.
    runs = [start_trueup("apply", *fleet, "--shard", n, dsn="") for n in ("2/3", "2/3", "3/3")]
    assert [(run.communicate(timeout=60), run.returncode)[1] for run in runs] == [0, 0, 0]
    assert run_trueup("status", *fleet).stdout.count("applied: 3 of 3 files") == 5


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "a/b", "1/0"])
def test_a_share_that_is_none_is_refused(tmp_path: Path, sources: Path, shard: str) -> None:
    fleet = write_fleet(tmp_path / "fleet.toml", ["dbname=a"])
    done = run_trueup(
        *("apply", "--sources", str(sources), "--fleet", str(fleet), "--shard", shard)
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "no share" in done.stderr


def test_a_canary_that_fails_spares_the_others(
    database_factory: DatabaseFactory, sources: Path, tmp_path: Path
) -> None:
    dsns = [database_factory() for _ in range(2)]
    query(dsns[0], "CREATE TABLE public.t1 ()")
    fleet = write_fleet(tmp_path / "fleet.toml", dsns, canaries=1)
    done = run_trueup("apply", "--sources", str(sources), "--fleet", str(fleet))
    assert done.returncode == 1
    assert "db1  left" in done.stdout
    assert "not begun: db0 failed" in done.stdout
    assert tables(dsns[1]) == []


def test_options_reach_each_run(
    database_factory: DatabaseFactory, sources: Path, tmp_path: Path
) -> None:
    dsns = [database_factory() for _ in range(2)]
    fleet = write_fleet(tmp_path / "fleet.toml", dsns)
    to = ("--to", "0002_expand_table", "--jobs", "2")
    run_trueup("apply", "--sources", str(sources), "--fleet", str(fleet), *to)
    assert [tables(dsn) for dsn in dsns] == [["t1", "t2"]] * 2


def test_a_fleet_is_brought_to_the_standard_and_back(
    make_service: MakeService, tmp_path: Path
) -> None:
    services = [make_service(TEXT), make_service(DIRTY)]
    fleet = write_fleet(tmp_path / "fleet.toml", [service.dsn for service in services])

    def lines(*arguments: str) -> list[str]:
        done = run_trueup(
            *arguments, "--service", str(services[0].folder), "--fleet", str(fleet), "-j", "1"
        )
        assert done.stderr == ""
        assert done.returncode == (not done.stdout.endswith("2 of 2 databases done\n"))
        return done.stdout.splitlines()

    for service in services:
        query(service.dsn, "DELETE FROM _yoyo_migration")
    assert all("recorded: 0001_baseline" in line for line in lines("baseline")[:2])
    ready, dirty, _ = lines("check")
    assert ready.startswith("db0  done")
    assert dirty.startswith("db1  failed")
    assert "not ready" in dirty
    query(services[1].dsn, "TRUNCATE models, requests, provider_quotas")
    assert lines("apply", "--strategy", "window")[-1] == "fleet: 2 of 2 databases done"
    assert all("distance to the standard: 0" in line for line in lines("verify")[:2])
    rolled_back = lines("rollback", "--strategy", "window", "--to", "baseline")
    assert all("rolled back: 7 files" in line for line in rolled_back[:2])


def test_a_fleet_s_databases_are_named_by_its_file_alone(tmp_path: Path) -> None:
    fleet = write_fleet(tmp_path / "fleet.toml", ["dbname=a"])
    refused = run_trueup("check", "--fleet", str(fleet), "--dsn", "dbname=b")
    assert refused.returncode == 2
    assert "--dsn and --fleet exclude each other" in refused.stderr


def test_an_interrupt_stops_every_run(database_factory: DatabaseFactory, tmp_path: Path) -> None:
    write_migration(tmp_path / "files", "0001_expand_a", "SELECT pg_sleep(60);")
    dsns = [database_factory() for _ in range(2)]
    fleet = write_fleet(tmp_path / "fleet.toml", dsns)
    sleeping = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event = 'PgSleep'"
    )
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "runner", "apply", "--sources", str(tmp_path / "files")),
            *("--fleet", str(fleet)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        eventually(lambda: all(query(dsn, sleeping) for dsn in dsns))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    eventually(lambda: not any(query(dsn, sleeping) for dsn in dsns))


def test_a_dsn_can_stand_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text('[[database]]\nname = "one"\ndsn_variable = "ONE_DSN"\n')
    with pytest.raises(UsageError, match="ONE_DSN is not set"):
        read_fleet(path)
    monkeypatch.setenv("ONE_DSN", "dbname=one password=secret")
    (member,) = read_fleet(path)
    assert member.dsn == "dbname=one password=secret"
    assert "secret" not in repr(member)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no database"),
        ("x = [", "cannot be read"),
        ("[[database]]\ndsn = 'dbname=a'", "database 1 has no name"),
        ("[[database]]\nname = 'a'", "neither dsn nor dsn_variable"),
        ("[[database]]\nname = 'a'\ndsn = 'x'\nfast = 1", "unknown key fast"),
        (
            "[[database]]\nname = 'a'\ndsn = 'x'\n[[database]]\nname = 'a'\ndsn = 'y'",
            "more than once",
        ),
        ("database = [1]", "database 1 is not a table"),
    ],
)
def test_what_is_wrong_in_a_fleet_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=told):
        read_fleet(path)


def test_a_fleet_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"fleet.toml cannot be read: No such file or directory$"):
        read_fleet(tmp_path / "fleet.toml")
