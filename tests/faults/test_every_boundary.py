"""A run that ends at any boundary of any file, forward and back, however it ends.

One file at a time: a database just before the file is cloned, run after run is ended at one
boundary after the other, the last run goes on, and the result is compared with an undisturbed run
of that file. As every file starts from the undisturbed state, the chain's end is the same, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from support.databases import DatabaseFactory
from support.processes import eventually
from support.runs import applied, query
from support.variants import SHIPPED, Service, migrations_of

from faults.conftest import COMPLETE
from faults.failing_runs import FailingRuns, Kind, Order
from faults.outcome import assert_at_rest, assert_same, clone, state_of
from runner.postgres.databases import create_database, drop_database

Direction = Literal["apply", "rollback"]
IDS = [m.id for m in migrations_of(SHIPPED, "online") if m.phase != "baseline"]
# One of each kind: many statements, an index, the switch, a rollback that fills rows or swaps keys.
REDUCED = [
    (next(i for i in IDS if i.endswith(name)), direction)
    for name, direction in (
        ("_expand_model", "apply"),
        ("_enforce_model_pkey", "apply"),
        ("_switch_model", "apply"),
        ("_contract_model", "rollback"),
        ("_contract_model_fill", "rollback"),
        ("_contract_model_keys", "rollback"),
    )
]
ALL = [(i, "apply") for i in IDS] + [(i, "rollback") for i in reversed(IDS)]
CASES = ALL if COMPLETE else REDUCED


def faults_at(call: int, first_file: int) -> tuple[Kind, ...]:
    """What happens before a call, or with its answer."""
    if not COMPLETE:
        return ("kill",) if call >= first_file else ("disconnect",)
    return ("kill", "term", "answered", "disconnect" if call % 2 else "terminate")


class Walk:
    """A database that moves along the chain, one file at a time, undisturbed."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def move_before(self, migration: str, direction: Direction) -> None:
        """Go to where this file is the next one in that direction."""
        at = (
            len(query(self.service.dsn, "SELECT 1 FROM _yoyo_migration")) - 1
        )  # without the baseline
        wanted = IDS.index(migration) + (direction == "rollback")
        if wanted > at:
            self.service.apply("online", IDS[wanted - 1])
        elif wanted < at:
            self.service.down("online", to=IDS[wanted - 1] if wanted else "baseline")

    @contextmanager
    def copy(self) -> Iterator[Service]:
        """A clone, dropped afterwards."""
        name = f"fault_{uuid.uuid4().hex[:12]}"
        values = psycopg.conninfo.conninfo_to_dict(self.service.dsn)
        server = psycopg.conninfo.make_conninfo(self.service.dsn, dbname="postgres")
        create_database(server, name, str(values["dbname"]))
        try:
            yield clone(self.service, name)
        finally:
            drop_database(server, name)


@pytest.fixture(scope="module")
def walk(
    _session_databases: DatabaseFactory, load: Callable[[str], None], service_folder: Path
) -> Walk:
    return Walk(Service(_session_databases(load), service_folder))


def command(service: Service, migration: str, direction: Direction) -> list[str]:
    where = ["--service", str(service.folder), "--deadline", "20s"]
    if direction == "rollback":
        before = IDS.index(migration)
        return ["rollback", *where, "--to", IDS[before - 1] if before else "baseline"]
    return ["apply", *where, "--to", migration, "--waiting-period", "0"]


@pytest.mark.parametrize(("migration", "direction"), CASES)
def test_a_run_that_ends_at_any_boundary_is_taken_up(
    walk: Walk, failing_runs: FailingRuns, migration: str, direction: Direction
) -> None:
    walk.move_before(migration, direction)
    with walk.copy() as service:
        arguments = command(service, migration, direction)
        before = applied(service.dsn)
        whole = failing_runs.run(Order(arguments, service.dsn))
        assert whole.exit_code == 0, whole.errors
        expected = state_of(service)
        assert_at_rest(service.dsn)
    # What comes before the first file is the same for all of them.
    first = 0 if (migration, direction) == CASES[0] else whole.first_file
    ahead = [
        (call, fault)
        for call in range(first, whole.calls)
        for fault in faults_at(call, whole.first_file)
    ]
    while ahead:
        with walk.copy() as service:
            # A run that failed before its COMMIT leaves the next one to fail where it began.
            told = []
            while ahead and applied(service.dsn) == before:
                call, fault = ahead.pop(0)
                failed = failing_runs.run(Order(arguments, service.dsn, fault, call))
                told.append(f"{fault} before call {call}: {failed.exit_code} {failed.errors}")
                assert "Traceback" not in failed.errors, told[-1]
                # A run that waited for a lock or a job less often has fewer calls than the first.
                expected_code = -9 if failed.calls > call else 0
                assert fault != "kill" or failed.exit_code == expected_code, told[-1]
            again = failing_runs.run(Order(arguments, service.dsn))
            assert again.exit_code == 0, "\n".join([*told, again.errors])
            eventually(lambda service=service: not _sessions(service.dsn))  # type: ignore[misc]
            try:
                assert_same(expected, state_of(service))
                assert_at_rest(service.dsn)
            except AssertionError as error:
                raise AssertionError("\n".join([*told, again.errors, str(error)])) from error


def _sessions(dsn: str) -> bool:
    return bool(
        query(
            dsn,
            "SELECT 1 FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'",
        )
    )
