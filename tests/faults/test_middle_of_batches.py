"""A backfill that is ended in the middle of a batch: converted rows, nothing committed of them yet.

A trigger on trueup.progress, where every batch reports just before its COMMIT, holds the batch
that the test has chosen. Product code knows nothing of it.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from support.processes import eventually
from support.runs import applied, query, start_trueup
from support.variants import Service

from faults.conftest import COMPLETE
from faults.outcome import State, assert_at_rest, assert_same, state_of

FILE = "0202_backfill_request"
BATCHES = 8  # the table fits into one range of pages, which is walked in eight passes
CHOSEN = range(1, BATCHES + 1) if COMPLETE else (5,)
HOLD = """
    CREATE SEQUENCE public.fault_batch;
    CREATE FUNCTION public.fault() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        -- A sequence does not go back with the transaction: each fault happens once.
        IF nextval('public.fault_batch') = {at} THEN
            {what};
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER fault AFTER INSERT OR UPDATE ON trueup.progress
        FOR EACH ROW EXECUTE FUNCTION public.fault()
"""
SLEEP = "PERFORM pg_sleep(20)"
DISK_FULL = "RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'"


@contextmanager
def fault_in_batch(service: Service, at: int, what: str) -> Iterator[None]:
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute(HOLD.format(at=at, what=what).encode())
    yield
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute(
            "DROP TRIGGER fault ON trueup.progress; DROP FUNCTION public.fault();"
            "DROP SEQUENCE public.fault_batch"
        )


@pytest.fixture(scope="module")
def expected(make_expected: Callable[[str], State]) -> State:
    return make_expected(FILE)


def start(service: Service) -> subprocess.Popen[str]:
    return start_trueup(
        "apply", "--service", str(service.folder), "--to", FILE, "--deadline", "20s",
        dsn=service.dsn,
    )  # fmt: skip


def held(dsn: str) -> bool:
    return bool(query(dsn, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))


def go_on(service: Service, expected: State) -> None:
    service.apply("online", FILE)
    assert_same(expected, state_of(service))
    assert_at_rest(service.dsn)


@pytest.mark.parametrize("batch", CHOSEN)
@pytest.mark.parametrize("how", ["kill", "term", "terminate"])
def test_a_backfill_that_ends_in_the_middle_of_a_batch_is_taken_up(
    service: Service, expected: State, batch: int, how: str
) -> None:
    service.apply("online", "expand")
    with fault_in_batch(service, batch, SLEEP):
        with start(service) as process:
            eventually(lambda: held(service.dsn))
            if how == "terminate":
                query(
                    service.dsn,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE wait_event = 'PgSleep'",
                )
            else:
                process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGTERM)
            _, errors = process.communicate(timeout=30)
        assert process.returncode == {"kill": -9, "term": 130, "terminate": 3}[how]
        assert "Traceback" not in errors
        # The server notices that its client has died, and takes the batch back.
        eventually(lambda: not held(service.dsn), seconds=10)
        done = query(service.dsn, "SELECT coalesce(sum(rows_done), 0) FROM trueup.progress")
        filled = query(
            service.dsn,
            "SELECT (SELECT count(*) FROM public.requests WHERE id__new IS NOT NULL)"
            " + (SELECT count(*) FROM public.models WHERE id__new IS NOT NULL)",
        )
        assert done == filled
    go_on(service, expected)


@pytest.mark.parametrize("batch", CHOSEN)
def test_a_batch_that_finds_the_disk_full_is_done_again(
    service: Service, expected: State, batch: int
) -> None:
    service.apply("online", "expand")
    with fault_in_batch(service, batch, DISK_FULL):
        with start(service) as process:
            _, errors = process.communicate(timeout=30)
        assert process.returncode == 5
        assert "No space left on device" in errors
        assert "Traceback" not in errors
        assert applied(service.dsn)[-1] < FILE
    go_on(service, expected)


def test_a_row_that_a_client_keeps_locked_only_delays_its_batch(
    service: Service, expected: State
) -> None:
    service.apply("online", "expand")
    with psycopg.connect(service.dsn) as client:
        client.execute("SELECT FROM public.requests FOR UPDATE")
        with start(service) as process:
            time.sleep(1.5)
            assert process.poll() is None
            # Others are served while the backfill waits for that row.
            with psycopg.connect(service.dsn, options="-c lock_timeout=1s") as other:
                other.execute("UPDATE public.models SET updated_at = updated_at")
                other.rollback()
            client.rollback()
            assert process.wait(timeout=30) == 0
    assert_same(expected, state_of(service))
    assert_at_rest(service.dsn)
