"""How long a file goes on trying for a lock."""

from __future__ import annotations

import io

import pytest

from runner.execute.events import FileDone, Noticed, Progress
from runner.execute.listeners import describe, json_listener, text_listener
from runner.execute.retry import FIRST_PAUSE, LONGEST_PAUSE, Patience


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that moves when it is told to."""
    now = [0.0]
    monkeypatch.setattr("runner.execute.retry.time.monotonic", lambda: now[0])
    return now


def test_pauses_grow_and_stay_below_the_longest(clock: list[float]) -> None:
    patience = Patience(deadline=3600)
    pauses = [patience.next_pause() or 0 for _ in range(20)]
    for number, pause in enumerate(pauses):
        most = min(FIRST_PAUSE * 2**number, LONGEST_PAUSE)
        assert most / 2 <= pause <= most


def test_the_deadline_runs_from_the_first_failed_try(clock: list[float]) -> None:
    patience = Patience(deadline=10)
    clock[0] = 1000  # a long first try
    assert patience.next_pause() is not None
    clock[0] = 1009.99
    pause = patience.next_pause()
    assert pause is not None
    assert pause <= 0.01 + 1e-6
    clock[0] = 1010
    assert patience.next_pause() is None


def test_work_that_advances_begins_with_new_patience(clock: list[float]) -> None:
    patience = Patience(deadline=10)
    for _ in range(10):
        clock[0] += 9
        pause = patience.next_pause(advanced=True)
        assert pause is not None
        assert pause <= FIRST_PAUSE
    assert patience.attempts == 10


def test_no_patience_is_one_try() -> None:
    assert Patience(deadline=0).next_pause() is None


def test_a_listener_whose_stream_is_closed_falls_silent() -> None:
    for make in (text_listener, json_listener):
        stream = io.StringIO()
        listener = make(stream)
        stream.close()
        listener(FileDone("0001_expand_a", "expand", 1.0, 1))


def test_events_as_lines() -> None:
    assert describe(FileDone("a", "expand", 1.5, 3)) == "    done in 1.500 s, 3 tries"
    assert describe(Noticed("a", "WARNING", "look")) == "    WARNING: look"


def test_a_log_has_one_line_a_percent_of_a_long_file() -> None:
    stream = io.StringIO()
    tell = text_listener(stream)
    for file in ("0201_backfill_a", "0202_backfill_b"):
        for share in (0.0, 0.004, 0.011, 0.012, 0.009, 0.025, 1.0, 1.0):
            tell(Progress(file, "public.a", 1, share, 1.0, None))
    shares = [line.split()[1] for line in stream.getvalue().splitlines()]
    assert shares == ["0%,", "1%,", "2%,", "100%,"] * 2
