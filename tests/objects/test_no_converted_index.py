"""Where no index is built on new columns, something else waits for older transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from psycopg import IsolationLevel
from support.journey import Journey
from support.variants import AT_ONCE

from runner.errors import TrueupError
from runner.execute.engine import rollback


@contextmanager
def reader(dsn: str) -> Iterator[psycopg.Connection]:
    """A session whose transaction has looked at something else so far."""
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT FROM pg_class LIMIT 1")
        yield connection
        connection.rollback()


def seen(connection: psycopg.Connection, name: str) -> tuple[int, int]:
    """How many rows and how many states a name shows."""
    (counts,) = connection.execute(f"SELECT count(*), count(state) FROM {name}".encode()).fetchall()
    return counts


def test_a_unit_that_converts_no_index_waits_for_such_a_transaction_too(journey: Journey) -> None:
    service = journey.start(
        "CREATE TABLE things (n bigint PRIMARY KEY, state varchar(9) NOT NULL);"
        "INSERT INTO things SELECT n, 'open' FROM generate_series(1, 9) AS n;",
        """
        [enum.State]
        values = ["OPEN", "SHUT"]
        [table.things]
        name = "thing"
        enums.state = "State"
        """,
    )
    service.up("expand")
    brief = replace(AT_ONCE, deadline=2.0)
    with reader(service.dsn) as old:
        with pytest.raises(TrueupError, match=r"thing_settled|older"):
            service.apply("online", "switch", brief)
        assert seen(old, "things") == (9, 9)
    service.up("contract")
    with reader(service.dsn) as old:
        with pytest.raises(TrueupError, match=r"thing_settled|older"):
            rollback(service.dsn, service.migrations("online"), to="switch", settings=brief)
        assert seen(old, "thing") == (9, 9)
    service.down("online")
