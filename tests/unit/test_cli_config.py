"""Where the command finds the database and the migrations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.migration_files import write_migration

from runner.cli import cli
from runner.config import (
    find_config,
    ledger_schema,
    parse_seconds,
    read_config,
    resolve_dsn,
    resolve_sources,
)
from runner.errors import UsageError


def test_the_database_is_the_first_that_is_named() -> None:
    places = {
        "dsn": ("--dsn", {}, {}),
        "TRUEUP_DSN": (None, {"TRUEUP_DSN": "t", "DATABASE_URL": "d"}, {"database": "i"}),
        "DATABASE_URL": (None, {"DATABASE_URL": "d", "PGHOST": "h"}, {"database": "i"}),
        "yoyo.ini": (None, {"PGHOST": "h"}, {"database": "i"}),
        "libpq": (None, {"PGHOST": "h"}, {}),
    }
    found = {
        name: resolve_dsn(dsn, config, environment)
        for name, (dsn, environment, config) in places.items()
    }
    assert found == {
        "dsn": "--dsn",
        "TRUEUP_DSN": "t",
        "DATABASE_URL": "d",
        "yoyo.ini": "i",
        "libpq": "",
    }


def test_no_database_at_all_is_refused_with_the_way_on() -> None:
    with pytest.raises(UsageError, match="no database is named") as raised:
        resolve_dsn(None, {}, {})
    assert "TRUEUP_DSN" in raised.value.hint


def test_yoyo_ini_is_read_as_yoyo_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_NAME", "db")
    (tmp_path / "base.ini").write_text("[DEFAULT]\nsources = %(here)s/legacy\n")
    path = tmp_path / "yoyo.ini"
    path.write_text("[DEFAULT]\n%inherit = base.ini\ndatabase = postgresql://u@%(HOST_NAME)s/d\n")
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    assert find_config(inside) == path
    assert read_config(path) == {
        "database": "postgresql://u@db/d",
        "sources": str(tmp_path / "legacy"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("database = x", "cannot be read"),
        ("[DEFAULT]\ndatabase = %(NOT_SET_ANYWHERE)s", "variable not_set_anywhere, which is not"),
        ("[DEFAULT]\ndatabase = 50%", "database has a % that begins no variable"),
        ("[DEFAULT]\nmigration_table = mine", "migration_table is mine"),
    ],
)
def test_a_yoyo_ini_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "yoyo.ini"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_config(path)


@pytest.mark.parametrize(
    "line",
    [
        "database = postgresql://u:a%40s3cret@h/d",
        "database = postgresql://u:%(s3cret@h/d",
        "database postgresql//u s3cret@h/d",
        "[other]\nx = y\n[DEFAULT]\na = %(b)s\nb = %(a)s\ndatabase = %(a)s s3cret",
    ],
)
def test_no_message_about_yoyo_ini_quotes_a_password(tmp_path: Path, line: str) -> None:
    path = tmp_path / "yoyo.ini"
    for text in (f"[DEFAULT]\n{line}\n", f"{line}\n"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError) as raised:
            read_config(path)
        assert "s3cret" not in str(raised.value)
        assert str(path) in raised.value.message


@pytest.fixture
def service(tmp_path: Path) -> Path:
    folder = tmp_path / "orders"
    for name in ("legacy", "online", "online/contract", "window"):
        write_migration(folder / name, "0001_expand_a", "SELECT 1;")
    return folder


def test_a_service_is_its_legacy_folder_and_that_of_the_strategy(service: Path) -> None:
    online = resolve_sources((), str(service), {}, "online")
    assert online.folders == (service / "legacy", service / "online")
    assert online.on_request == (service / "online" / "contract",)
    window = resolve_sources((), str(service), {}, "window")
    assert (window.folders, window.on_request) == ((service / "legacy", service / "window"), ())


def test_the_sources_of_yoyo_ini_serve_both_strategies(service: Path) -> None:
    config = {"sources": f"{service}/legacy {service}/online"}
    assert resolve_sources((), None, config, "online") == resolve_sources(
        (), str(service), {}, "online"
    )
    assert resolve_sources((), None, config, "window") == resolve_sources(
        (), str(service), {}, "window"
    )


def test_contract_named_as_a_source_stays_on_request(service: Path) -> None:
    named = [f"{service}/legacy", f"{service}/online", f"{service}/online/contract"]
    found = resolve_sources(named, None, {}, "online")
    assert found.folders == (service / "legacy", service / "online")
    assert found.on_request == (service / "online" / "contract",)


def test_a_service_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="there is no service 'nothing'") as raised:
        resolve_sources((), "nothing", {}, "online")
    assert raised.value.hint.startswith("services here: ")


def test_a_service_that_has_only_its_standard_is_one_of_those_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sql" / "planning").mkdir(parents=True)
    (tmp_path / "sql" / "planning" / "standard.toml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as raised:
        resolve_sources((), "planing", {}, "online")
    assert raised.value.hint == "services here: planning"


def test_no_sources_at_all_are_refused() -> None:
    with pytest.raises(UsageError, match="no migrations are named"):
        resolve_sources((), None, {}, "online")


def test_durations() -> None:
    found = {text: parse_seconds(text) for text in ("500ms", "30s", "10m", "2 h", "1.5", "1min")}
    assert found == {
        "500ms": 0.5,
        "30s": 30,
        "10m": 600,
        "2 h": 7200,
        "1.5": 1.5,
        "1min": 60,
    }
    with pytest.raises(UsageError, match="'soon' is no duration"):
        parse_seconds("soon")


def test_the_schema_of_a_yoyo_url_is_that_of_the_records() -> None:
    assert ledger_schema("postgresql+psycopg://u@h/d?schema=ops&x=1") == "ops"
    assert ledger_schema("postgresql+psycopg://u@h/d") is None
    assert ledger_schema("postgresql://u@h/d?schema=ops") is None
    assert ledger_schema("host=h dbname=d") is None


@pytest.mark.parametrize(
    "verb",
    [name for name in cli.list_commands(None) if not cli.commands[name].hidden],  # type: ignore[arg-type]
)
def test_the_help_of_each_verb_teaches_by_an_example(verb: str) -> None:
    result = CliRunner().invoke(cli, [verb, "--help"])
    assert result.exit_code == 0
    assert f"Example:\n    trueup {verb}" in result.output


def test_the_help_of_the_command_tells_precedence_and_exit_codes() -> None:
    output = CliRunner().invoke(cli, ["--help"]).output
    assert "--dsn, TRUEUP_DSN, DATABASE_URL" in output
    for code in ("0", "1", "2", "3", "4", "5", "130"):
        assert re.search(rf"^ +{code} +\w", output, re.MULTILINE)


@pytest.mark.parametrize("verb", sorted(cli.commands))
def test_h_is_help_of_each_verb(verb: str) -> None:
    by_letter = CliRunner().invoke(cli, [verb, "-h"])
    assert (by_letter.exit_code, by_letter.output) == (
        0,
        CliRunner().invoke(cli, [verb, "--help"]).output,
    )


def test_the_list_of_verbs_cuts_no_sentence() -> None:
    shown = CliRunner().invoke(cli, ["--help"], terminal_width=80).output
    assert "..." not in shown.partition("Commands:")[2]
    assert all(name in shown for name in cli.commands)
