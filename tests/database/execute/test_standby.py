"""A backfill beside a standby of the server: it waits for one that is behind, whatever keeps it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest
from support.backfills import FILE, ROWS, load, migrations, progress_of, rows_of
from support.pairs import Pair, start_pair
from support.processes import eventually
from support.runs import query

from runner.execute import backfill, engine
from runner.execute.events import BackfillHeld, Event, Vitals

SENDERS = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"
CAUGHT_UP = SENDERS + " AND replay_lsn = pg_current_wal_flush_lsn()"


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with start_pair() as started:
        yield started


@pytest.mark.parametrize("what", ["replays", "receives"])
def test_a_backfill_waits_while_a_standby_does_nothing(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    pair.primary.create_database(what)
    dsn = pair.primary.dsn(what)
    load(dsn)
    engine.apply(dsn, migrations(), to="0201_backfill_model")
    eventually(lambda: query(dsn, CAUGHT_UP))
    for name in ("BATCH_SECONDS", "CHUNK_SECONDS"):
        monkeypatch.setattr(backfill, name, 0.0001)  # many looks
    monkeypatch.setattr(backfill, "BATCH_PAGES", 1)  # several chunks
    heard: list[Event] = []

    def run() -> None:
        settings = engine.Settings(max_lag=0.3, pause=0.5)
        engine.apply(dsn, migrations(), to=FILE, settings=settings, listener=heard.append)

    def held() -> list[str]:
        return [event.reason for event in heard if isinstance(event, BackfillHeld)]

    receiver = query(pair.standby.dsn(), "SELECT pid FROM pg_stat_wal_receiver")[0][0]
    if what == "replays":
        query(pair.standby.dsn(), "SELECT pg_wal_replay_pause()")
    else:
        os.kill(receiver, signal.SIGSTOP)
    try:
        running = threading.Thread(target=run)
        running.start()
        eventually(held)
        done = progress_of(dsn)
        assert 0 < done[0][0] < ROWS
        running.join(timeout=1.5)
        assert running.is_alive()
        assert progress_of(dsn) == done
    finally:
        if what == "replays":
            query(pair.standby.dsn(), "SELECT pg_wal_replay_resume()")
        else:
            os.kill(receiver, signal.SIGCONT)
        running.join(timeout=30)
    assert not running.is_alive()
    assert rows_of(dsn) == [(ROWS, ROWS, ROWS)]
    assert all(reason.startswith("standby second is ") for reason in held())
    vitals = [event for event in heard if isinstance(event, Vitals)]
    assert {event.standby for event in vitals} - {""} == {"second"}  # none before the first look
    assert max(event.lag or 0.0 for event in vitals) > 0.3


def test_a_standby_that_keeps_up_holds_nothing(pair: Pair) -> None:
    pair.primary.create_database("calm")
    dsn = pair.primary.dsn("calm")
    load(dsn)
    eventually(lambda: query(dsn, CAUGHT_UP))
    heard: list[Event] = []
    engine.apply(dsn, migrations(), to=FILE, listener=heard.append)
    assert not [event for event in heard if isinstance(event, BackfillHeld)]
