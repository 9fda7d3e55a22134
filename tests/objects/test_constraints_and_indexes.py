"""Constraints and indexes on converted columns and beside them."""

from __future__ import annotations

import pytest
from support.journey import Journey

from objects.things import STANDARD, things

CONSTRAINTS = {
    "not valid": things("n integer", then="ALTER TABLE things ADD CHECK (n > 0) NOT VALID;"),
    "across columns": things("n integer", "CHECK (status <> 'closed' OR n IS NULL)"),
    "of a function": things("CHECK (lower(status) IN ('open', 'closed'))"),
}

INDEXES = {
    "covering": things(
        "n integer",
        "UNIQUE (n) INCLUDE (status)",
        then="CREATE INDEX ON things (n) INCLUDE (id);",
    ),
    "partial, descending, of a collation": things(
        "n integer",
        then="""
            CREATE INDEX ON things (n DESC NULLS LAST, status COLLATE "C") WHERE status = 'open';
        """,
    ),
    "hash": things(then="CREATE INDEX ON things USING hash (id);"),
    "of a function": things(then="CREATE INDEX ON things (upper(status));"),
}


@pytest.mark.parametrize("schema", CONSTRAINTS.values(), ids=CONSTRAINTS)
def test_a_check_comes_through(journey: Journey, schema: str) -> None:
    journey.there_and_back(schema, STANDARD)


@pytest.mark.parametrize("schema", INDEXES.values(), ids=INDEXES)
def test_an_index_comes_through(journey: Journey, schema: str) -> None:
    journey.there_and_back(schema, STANDARD)
