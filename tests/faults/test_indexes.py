"""CREATE INDEX CONCURRENTLY that is cancelled, cut off or killed while it waits for a client."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import LiteralString

import psycopg
import pytest
from support.processes import eventually
from support.runs import query, start_trueup
from support.variants import Service

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
