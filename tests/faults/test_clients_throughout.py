"""Clients of both contracts while runs are killed again and again, and while the server crashes."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import pytest
from bench.clients import Clients, acknowledged, clients, write_ids
from support.databases import DatabaseFactory
from support.processes import eventually
from support.runs import applied, query, start_trueup
from support.variants import ODD, TEXT, Service

from faults.conftest import COMPLETE
from faults.outcome import State, assert_at_rest, assert_same, state_of
from runner.postgres.embedded import EmbeddedServer, start_server

RATE = 60 if COMPLETE else 30
KILLS = 25 if COMPLETE else 6


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    """A server that the test may crash: it keeps what was committed, as a real one does."""
    with start_server() as server:
        yield server


def storm(service: Service, to: str, kills: int) -> int:
    """Apply, and kill the run at a random moment, so often; then let it finish."""
    killed = 0
    arguments = ("apply", "--service", str(service.folder), "--to", to, "--deadline", "60s")
    moments = random.Random(4)
    while True:
        with start_trueup(*arguments, "--waiting-period", "2s", dsn=service.dsn) as process:
            if killed < kills:
                eventually(lambda: process.poll() is not None or _working(service.dsn))
                time.sleep(moments.uniform(0, 0.25))
            if killed < kills and process.poll() is None:
                process.send_signal(moments.choice([signal.SIGKILL, signal.SIGTERM]))
                killed += 1
            _, errors = process.communicate(timeout=90)
            # -15: so early that nothing of trueup was there yet to answer SIGTERM; a lock that is
            # held may be the last run's, whose end the server has not noticed.
            if process.returncode in (-9, -15, 130):
                continue
            assert process.returncode == 0, errors
            return killed


def _working(dsn: str) -> bool:
    """Whether a run holds the migration lock."""
    return bool(query(dsn, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"))


def errors_of(load: Clients) -> list[str]:
    return [f"{s.name}: {s.error}" for s in load.samples if s.error]


@cache
def _load() -> Callable[[str], None]:
    return partial(TEXT.load, filled=True)  # the clients want what they read spelled one way


def test_clients_notice_nothing_of_runs_that_are_killed(
    database_factory: DatabaseFactory, service_folder: Path, tmp_path: Path
) -> None:
    service = Service(database_factory(_load()), service_folder)
    write_ids(service.dsn, tmp_path)
    before = query(service.dsn, "SELECT sum(daily_tokens_used) FROM public.provider_quotas")[0][0]
    with clients("old", service.dsn, tmp_path, rate=RATE, connections=3) as old:
        killed = storm(service, "enforce", KILLS)
        with clients("new", service.dsn, tmp_path, rate=RATE, connections=3) as new:
            killed += storm(service, "switch", KILLS // 2)
            time.sleep(1)
            old.stop()
            if service.catalog().version < 16:  # which do not date the last use
                service.read_odometers()
            time.sleep(2)
            killed += storm(service, "contract", KILLS // 2)
            time.sleep(0.5)
    assert killed
    assert errors_of(old) + errors_of(new) == []
    counted = query(service.dsn, "SELECT sum(daily_tokens_used) FROM public.provider_quota")
    assert counted == [(before + acknowledged(old.samples + new.samples),)]
    assert_at_rest(service.dsn)


@pytest.mark.parametrize(
    "migration",
    ["0101_expand_model", "0202_backfill_request", "0305_enforce_request_pkey"],
)
def test_a_server_that_crashes_under_a_run_comes_back_and_the_run_is_taken_up(
    own_server: EmbeddedServer, service_folder: Path, migration: str
) -> None:
    for name in ("calm", "crashed"):
        own_server.create_database(name)
        ODD.load(own_server.dsn(name), filled=True)
    calm = Service(own_server.dsn("calm"), service_folder)
    calm.apply("online", migration)
    expected: State = state_of(calm)

    crashed = Service(own_server.dsn("crashed"), service_folder)
    crashed.apply("online", _before(expected, migration))
    arguments = ("apply", "--service", str(service_folder), "--to", migration)
    with start_trueup(*arguments, dsn=crashed.dsn) as process:
        eventually(lambda: process.poll() is not None or _working(crashed.dsn))
        own_server.crash()
        _, errors = process.communicate(timeout=30)
    assert process.returncode in (0, 3), errors
    assert "Traceback" not in errors
    own_server.restart()
    crashed.apply("online", migration)
    assert_same(expected, state_of(crashed))
    assert_at_rest(crashed.dsn)
    assert applied(crashed.dsn) == expected.applied


def _before(state: State, migration: str) -> str:
    return state.applied[state.applied.index(migration) - 1]
