"""Where the command finds the database and the migrations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from support.migration_files import write_migration

from runner.cli import cli
from runner.cli.manual import SHARED_BY_ALL, TASKS
from runner.config import (
    find_config,
    ledger_schema,
    parse_seconds,
    read_config,
    resolve_dsn,
    resolve_sources,
)
from runner.errors import UsageError
from runner.places import (
    folders_to_lint,
    locate,
    locate_for_review,
    locate_standard,
    tables_of_unit,
)

VERBS = {
    name: verb
    for name in cli.list_commands(click.Context(cli))
    if (verb := cli.get_command(click.Context(cli), name)) is not None
}


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


FOLDERS = ("legacy", "common", "online", "online/contract", "window")


@pytest.fixture
def service(tmp_path: Path) -> Path:
    folder = tmp_path / "orders"
    for number, name in enumerate(FOLDERS, start=1):
        write_migration(folder / name, f"000{number}_expand_a", "SELECT 1;")
    return folder


def test_a_service_is_what_both_strategies_share_and_the_folder_of_one(service: Path) -> None:
    online = resolve_sources((), str(service), {}, "online")
    assert online.folders == (service / "legacy", service / "common", service / "online")
    assert online.on_request == (service / "online" / "contract",)
    window = resolve_sources((), str(service), {}, "window")
    assert window.folders == (service / "legacy", service / "common", service / "window")
    assert window.on_request == ()


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
    assert found.folders == (service / "legacy", service / "common", service / "online")
    assert found.on_request == (service / "online" / "contract",)


def test_the_current_folder_may_be_the_source(
    service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(service / "legacy")
    assert resolve_sources(["."], None, {}, "online").folders == (Path(),)


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


def options(**named: object) -> dict[str, Any]:
    """The place that a verb's options name, and nothing else of."""
    return {"dsn": None, "config_path": None, "service": None, "sources": (), **named}


def test_a_verb_finds_its_database_and_reads_its_files(service: Path) -> None:
    found = locate(**options(service=str(service), dsn="host=h"), strategy="online")
    ids = ["0001_expand_a", "0002_expand_a", "0003_expand_a", "0004_expand_a"]
    assert (found[0], [m.id for m in found[1]]) == ("host=h", ids)
    assert [m.id for m in found[1] if m.on_request] == ids[3:]


