"""A transaction that began before a phase: it is served, or fails, and never sees nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import psycopg
import pytest
from psycopg import IsolationLevel, sql
from support.runs import query
from support.variants import AT_ONCE, LIVE, MakeService, Service

from runner.errors import TrueupError
from runner.execute.engine import rollback

PHASES = ["baseline", "expand", "backfill", "enforce", "switch", "contract"]
WAYS = [
    *pairwise(PHASES),
    *pairwise(reversed(PHASES)),
]
# Old name, new name, and a converted column that holds no null.
NAMES = [
    ("models", "model", "status"),
    ("requests", "request", "model_id"),
    ("provider_quotas", "provider_quota", "id"),
]
UNKNOWN = (-1, -1)
OLD = [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE]


@contextmanager
def reader(dsn: str, isolation: IsolationLevel) -> Iterator[psycopg.Connection]:
    """A session whose transaction has looked at something else so far."""
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = isolation
        connection.execute("SELECT FROM pg_class LIMIT 1")
        yield connection
        connection.rollback()


def seen(connection: psycopg.Connection, name: str, column: str) -> tuple[int, int]:
    """How many rows and how many values a name shows; `UNKNOWN` where the server says so."""
    statement = sql.SQL("SELECT count(*), count({}) FROM {}").format(
        sql.Identifier(column), sql.Identifier(name)
    )
    try:
        with connection.transaction():
            ((rows, values),) = connection.execute(statement).fetchall()
            return rows, values
    except psycopg.errors.UndefinedTable:
        return UNKNOWN


def move(service: Service, to: str) -> str:
    """Go to a phase; what stopped the run, if something did."""
    ((applied,),) = query(service.dsn, "SELECT max(migration_id) FROM _yoyo_migration")
    forward = PHASES.index(to) > PHASES.index(applied.split("_")[1])
    brief = replace(AT_ONCE, deadline=2.0)
    try:
        if forward:
            for view in ("models", "requests", "provider_quotas") if to == "contract" else ():
                query(service.dsn, "CALL trueup.read_odometer(%s::regclass)", view)
            service.apply("online", to, brief)
        else:
            rollback(service.dsn, service.migrations("online"), to=to, settings=brief)
    except TrueupError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("isolation", OLD, ids=lambda level: level.name.lower())
@pytest.mark.parametrize(("before", "to"), WAYS)
def test_a_transaction_that_lasts_through_a_phase_never_finds_a_table_empty(
    make_service: MakeService, before: str, to: str, isolation: IsolationLevel
) -> None:
    service = make_service(LIVE, at=None if before == "baseline" else before)
    in_use = slice(0, 2 if {"enforce", "switch", "contract"} & {before, to} else 1)
    with reader(service.dsn, isolation) as old, psycopg.connect(service.dsn) as young:
        rows = {n: max(seen(young, name, n[2]) for name in n[:2]) for n in NAMES}
        young.close()
        stopped = move(service, to)
        for names, count in rows.items():
            for name in names[in_use]:
                shown = seen(old, name, names[2])
                assert shown in (count, UNKNOWN), name
                # Where the run went through, clients of that phase are served.
                there = query(service.dsn, "SELECT to_regclass(%s)", name) != [(None,)]
                assert shown == count or not there, name
    # A phase that had to wait for it goes through afterwards.
    if stopped:
        assert move(service, to) == ""
