"""What must hold after every fault, once the next run has done its work."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from support.runs import applied, query
from support.variants import Service, describe

from runner.catalog import Catalog, diff


@dataclass(frozen=True)
class State:
    """A database's catalog, rows and records, without times and names of runs."""

    catalog: Catalog
    rows: dict[str, bytes]
    applied: list[str]
    converted: list[tuple[str, int]]


def state_of(service: Service) -> State:
    """Look at a database."""
    catalog, rows = service.state()
    begun = query(service.dsn, "SELECT to_regclass('trueup.progress') IS NOT NULL") == [(True,)]
    counts: LiteralString = "SELECT file, rows_done FROM trueup.progress ORDER BY 1"
    return State(catalog, rows, applied(service.dsn), query(service.dsn, counts) if begun else [])


def assert_same(expected: State, found: State) -> None:
    """The same objects, the same rows byte for byte, the same records."""
    differences = diff(expected.catalog, found.catalog)
    assert not differences, describe(differences)
    assert expected.rows == found.rows
    assert expected.applied == found.applied
    assert expected.converted == found.converted


def assert_at_rest(dsn: str) -> None:
    """No lock is held, no run is left, no index is invalid, no file was applied twice."""
    assert query(dsn, "SELECT pid FROM yoyo_lock") == []
    # A server notices a moment after a process ended that its session is over.
    until = time.monotonic() + 30
    while (sessions := _sessions(dsn)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not sessions, sessions
    assert query(dsn, "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid") == []
    twice = query(
        dsn,
        "SELECT migration_id FROM _yoyo_log WHERE operation <> 'rollback' GROUP BY 1"
        " HAVING count(*) > 1 + (SELECT count(*) FROM _yoyo_log AS r"
        " WHERE r.migration_id = _yoyo_log.migration_id AND r.operation = 'rollback')",
    )
    assert twice == []


def _sessions(dsn: str) -> list[tuple[object, ...]]:
    """The sessions of runs, and those of other clients that hold a lock."""
    return query(
        dsn,
        "SELECT pid, application_name, state, query,"
        " ARRAY(SELECT mode || ' ' || coalesce(relation::regclass::text, locktype)"
        " FROM pg_locks WHERE pg_locks.pid = session.pid)"
        " FROM pg_stat_activity AS session"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' AND (application_name LIKE 'trueup-%'"
        " OR EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = session.pid))",
    )


def clone(service: Service, name: str) -> Service:
    """A copy of a database that nobody is connected to."""
    dsn = psycopg.conninfo.make_conninfo(service.dsn, dbname=name)
    return Service(dsn, service.folder)
