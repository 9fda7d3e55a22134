"""What a plan tells before anything runs."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from rich.console import Console
from support.migration_files import write_migration
from support.runs import run_trueup

from runner.ledger.files import Migration, read_migrations
from runner.review import certificate as certificates
from runner.review.certificate import Certificate
from runner.review.plan import Plan, make_plan
from runner.review.plan_show import as_markdown, print_plan
from runner.review.rehearse import Options, rehearse


@pytest.fixture
def certificate(hazardous: Certificate, tmp_path: Path) -> Path:
    path = tmp_path / "certificate.json"
    certificates.write_file(hazardous, path)
    return path


@pytest.fixture
def live(database: str, hazards: tuple[Migration, ...]) -> str:
    """A database at the hand-made project's first file."""
    from runner.execute.engine import apply

    apply(database, hazards, to="0001_create_shop")
    return database


def shown(plan: Plan, *, everything: bool = True) -> str:
    out = StringIO()
    print_plan(plan, Console(file=out, width=200), everything=everything)
    return out.getvalue()


def test_files_come_in_order_with_what_was_measured(
    live: str, hazards: tuple[Migration, ...], certificate: Path
) -> None:
    plan = make_plan(live, hazards, rehearsal=certificate)
    assert [f.migration for f in plan.files] == [
        "0002_add_order_channel",
        "0003_rename_customers",
        "0004_shorten_note",
    ]
    first = plan.files[0]
    assert first.rehearsed
    assert first.seconds is not None
    assert [(lock.relation, lock.mode) for lock in first.locks if lock.table] == [
        ("public.orders", "ACCESS EXCLUSIVE")
    ]
    assert first.statements[1].rows_written == 2000
    text = shown(plan)
    assert "stops  reads and writes of public.orders for" in text
    assert "rewrites public.orders" in text
    assert "the rehearsal failed" in text


def test_without_a_rehearsal_the_header_speaks(
    live: str, hazards: tuple[Migration, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = make_plan(live, hazards)
    assert not any(f.rehearsed for f in plan.files)
    assert "nothing was rehearsed" in shown(plan)
    # A rename and a rewrite are among them: that nobody measured them is no all-clear.
    for text in (shown(plan), as_markdown(plan)):
        assert "not known: not rehearsed" in text
        assert "nobody" not in text


def test_a_session_that_holds_what_a_file_wants_is_named(
    live: str, hazards: tuple[Migration, ...], certificate: Path
) -> None:
    with psycopg.connect(live, application_name="the nightly report") as reader:
        reader.execute("SELECT FROM orders")
        reader.execute("SELECT pg_sleep(1.2)")
        plan = make_plan(live, hazards, rehearsal=certificate)
    (blocker,) = plan.files[0].in_the_way
    assert blocker.relation == "public.orders"
    assert "the nightly report" in blocker.who
    assert blocker.seconds > 1
    # The rename is of another table.
    assert plan.files[1].in_the_way == ()
    assert "in the way now: process" in shown(plan)
    assert "the nightly report" in as_markdown(plan)


def test_an_edited_file_is_planned_by_its_header_again(
    live: str, hazards: tuple[Migration, ...], certificate: Path
) -> None:
    from dataclasses import replace

    edited = (*hazards[:-1], replace(hazards[-1], text=hazards[-1].text + "\nSELECT 1;\n"))
    plan = make_plan(live, edited, rehearsal=certificate)
    assert [f.rehearsed for f in plan.files] == [True, True, False]
    assert "0004_shorten_note was not rehearsed as it is now" in plan.notes

    all_of_them = [replace(m, text=m.text + "\nSELECT 1;\n") for m in hazards]
    (note,) = [
        n for n in make_plan(live, all_of_them, rehearsal=certificate).notes if "not rehearsed" in n
    ]
    named = ", ".join(m.id for m in hazards[1:4])
    assert note == f"3 files were not rehearsed as they are now: {named}"


def test_markdown_is_a_table_whose_cells_hold_what_they_are_given(
    live: str, hazards: tuple[Migration, ...], certificate: Path
) -> None:
    text = as_markdown(make_plan(live, hazards, rehearsal=certificate))
    rows = [line for line in text.splitlines() if line.startswith("| `000")]
    assert len(rows) == 3
    assert all(row.count(" | ") == 3 for row in rows)
    assert "The rehearsal **failed**" in text


def test_a_long_plan_is_told_by_phase(
    live: str, hazards: tuple[Migration, ...], certificate: Path
) -> None:
    plan = make_plan(live, hazards, rehearsal=certificate)
    long = replace(plan, files=plan.files * 20)
    lines = shown(long, everything=False).splitlines()
    assert len(lines) < 24
    assert lines[0] == shown(long).splitlines()[0]
    assert any("files: 60 files, " in line and " stop clients: " in line for line in lines)
    assert lines[-1] == "each file with its locks, time and way back: --all"


def test_the_command_prints_each_format(live: str, certificate: Path) -> None:
    where = ("--sources", str(Path(__file__).parent / "hazards" / "migrations"))
    arguments = ("plan", *where, "--rehearsal", str(certificate))
    terminal = run_trueup(*arguments, dsn=live)
    assert terminal.returncode == 0, terminal.stderr
    assert "plan for migrations" in terminal.stdout
    found = json.loads(run_trueup(*arguments, "--format", "json", dsn=live).stdout)
    assert [f["migration"] for f in found["files"]][-1] == "0004_shorten_note"
    assert run_trueup(*arguments, "--format", "markdown").stdout.startswith("## Plan for")


def test_what_files_make_and_lock_again_is_told(tmp_path: Path, server_dsn: str) -> None:
    for name, forward, back, depends in (
        ("0001_base", "CREATE TABLE public.a (id int PRIMARY KEY);", None, ""),
        ("0002_make", "CREATE TABLE public.b (id int);", "DROP TABLE public.b;", "0001_base"),
        (
            "0003_widen",
            "DO $$ BEGIN EXECUTE 'ALTER TABLE public.b ALTER id ' || 'TYPE bigint'; END $$;",
            "ALTER TABLE public.b ALTER id TYPE int;",
            "0002_make",
        ),
    ):
        write_migration(tmp_path, name, forward, back, depends=depends)
    migrations = read_migrations([tmp_path])
    options = Options(rows=50, scratch=server_dsn, base="0001_base", clients=False)
    path = tmp_path / "certificate.json"
    certificates.write_file(rehearse(None, migrations, options=options), path)
    rows = as_markdown(make_plan(None, migrations, rehearsal=path)).splitlines()
    assert any("`0002_make`" in row and "| nobody |" in row for row in rows)
    (widened,) = [row for row in rows if row.startswith("| `0003_widen`")]
    assert "only those who use what these files created: reads and writes of public.b" in widened


def test_a_certificate_that_is_none_is_one_clear_error(live: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    where = ("--sources", str(Path(__file__).parent / "hazards" / "migrations"))
    done = run_trueup("plan", *where, "--rehearsal", str(wrong), dsn=live)
    assert done.returncode == 1
    assert "is not the certificate of a rehearsal" in done.stderr
    assert "Traceback" not in done.stderr
