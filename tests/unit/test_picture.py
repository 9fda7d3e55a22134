"""The picture of a migration under way: what it shows, in which words, and at which width."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import reduce
from io import StringIO

import pytest
from rich.console import Console
from support import terminal

from runner.execute.events import (
    RESTS,
    AttemptFailed,
    BackfillHeld,
    Event,
    FileDone,
    FileStarted,
    Phase,
    Progress,
    RunStarted,
    Vitals,
)
from runner.execute.pace import Pace
from runner.execute.picture import Picture, after, describe_vitals, draw, phases_of
from runner.execute.underway import BackfillStatus, Running, Underway, describe
from runner.execute.vitals import _read
from runner.execute.watch import picture_of, show
from runner.ledger.status import MigrationStatus

PHASES = (Phase("baseline", 1, 1), Phase("expand", 2, 2), Phase("backfill", 3, 1))
FILE = "0202_backfill_request"
STARTED = RunStarted("trueup-1", "APPLY", "orders", "deploy", (FILE,), PHASES)
BEGUN = FileStarted(FILE, "backfill", "Fill it.", 1, 1, False)
HALF = Progress(FILE, "public.requests", 1_240_000, 0.5, 86_305.0, 125.0)
VITALS = Vitals(FILE, 0.0012, 0.004, 0.3, "replica_1")


def picture(*events: Event) -> Picture:
    return reduce(after, events, Picture())


def drawn(shown: Picture, width: int = 80, **console: bool) -> str:
    stream = StringIO()
    environment = {"TERM": "xterm"}
    Console(file=stream, width=width, _environ=environment, **console).print(draw(shown))  # type: ignore[arg-type]
    return stream.getvalue()


def test_it_shows_phases_rate_time_left_lag_and_latency() -> None:
    seen = drawn(picture(STARTED, BEGUN, HALF, VITALS, BackfillHeld(FILE, RESTS)))
    assert [line.rstrip() for line in seen.splitlines()] == [
        "expand done  > backfill 1/3",
        "0202_backfill_request, 0 s",
        f"{'━' * 30:<60} 50%",
        "public.requests: 50%, 1,240,000 rows, 86,305 rows/s, 2 min 5 s left",
        "commit latency: median 1.2 ms, p99 4.0 ms; standby replica_1: 0.3 s behind",
        f"waiting: {RESTS}",
    ]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_it_fits_any_width(width: int) -> None:
    long = AttemptFailed(FILE, 1, "canceling statement due to lock timeout " * 5, (), 0.1, 9.0)
    seen = drawn(picture(STARTED, BEGUN, HALF, VITALS, long), width)
    assert max(map(len, seen.splitlines())) <= width


def test_without_color_the_phase_that_runs_is_still_marked() -> None:
    shown = picture(STARTED, BEGUN, HALF, VITALS)
    colored = drawn(shown, force_terminal=True)
    plain = drawn(shown, force_terminal=True, no_color=True)
    assert "\x1b[1;36m> backfill 1/3" in colored
    assert "\x1b[1m> backfill 1/3" in plain
    assert terminal.COLOR.search(colored)
    assert not terminal.COLOR.search(plain)


def test_what_is_waited_for_goes_when_rows_move() -> None:
    held = picture(STARTED, BEGUN, HALF, BackfillHeld(FILE, "standby r is 12.0 s behind"))
    assert held.waits
    assert after(held, HALF).waits
    assert not after(held, HALF._replace(rows=HALF.rows + 1)).waits


def test_a_phase_grows_with_its_files_and_shrinks_when_they_are_rolled_back() -> None:
    done = picture(STARTED, BEGUN, HALF, VITALS, FileDone(FILE, "backfill", 1.0, 1))
    assert done.phases[-1] == Phase("backfill", 3, 2)
    assert (done.file, done.progress) == ("", None)
    back = picture(STARTED._replace(operation="ROLLBACK"), BEGUN, FileDone(FILE, "backfill", 1, 1))
    assert back.phases[-1] == Phase("backfill", 3, 0)


def test_phases_are_counted_in_the_order_of_their_files() -> None:
    files = [("expand", True), ("backfill", True), ("backfill", False), ("", False)]
    assert phases_of(files) == (Phase("expand", 1, 1), Phase("backfill", 2, 1), Phase("", 1, 0))


def test_what_is_not_known_is_left_out() -> None:
    assert describe_vitals(Vitals(FILE, None, None, None, "")) == ""
    assert describe_vitals(Vitals(FILE, None, None, 0.0, "r")) == "standby r: 0.0 s behind"


def test_the_rate_is_that_since_the_first_look() -> None:
    pace = Pace()
    assert pace.see("a", 10.0, 100, 0.25) == (0.0, None)
    assert pace.see("a", 10.0, 100, 0.25) == (0.0, None)
    assert pace.see("a", 20.0, 600, 0.75) == (50.0, 5.0)
    assert pace.see("b", 21.0, 5, 0.1) == (0.0, None)
    assert pace.see("b", 22.0, 3, 0.0) == (0.0, None), "it was begun anew"


def looks() -> list[Underway]:
    files = (
        MigrationStatus("0201_a", "expand", "applied", "2026-01-02 03:04:05 UTC", "", 1.0, ()),
        MigrationStatus(FILE, "backfill", "running", "", "deploy@host", None, ()),
    )
    phases = (Phase("expand", 1, 1), Phase("backfill", 1, 0))
    run = Running("trueup-1 (server process 7)", FILE, 20.0, VITALS)
    return [
        Underway(
            files,
            (),
            (BackfillStatus(FILE, "public.requests", rows, share, seconds, 0, 1.0, 0.9),),
            (),
            phases,
            run,
        )
        for rows, share, seconds in ((100, 0.1, 5.0), (100, 0.1, 5.0), (600, 0.6, 10.0))
    ]


def test_who_watches_the_database_sees_what_the_run_shows() -> None:
    pace = Pace()
    shown = [picture_of(found, pace) for found in looks()][-1]
    seen = [line.rstrip() for line in drawn(shown).splitlines()]
    assert seen.pop(2).endswith(" 60%")
    assert seen == [
        "expand done  > backfill 0/1",
        f"{FILE}, 20 s",
        "public.requests: 60%, 600 rows, 100 rows/s, 4 s left",
        describe_vitals(VITALS),
    ]


def test_without_a_terminal_a_watch_writes_lines_when_they_change() -> None:
    stream = StringIO()
    show(looks(), stream)
    told = stream.getvalue()
    assert "\x1b" not in told
    first, _, last = looks()
    assert told == f"{describe(first)}\n{describe(last)}\n"
    assert f"running: {FILE}; trueup-1 (server process 7)" in told


@pytest.mark.parametrize(
    "change",
    [
        {"standby": "\x1b[2J"},
        {"migration": "a\nb"},
        {"lag": "1"},
        {"commit_p99": float("nan")},
        {"commit_median": True},
        {"commit_median": {}},
    ],
)
def test_what_others_may_send_is_not_shown(change: dict[str, object]) -> None:
    assert _read(json.dumps(asdict(VITALS))) == VITALS
    assert _read(json.dumps(asdict(VITALS) | change)) is None


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", "[" * 5000, '{"migration": "a"}'])
def test_nor_is_what_nobody_can_read(text: str) -> None:
    assert _read(text) is None
