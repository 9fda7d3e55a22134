"""CREATE INDEX CONCURRENTLY that is cancelled, cut off or killed while it waits for a client."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from support.databases import DatabaseFactory
from support.processes import eventually
from support.runs import applied, query, start_trueup
from support.variants import Service

from faults.failing_runs import FailingRuns, Order
from faults.outcome import State, assert_at_rest, assert_same, state_of

FILE = "0301_enforce_model_pkey"
BUILDS: LiteralString = """
    FROM pg_stat_activity
    WHERE query LIKE 'CREATE UNIQUE INDEX CONCURRENTLY%' AND state = 'active'
        AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="module")
def expected(make_expected: Callable[[str], State]) -> State:
    return make_expected(FILE)


@pytest.fixture
def make_service(
    database_factory: DatabaseFactory, load: Callable[[str], None], service_folder: Path
) -> Callable[[], Service]:
    """Makes databases where the index is the next file."""

    def make() -> Service:
        service = Service(database_factory(load), service_folder)
        service.apply("online", "backfill")
        return service

    return make


@pytest.mark.parametrize("how", ["cancel", "terminate", "kill", "term"])
def test_an_index_that_was_not_built_to_its_end_is_built_again(
    service: Service, expected: State, how: str
) -> None:
    service.apply("online", "backfill")
    with psycopg.connect(service.dsn) as client:
        # The build waits for this transaction, with an index that is there and not valid.
        client.execute("UPDATE public.models SET updated_at = updated_at")
        with start_trueup(
            "apply", "--service", str(service.folder), "--to", FILE, "--deadline", "20s",
            dsn=service.dsn,
        ) as process:  # fmt: skip
            eventually(lambda: query(service.dsn, "SELECT 1" + BUILDS))
            if how in ("kill", "term"):
                process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGTERM)
            elif how == "cancel":
                query(service.dsn, "SELECT pg_cancel_backend(pid)" + BUILDS)
            else:
                query(service.dsn, "SELECT pg_terminate_backend(pid)" + BUILDS)
            _, errors = process.communicate(timeout=30)
        assert process.returncode != 0
        assert "Traceback" not in errors
        client.rollback()
    eventually(lambda: not query(service.dsn, "SELECT 1" + BUILDS))
    service.apply("online", FILE)
    assert_same(expected, state_of(service))
    assert_at_rest(service.dsn)


def test_an_index_that_was_ready_when_the_run_was_stopped_is_built_again(
    make_service: Callable[[], Service], expected: State, failing_runs: FailingRuns
) -> None:
    at, service = 0, make_service()
    while not stop_with_answer(failing_runs, service, at):
        at += 1
    service = make_service()  # one that no other run has begun to build
    assert stop_with_answer(failing_runs, service, at)
    assert applied(service.dsn)[-1] != FILE
    service.apply("online", FILE)
    assert_same(expected, state_of(service))
    assert_at_rest(service.dsn)


def stop_with_answer(runs: FailingRuns, service: Service, at: int) -> bool:
    """Stop a run with the answer to one of its calls; whether the index was built by it."""
    arguments = ["apply", "--service", str(service.folder), "--to", FILE]
    stopped = runs.run(Order(arguments, service.dsn, "answered", at))
    assert stopped.exit_code == 130, stopped.errors
    return query(service.dsn, "SELECT to_regclass('public.model_pkey') IS NOT NULL") == [(True,)]
