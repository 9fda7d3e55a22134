"""Several runs at once: of trueup, and of plain yoyo."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from support.runs import applied, query, run_yoyo, start_trueup, yoyo_url
from support.variants import Service

from faults.failing_runs import FailingRuns, Order
from faults.outcome import State, assert_at_rest, assert_same, state_of
from runner.execute.engine import apply
from runner.ledger.files import read_migrations


@pytest.fixture(scope="module")
def expected(make_expected: Callable[[str], State]) -> State:
    return make_expected("enforce")


def trueup(service: Service) -> subprocess.Popen[str]:
    return start_trueup(
        "apply", "--service", str(service.folder), "--to", "enforce", "--deadline", "60s",
        dsn=service.dsn,
    )  # fmt: skip


def yoyo(service: Service) -> subprocess.Popen[str]:
    sources = [str(service.folder / name) for name in ("legacy", "common", "online")]
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "yoyo", "apply", "--batch", "--no-config-file"),
            *("-d", yoyo_url(service.dsn), *sources),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_three_runs_of_trueup_do_the_work_of_one(service: Service, expected: State) -> None:
    processes = [trueup(service) for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors
    assert_same(expected, state_of(service))
    assert_at_rest(service.dsn)


@pytest.mark.parametrize("first", ["trueup", "yoyo"])
def test_trueup_and_plain_yoyo_at_once_do_the_work_of_one(
    service: Service, expected: State, first: str
) -> None:
    started = [yoyo, trueup] if first == "yoyo" else [trueup, yoyo]
    processes = {start.__name__: start(service) for start in started}
    for name, process in processes.items():
        _, errors = process.communicate(timeout=90)
        # Plain yoyo waits ten seconds for the lock, no more; that is its only way to fail.
        assert process.returncode == 0 or (name == "yoyo" and "locked" in errors.lower()), errors
    assert_same(expected, state_of(service))
    assert_at_rest(service.dsn)


def test_plain_yoyo_goes_on_where_a_killed_run_of_trueup_was(
    service: Service, expected: State, failing_runs: FailingRuns
) -> None:
    arguments = ["apply", "--service", str(service.folder), "--to", "enforce"]
    assert failing_runs.run(Order(arguments, service.dsn, "kill", 100)).exit_code == -9
    done = applied(service.dsn)
    assert 1 < len(done) < len(expected.applied)
    # The row that it left would keep yoyo out; the next run of trueup clears it.
    assert service.apply("online", done[-1]).migrations == ()
    sources = [str(service.folder / name) for name in ("legacy", "common", "online")]
    run_yoyo("apply", *sources, dsn=service.dsn)
    assert_same(expected, state_of(service))
    assert_at_rest(service.dsn)


def test_the_row_of_a_run_that_was_killed_at_its_very_end_does_not_keep_yoyo_out(
    service: Service,
) -> None:
    query(
        service.dsn,
        "INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), -12345)",
    )
    apply(service.dsn, read_migrations([service.folder / "legacy"]))
    assert query(service.dsn, "SELECT pid FROM yoyo_lock") == []


def test_the_row_of_a_run_that_lives_stays(service: Service) -> None:
    with trueup(service) as process:
        for _ in range(20):
            apply(service.dsn, read_migrations([service.folder / "legacy"]))
        assert process.wait(timeout=60) == 0