def test_a_verb_takes_what_is_not_named_from_the_closest_yoyo_ini(
    service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TRUEUP_DSN", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    (service / "yoyo.ini").write_text(f"[DEFAULT]\ndatabase = d\nsources = {service}/legacy\n")
    monkeypatch.chdir(service / "online")
    dsn, migrations = locate(**options(), strategy="online")
    assert (dsn, [m.id for m in migrations]) == ("d", ["0001_expand_a"])


def test_a_review_needs_no_database_and_finds_the_standard(
    service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TRUEUP_DSN", "DATABASE_URL", "PGHOST", "PGDATABASE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(service)
    where = options(service=str(service))
    assert locate_for_review(**where, strategy="online")[::2] == (None, None)
    (service / "standard.toml").touch()
    assert locate_for_review(**where, strategy="online")[2] == service / "standard.toml"
    # The files of a pull request do not choose where to connect.
    (service / "yoyo.ini").write_text("[DEFAULT]\ndatabase = d\n")
    assert locate_for_review(**where, strategy="online")[0] == "d"
    assert locate_for_review(**where, strategy="online", of_others=True)[0] is None
    named = where | {"config_path": service / "yoyo.ini"}
    assert locate_for_review(**named, strategy="online", of_others=True)[0] == "d"


@pytest.mark.parametrize("key", ["sources", "migration_table"])
def test_a_yoyo_ini_of_others_gets_nothing_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("SIGN_KEY", "s3cret")
    path = tmp_path / "yoyo.ini"
    path.write_text("[DEFAULT]\ndatabase = %(SIGN_KEY)s\nup = %(here)s/a\nsources = %(up)s/b\n")
    assert read_config(path, of_others=True) == {"sources": str(tmp_path / "a" / "b")}
    path.write_text(f"[DEFAULT]\n{key} = %(SIGN_KEY)s\n")
    with pytest.raises(UsageError, match="which is not set") as refused:
        read_config(path, of_others=True)
    assert "s3cret" not in str(refused.value)
    assert "--config" in refused.value.hint


def test_the_standard_stands_beside_the_migrations_or_is_named(service: Path) -> None:
    where = options(service=str(service), dsn="host=h")
    with pytest.raises(UsageError, match=r"no standard\.toml stands beside the migrations"):
        locate_standard(None, **where)
    (service / "standard.toml").touch()
    assert locate_standard(None, **where) == ("host=h", service / "standard.toml")
    assert locate_standard(Path("other.toml"), **where) == ("host=h", Path("other.toml"))


def test_a_unit_is_told_by_the_files_beside_the_standard() -> None:
    standard = Path(__file__).parents[2] / "sql" / "model_orchestration" / "standard.toml"
    tables = tables_of_unit(standard, "provider_quotas")
    assert tables == {("public", "provider_quotas"), ("public", "provider_quota")}
    with pytest.raises(UsageError, match="no unit of tables has the table nothing"):
        tables_of_unit(standard, "nothing")


def test_lint_reads_the_folders_of_both_strategies_that_are_there(service: Path) -> None:
    where = options(service=str(service))
    del where["dsn"]
    names = [path.relative_to(service).as_posix() for path in folders_to_lint(**where)]
    assert names == list(FOLDERS)
    where = {**where, "service": None, "sources": (str(service / "gone"),)}
    with pytest.raises(UsageError, match="none of these folders exists"):
        folders_to_lint(**where)


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
    with pytest.raises(UsageError, match="'soon' is not a duration"):
        parse_seconds("soon")


def test_the_schema_of_a_yoyo_url_is_that_of_the_records() -> None:
    assert ledger_schema("postgresql+psycopg://u@h/d?schema=ops&x=1") == "ops"
    assert ledger_schema("postgresql+psycopg://u@h/d") is None
    assert ledger_schema("postgresql://u@h/d?schema=ops") is None
    assert ledger_schema("host=h dbname=d") is None


@pytest.mark.parametrize(
    "verb",
    [name for name, verb in VERBS.items() if not verb.hidden],
)
def test_the_help_of_each_verb_teaches_by_an_example(verb: str) -> None:
    result = CliRunner().invoke(cli, [verb, "--help"])
    assert result.exit_code == 0
    assert f"Example:\n  trueup {verb}" in result.output


def test_exit_codes_and_the_order_of_databases_are_one_topic_away() -> None:
    codes = CliRunner().invoke(cli, ["help", "exit-codes"]).output
    for code in ("0", "1", "2", "3", "4", "5", "6", "130"):
        assert re.search(rf"^ +{code} +\w", codes, re.MULTILINE)
    for _ in range(2):  # as the documentation asks for it again and again
        shared = CliRunner().invoke(cli, ["help", "options"]).output
        assert "--dsn, TRUEUP_DSN, DATABASE_URL" in shared
        assert "--strategy" in shared
    assert "TRUEUP_PG_BIN" in CliRunner().invoke(cli, ["help", "environment"]).output
    assert CliRunner().invoke(cli, ["help"]).output == CliRunner().invoke(cli, ["--help"]).output
    wrong = CliRunner().invoke(cli, ["help", "aply"])
    assert wrong.exit_code == 2
    assert "name a verb, or one of: options, environment, exit-codes" in wrong.output


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_what_a_screen_leaves_out_is_in_the_whole_help(verb: str) -> None:
    screen = CliRunner().invoke(cli, [verb, "--help"], terminal_width=80).output
    whole = CliRunner().invoke(cli, ["help", verb]).output
    for option in VERBS[verb].params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.opts[0] in screen
            assert option.opts[0] in whole
            if option.name not in SHARED_BY_ALL:
                assert " ".join((option.help or "").split()) in " ".join(whole.split())


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_h_is_help_of_each_verb(verb: str) -> None:
    by_letter = CliRunner().invoke(cli, [verb, "-h"])
    assert (by_letter.exit_code, by_letter.output) == (
        0,
        CliRunner().invoke(cli, [verb, "--help"]).output,
    )


@pytest.mark.parametrize("verb", ["", *sorted(VERBS)])
def test_the_help_of_a_verb_fits_a_screen(verb: str) -> None:
    shown = CliRunner().invoke(cli, [*verb.split(), "--help"], terminal_width=80).output
    assert len(shown.splitlines()) <= 23
    assert max(map(len, shown.splitlines())) <= 80


def test_each_verb_is_found_without_importing_all_of_them() -> None:
    assert sorted(cli.commands) == sorted(VERBS)


def test_each_verb_stands_under_a_task() -> None:
    under = [name for names in TASKS.values() for name in names]
    assert sorted(under) == sorted(n for n, verb in VERBS.items() if not verb.hidden)


def test_the_list_of_verbs_says_what_each_is_for() -> None:
    shown = CliRunner().invoke(cli, ["--help"], terminal_width=80).output
    for name, does in (pair for verbs in TASKS.values() for pair in verbs.items()):
        assert f"{name:<10}{does}\n" in shown
