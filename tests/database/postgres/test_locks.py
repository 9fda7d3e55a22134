"""What runner.postgres.locks says of lock modes is what the server does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import psycopg
import pytest
from psycopg import errors, sql

from runner.postgres.connect import connect
from runner.postgres.locks import LockMode


@pytest.fixture
def sessions(database: str) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    with (
        connect(database, application_name="test") as one,
        connect(database, application_name="test") as other,
    ):
        one.execute("CREATE TABLE public.item ()")
        yield one, other


def _lock(connection: psycopg.Connection, mode: LockMode) -> None:
    statement = "LOCK TABLE public.item IN {} MODE NOWAIT"
    connection.execute(sql.SQL(statement).format(sql.SQL(mode.value)))


def test_two_modes_conflict_where_the_server_refuses_the_second(
    sessions: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    one, other = sessions
    for first, second in product(LockMode, repeat=2):
        with one.transaction(force_rollback=True):
            _lock(one, first)
            try:
                with other.transaction(force_rollback=True):
                    _lock(other, second)
                refused = False
            except errors.LockNotAvailable:
                refused = True
        assert first.conflicts_with(second) == refused, f"{first} and {second}"


def test_a_mode_is_read_as_the_catalog_spells_it(
    sessions: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    one, _ = sessions
    for mode in LockMode:
        with one.transaction(force_rollback=True):
            _lock(one, mode)
            row = one.execute(
                "SELECT mode FROM pg_locks WHERE relation = 'public.item'::regclass"
            ).fetchone()
            assert row
            assert LockMode.of_catalog(row[0]) is mode


@pytest.mark.parametrize(
    ("mode", "stopped"),
    [
        (LockMode.ACCESS_EXCLUSIVE, "reads and writes"),
        (LockMode.EXCLUSIVE, "writes"),
        (LockMode.SHARE_ROW_EXCLUSIVE, "writes"),
        (LockMode.SHARE, "writes"),
        (LockMode.SHARE_UPDATE_EXCLUSIVE, ""),
        (LockMode.ROW_EXCLUSIVE, ""),
    ],
)
def test_what_a_lock_stops(mode: LockMode, stopped: str) -> None:
    assert mode.stops == stopped
    assert mode.strong == bool(stopped)
