"""Results in words, as the command line prints them."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from runner.execute.dry_run import Trial, describe_trials
from runner.execute.engine import Outcome
from runner.execute.events import AttemptFailed, Noticed
from runner.execute.listeners import describe as describe_event
from runner.execute.listeners import text_listener
from runner.execute.old_names import OldName, Witness
from runner.execute.underway import BackfillStatus, Underway, describe, describe_backfill
from runner.fleet import Result
from runner.fleet import describe as describe_result
from runner.ledger.privileges import Need
from runner.ledger.status import MigrationStatus, Standing, describe_status
from runner.ledger.units import Stand
from runner.review.plan_show import cell, code
from runner.screen import harmless, show
from runner.service.write import Written
from runner.service.write import describe as describe_written


def test_the_outcome_of_a_run() -> None:
    assert str(Outcome("r", "APPLY", (), 0.0)) == "nothing to do"
    assert str(Outcome("r", "APPLY", ("a",), 0.0)) == "applied: 1 file"
    assert str(Outcome("r", "ROLLBACK", ("b", "a"), 0.0)) == "rolled back: 2 files"


def test_a_dry_run() -> None:
    trials = [Trial("a", True, "", 0.25), Trial("b", False, "it depends on a", 0.0)]
    assert describe_trials(trials).splitlines() == [
        "a  tried in 0.250 s",
        "b  not tried: it depends on a",
        "dry run: 1 of 2 pending tried and undone; nothing was changed",
    ]


def status(migration: str, standing: Standing, *notes: str) -> MigrationStatus:
    at = "" if standing == "pending" else "2026-01-02 03:04:05 UTC"
    return MigrationStatus(migration, "expand", standing, at, "deploy@host", 1.0, notes)


def test_where_migrations_stand() -> None:
    lines = describe_status([status("0001_a", "applied"), status("0002_ab", "pending", "look")])
    assert lines == [
        "applied     0001_a   2026-01-02 03:04:05 UTC  deploy@host",
        "pending     0002_ab",
        "            look",
    ]
    assert describe_status([]) == []


def test_what_is_under_way() -> None:
    backfill = BackfillStatus("0002_ab", "public.t", 50, 0.5, 10.0, 3, 1.2, 0.9)
    witnesses = (
        Witness("counter", True, True, None, "7 uses"),
        Witness("pg_stat_statements", False, False, None, "the extension is not in this database"),
    )
    users = ("billing (app), sessions: 2",)
    name = OldName("public.ts", 7, None, None, None, users, witnesses)
    unit = Stand(("public.t", "public.u"), "expand", "trueup apply")
    shown = describe(Underway((status("0001_a", "applied"),), (unit,), (backfill,), (name,)))
    assert shown.splitlines()[-1] == "expand is done, next: trueup apply"
    assert shown.splitlines()[1:-1] == [
        "public.t, public.u: expand is done; next: trueup apply",
        "0002_ab: 50% of public.t, 50 rows, 5 rows/s, 10 s left; 3 dead rows,"
        " table 1.20 times its size, 90% HOT",
        "public.ts: 7 queries; may be in use, so contract is not allowed",
        "  by billing (app), sessions: 2",
        "  counter: 7 uses",
        "  not heard: pg_stat_statements: the extension is not in this database",
    ]


def test_what_is_under_way_of_many_tables_fits_a_screen() -> None:
    files = tuple(status(f"{n:04}_a", "applied") for n in range(1, 300))
    files += (status("0300_a", "unfinished", "it was stopped"), status("0301_a", "pending"))
    units = tuple(Stand((f"public.t{n}",), "expand", "trueup apply") for n in range(60))
    backfills = tuple(
        BackfillStatus(f"{n:04}_b", "public.t", 50, 1.0 if n else 0.996, 10.0, 3, 1.2, 0.9)
        for n in range(60)
    )
    under_way = Underway(files, units, backfills, ())

    lines = describe(under_way).splitlines()

    assert len(lines) < 24
    assert lines[0] == "files: 299 applied, 1 unfinished, 1 pending"
    assert any(line.startswith("unfinished  0300_a") for line in lines)
    assert (
        "public.t0, public.t1, public.t2, public.t3, and 56 more (--all): expand is done"
        in " ".join(lines)
    )
    assert any(line.startswith("0000_b: 99% of public.t") for line in lines)
    assert "backfills done: 59, 2,950 rows" in lines
    assert len(describe(under_way, everything=True).splitlines()) > 400


def test_a_backfill_whose_table_has_another_name_now() -> None:
    backfill = BackfillStatus("0002_ab", "public.ts", 50, 1.0, 10.0, None, None, None)
    assert describe_backfill(backfill) == "0002_ab: 100% of public.ts, 50 rows, 5 rows/s"
    assert str(Stand(("public.t",), "", "trueup apply")) == (
        "public.t: not begun; next: trueup apply"
    )
    assert str(Stand(("public.t",), "contract", "")) == "public.t: contract is done"


def test_a_privilege_that_the_role_has_is_a_comment() -> None:
    assert str(Need("GRANT x TO y;", "why", False)) == "GRANT x TO y;  -- why"
    assert str(Need("GRANT x TO y;", "why", True)) == "-- has already: GRANT x TO y;  -- why"


def test_a_database_of_a_fleet() -> None:
    lines = [describe_result(Result("db", code, "m", 1.25), 4) for code in (0, 5, None)]
    assert lines == [
        "db    done       1.2 s  m",
        "db    failed     1.2 s  m",
        "db    left       1.2 s  m",
    ]


def test_what_generating_came_to() -> None:
    written = Written(("online/1.sql", "online/2.sql", "window/1.sql"), ("w",), ("x",), (), ("t",))
    assert describe_written(written, dry=True) == [
        "missing: 2 files in online/",
        "missing: 1 file in window/",
        "differs: x",
        "converted already, no files needed: t",
        "unchanged: 1 file",
    ]
    assert describe_written(written, dry=False)[0] == "added: 2 files in online/"


EVIL = "a\x1b[2J\x9b31m\r\u202eb"


def test_nothing_that_a_terminal_would_obey_is_printed() -> None:
    assert harmless(EVIL + "\tc\r\nd") == "a␛[2J\ufffd31m␍\ufffdb\tc\nd"
    stream = io.StringIO()
    show(Console(file=stream, width=80), [Text(f"[red]{EVIL}", "bold")])
    text_listener(stream)(Noticed("f", "NOTICE", EVIL))
    assert stream.getvalue() == ("[red]a␛[2J\ufffd31m\ufffdb\n    NOTICE: a␛[2J\ufffd31m␍\ufffdb\n")


def test_what_a_server_says_begins_no_line_of_ours() -> None:
    told = describe_event(Noticed("f", "NOTICE", "a\ndone in 1 s"))
    assert told == "    NOTICE: a\n        done in 1 s"
    told = describe_event(AttemptFailed("f", 1, "a\nerror: b", (), 0.1, 9.0))
    assert told == "    a error: b; try 2 in 0.10 s"


def test_a_name_in_a_comment_is_no_markup_and_calls_nobody() -> None:
    assert cell("a|b <img> [x](y)\n@all") == r"a\|b &lt;img> \[x\](y) &#64;&#8203;all"
    assert cell("_@ann_ a_b `*~") == r"\_&#64;&#8203;ann\_ a_b \`\*\~"
    assert cell("https://e.x WWW.e.x") == "https&#58;&#8203;//e.x WWW&#46;&#8203;e.x"
    assert cell("o/r#1 GH-1 &#64;ann") == "o/r&#35;&#8203;1 GH-&#8203;1 &amp;&#35;&#8203;64;ann"
    assert code("a`b|c\n<i>") == "`a'b\\|c <i>`"
