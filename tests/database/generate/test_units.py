"""Units of tables: each goes its way on a day of its own, and a standard may grow."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest
from support.migration_files import write_migration
from support.runs import applied, run_trueup, run_yoyo
from support.variants import AT_ONCE, ODD, SHIPPED, MakeService, Service, describe

from runner.catalog import diff
from runner.errors import LedgerError, StandardError, UsageError
from runner.execute.engine import apply, rollback
from runner.ledger.files import read_migrations
from runner.ledger.selection import to_apply
from runner.ledger.units import find_units, unit_of
from runner.postgres.binaries import find_binaries
from runner.service.write import generate_service
from runner.standard import load_standard
from runner.verify import verify


def phases(service: Service, subject: str) -> set[str]:
    """The phases of which a file about a subject is applied."""
    found = {id_.split("_")[1] for id_ in applied(service.dsn) if subject in id_}
    return found - {"toolkit"}


def go(service: Service, unit: str, to: str) -> None:
    apply(service.dsn, service.migrations("online"), to=to, unit=unit, settings=AT_ONCE)


def back(service: Service, unit: str, to: str | None = None) -> None:
    rollback(
        service.dsn,
        service.migrations("online"),
        to=to,
        everything=to is None,
        unit=unit,
        settings=AT_ONCE,
    )


def distance(service: Service) -> int:
    with psycopg.connect(service.dsn) as connection:
        return len(verify(connection, load_standard(SHIPPED / "standard.toml")).distances)


def test_one_unit_is_at_the_new_contract_while_the_other_has_both(
    make_service: MakeService,
) -> None:
    service = make_service(ODD)
    before = service.state("public")
    go(service, "requests", "expand")
    go(service, "provider_quota", "contract")
    assert phases(service, "_model") == {"check", "expand"}
    assert phases(service, "_provider_quota") == {
        "check",
        "expand",
        "backfill",
        "enforce",
        "switch",
        "contract",
    }
    # Nothing is out of order, with or without a unit named.
    go(service, "model", "contract")
    assert distance(service) == 0
    back(service, "public.provider_quotas")
    assert phases(service, "_provider_quota") == set()
    assert phases(service, "_request") == {
        "check",
        "expand",
        "backfill",
        "enforce",
        "switch",
        "contract",
    }
    service.down("online")
    after = service.state("public")
    assert not describe(diff(before[0], after[0], column_order=False))
    assert before[1] == after[1]


def test_one_unit_is_rolled_back_to_a_phase_and_the_other_stays(make_service: MakeService) -> None:
    service = make_service(ODD)
    service.up("enforce")
    back(service, "model", "expand")
    assert phases(service, "_model") == {"check", "expand"}
    assert phases(service, "_provider_quota") == {"check", "expand", "backfill", "enforce"}
    # The run for all brings the rest to where it was, and on.
    service.up("contract")
    assert distance(service) == 0


def test_the_newest_file_of_a_unit_is_rolled_back_alone(make_service: MakeService) -> None:
    service = make_service(ODD)
    service.up("expand")
    done = rollback(service.dsn, service.migrations("online"), unit="models", settings=AT_ONCE)
    assert done.migrations == ("0102_expand_request",)


def test_a_window_takes_one_unit(make_service: MakeService) -> None:
    service = make_service(ODD)
    files = service.migrations("window")
    apply(service.dsn, files, unit="provider_quotas", settings=AT_ONCE)
    assert phases(service, "model") == set()
    apply(service.dsn, files, unit="request", settings=AT_ONCE)
    assert distance(service) == 0
    rollback(service.dsn, files, everything=True, unit="provider_quota", settings=AT_ONCE)
    assert phases(service, "quota") == set()


def test_what_is_no_table_or_no_file_of_the_unit_is_told(make_service: MakeService) -> None:
    files = make_service(ODD).migrations("online")
    with pytest.raises(UsageError, match="no unit of tables has the table nope") as caught:
        unit_of(files, "nope")
    assert "public.model, public.request; public.provider_quota" in caught.value.hint
    with pytest.raises(UsageError, match="is a file of another unit"):
        to_apply(files, (), to="0101_expand_model", unit=unit_of(files, "provider_quota"))


def test_the_command_takes_a_unit(make_service: MakeService) -> None:
    service = make_service(ODD)
    named = ("--service", str(SHIPPED), "--unit", "provider_quotas")
    tried = run_trueup("apply", *named, "--to", "expand", "--dry-run", dsn=service.dsn)
    assert "0103_expand_provider_quota" in tried.stdout
    assert "expand_model" not in tried.stdout
    done = run_trueup("apply", *named, "--to", "enforce", dsn=service.dsn)
    assert done.stdout == "applied: 10 files\n", done.stderr
    status = run_trueup("status", *named, "--all", dsn=service.dsn)
    assert "0103_expand_provider_quota" in status.stdout
    assert "0101_expand_model" not in status.stdout
    undone = run_trueup("rollback", *named, "--to", "baseline", dsn=service.dsn)
    assert undone.stdout == "rolled back: 7 files\n", undone.stderr
    wrong = run_trueup("apply", "--service", str(SHIPPED), "--unit", "x", dsn=service.dsn)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("error: no unit of tables has the table x\nhint: units here: ")


def test_every_command_that_looks_takes_a_unit(make_service: MakeService, tmp_path: Path) -> None:
    if not (find_binaries().directory / "pg_dump").exists():
        pytest.skip("this PostgreSQL installation has no pg_dump to rehearse with")
    service = make_service(ODD)
    shutil.copytree(SHIPPED, tmp_path / "service")
    named = ("--service", "service", "--unit", "provider_quota")

    def run(*arguments: str) -> str:
        done = run_trueup(*arguments, *named, dsn=service.dsn, cwd=tmp_path)
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    assert "read public.provider_quotas" in run("check")
    assert "public.models" not in run("check")
    assert "not rehearsed" not in run("rehearse", "--rows", "20", "--no-clients")
    planned = run("plan", "--all", "--to", "contract")
    assert "plan for service" in planned
    assert "0103_expand_provider_quota" in planned
    assert "_contract_provider_quota_close" in planned
    assert "expand_model" not in planned
    assert "was not rehearsed" not in planned

    certificate = ("--require-rehearsal", "trueup-rehearsal.json")
    assert "applied: 10 files" in run("apply", "--to", "enforce", *certificate)
    go(service, "model", "enforce")
    status = run("status", "--all")
    assert "0203_backfill_provider_quota: 100% of public.provider_quotas" in status
    assert "model" not in status.partition("0201")[2].replace("provider_quota", "")
    assert "public.model" not in run("verify")
    assert "both contracts live" in run("verify").splitlines()[0]
    assert "wrote report.html" in run("report", "--output", "report.html")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "0103_expand_provider_quota" in html
    assert "0101_expand_model" not in html
    assert "exclude each other" in run("verify", "--drift")


def test_plain_yoyo_does_the_same(make_service: MakeService) -> None:
    service = make_service(ODD)
    sources = [str(SHIPPED / name) for name in ("legacy", "common", "online")]
    run_yoyo("apply", "-r", "0312_enforce_provider_quota_not_null", *sources, dsn=service.dsn)
    assert phases(service, "_provider_quota") == {"check", "expand", "backfill", "enforce"}
    assert phases(service, "_model") == set()
    go(service, "requests", "contract")
    run_yoyo("rollback", "-r", "0062_check_provider_quota", *sources, dsn=service.dsn)
    assert phases(service, "_provider_quota") == set()
    assert phases(service, "_model") == {
        "check",
        "expand",
        "backfill",
        "enforce",
        "switch",
        "contract",
    }


def test_a_file_without_dependencies_still_has_its_place(database: str, tmp_path: Path) -> None:
    write_migration(tmp_path, "0002_expand_a", "CREATE TABLE a ();", "DROP TABLE a;")
    write_migration(tmp_path, "0003_expand_b", "CREATE TABLE b ();", "DROP TABLE b;")
    apply(database, read_migrations([tmp_path]))
    write_migration(tmp_path, "0001_expand_c", "CREATE TABLE c ();", "DROP TABLE c;")
    assert find_units(read_migrations([tmp_path])) == []
    with pytest.raises(LedgerError, match="out of order"):
        apply(database, read_migrations([tmp_path]))


def test_a_late_file_of_a_unit_is_out_of_order(make_service: MakeService, tmp_path: Path) -> None:
    service = make_service(ODD)
    service.up("enforce")
    folder = tmp_path / "model_orchestration"
    shutil.copytree(SHIPPED, folder)
    late = folder / "online"
    write_migration(late, "0199_expand_late", "SELECT 1;", depends="0101_expand_model")
    with pytest.raises(LedgerError, match="0199_expand_late is out of order"):
        apply(service.dsn, Service(service.dsn, folder).migrations("online"))


@pytest.mark.parametrize("catalog_of", ["the live database", "the old contract"])
@pytest.mark.parametrize("reached", ["enforce", "switch", "contract"])
def test_a_standard_that_grew_adds_files_behind_the_applied_ones(
    make_service: MakeService, tmp_path: Path, catalog_of: str, reached: str
) -> None:
    live = make_service(ODD)
    legacy = make_service(ODD, filled=False)
    before = live.state("public")
    folder = tmp_path / "model_orchestration"
    shutil.copytree(SHIPPED / "legacy", folder / "legacy")
    whole = (SHIPPED / "standard.toml").read_text(encoding="utf-8")
    grown = folder / "standard.toml"
    grown.write_text(whole[: whole.index("[table.provider_quotas]")], encoding="utf-8")
    first = generate_service(folder, dsn=legacy.dsn, dry=False)
    assert not any("quota" in path for path in first.added)
    service = Service(live.dsn, folder)
    service.up(reached)

    grown.write_text(whole, encoding="utf-8")
    dsn = live.dsn if catalog_of == "the live database" else legacy.dsn
    second = generate_service(folder, dsn=dsn, dry=False)
    assert second.added
    assert all("quota" in path for path in second.added)
    assert second.differing == ()
    for place in ("online", "window"):
        ids = sorted(p.stem for p in (folder / place).glob("*.sql"))
        kinds = {id_.split("_")[1] for id_ in ids}
        for kind in kinds:
            of_kind = [id_ for id_ in ids if id_.split("_")[1] == kind]
            new = [id_ for id_ in of_kind if f"{place}/{id_}.sql" in second.added]
            assert of_kind[len(of_kind) - len(new) :] == new

    service.up("contract")
    assert distance(service) == 0
    service.down("online")
    after = service.state("public")
    assert not describe(diff(before[0], after[0], column_order=False))
    assert before[1] == after[1]


def test_a_table_that_needs_more_of_the_toolkit_brings_it_behind_what_is_applied(
    database: str, tmp_path: Path
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            """
            CREATE TABLE plans (id text PRIMARY KEY);
            CREATE TABLE tasks (id text, day date, plan_id text, PRIMARY KEY (day, id))
            PARTITION BY RANGE (day);
            CREATE TABLE tasks_now PARTITION OF tasks DEFAULT;
            CREATE TABLE steps (id text NOT NULL, kind text UNIQUE DEFERRABLE);
            CREATE VIEW shown AS SELECT id, kind FROM steps;
            -- As version 0.1.0 made them for another service, with fewer parameters.
            CREATE SCHEMA trueup;
            CREATE FUNCTION trueup.waking_triggers(regclass) RETURNS name LANGUAGE sql RETURN 'x';
            CREATE PROCEDURE trueup.require_silence(text) LANGUAGE sql AS 'SELECT';
            CREATE PROCEDURE trueup.name_not_nulls(regclass, text, name[]) LANGUAGE sql AS 'SELECT';
            """
        )
    standard = tmp_path / "standard.toml"
    standard.write_text('[service]\nname = "s"\n[table.plans]\nname = "plan"\nuuids = ["id"]\n')
    generate_service(tmp_path, dsn=database, dry=False)
    service = Service(database, tmp_path)
    before = service.state("public")
    service.up("contract")

    with standard.open("a") as text:
        text.write('[table.tasks]\nname = "task"\nuuids = ["id", "plan_id"]\n')
        text.write('[table.steps]\nname = "step"\nuuids = ["id"]\n')
    grown = generate_service(tmp_path, dsn=database, dry=False)
    assert grown.differing == ()
    assert {path.partition("/")[0] for path in grown.added if "_toolkit_" in path} == {
        "common",
        "online",
        "window",
    }
    service.up("contract")
    assert generate_service(tmp_path, dsn=database, dry=True).added == ()
    service.down("online")
    after = service.state("public")
    assert not describe(diff(before[0], after[0], column_order=False))
    run_yoyo("apply", *(str(tmp_path / name) for name in ("common", "online")), dsn=database)


@pytest.mark.parametrize("reached", ["expand", "enforce", "switch", "contract"])
def test_a_standard_that_grew_in_a_converted_table_is_refused(
    make_service: MakeService, tmp_path: Path, reached: str
) -> None:
    service = make_service(ODD)
    service.up(reached)
    folder = tmp_path / "model_orchestration"
    shutil.copytree(SHIPPED, folder)
    again = generate_service(folder, dsn=service.dsn, dry=True)
    assert again.converted == ("public.model", "public.request", "public.provider_quota")
    assert (again.added, again.differing) == ((), ())

    standard = folder / "standard.toml"
    whole = standard.read_text(encoding="utf-8")
    grown = whole.replace("enums = { ", 'enums = { model_id = "ModelStatus", ', 1)
    grown = grown.replace("[table.models]", '[table.models]\ncolumns.description = "about"')
    standard.write_text(grown, encoding="utf-8")
    lacking = "no file converts its columns model_id, about"
    with pytest.raises(StandardError, match=lacking) as caught:
        generate_service(folder, dsn=service.dsn, dry=True)
    assert caught.value.message.startswith("public.model has its new name already")
