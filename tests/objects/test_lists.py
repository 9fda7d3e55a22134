"""Lists of enum values in definitions: as one literal, or value by value."""

from __future__ import annotations

import pytest
from support.journey import Journey
from support.runs import query

STANDARD = """
[enum.Colour]
values = ["RED", "BLUE", "IT'S, \\"DARK\\""]

[table.flags]
name = "flag"
uuids = ["id"]
enums.colours = "Colour"
"""
LABELS = "'red', 'blue', 'it''s, \"dark\"'"
CONDITIONS = {
    "holds": "colours @> '{red}'",
    "is one": "colours = '{red,blue}' OR colours <> '{}'",
    "shares": "colours && '{blue,\"it''s, \\\"dark\\\"\"}'",
    "the other way round": "'{red}' <@ colours",
    "value by value": "colours @> ARRAY['red']{cast}",
    "value by value, the other way round": "ARRAY['red', 'blue']{cast} && colours",
    "a value": "'red' = ANY (colours) OR colours[1] = 'blue'",
    "with nulls": "NOT colours && '{blue,NULL}'",
}


def flags(then: str, *, native: bool, rows: bool = True) -> str:
    kind = "colour[]" if native else "varchar[]"
    filled = """
        INSERT INTO flags (colours) VALUES
            ('{red}'), ('{red,blue}'), ('{}'), ('{blue,"it''s, \\"dark\\""}');
    """
    return f"""
        CREATE TYPE colour AS ENUM ({LABELS});
        CREATE TABLE flags (
            id varchar(36) PRIMARY KEY DEFAULT gen_random_uuid()::varchar,
            colours {kind} NOT NULL
        );
        {filled if rows else ""}
        {then}
    """


@pytest.mark.parametrize("native", [True, False], ids=["native", "text"])
@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_a_view_and_an_index_of_lists_come_through(
    journey: Journey, condition: str, native: bool
) -> None:
    told = condition.replace("{cast}", "::colour[]" if native else "::varchar[]")
    then = f"""
        CREATE VIEW shown AS SELECT id FROM flags WHERE {told};
        CREATE INDEX a_few ON flags (id) WHERE {told};
    """
    journey.there_and_back(flags(then, native=native), STANDARD)


@pytest.mark.parametrize("native", [True, False], ids=["native", "text"])
def test_without_a_row_a_view_of_lists_is_worded_anew(journey: Journey, native: bool) -> None:
    then = """
        CREATE VIEW shown AS SELECT id FROM flags WHERE colours && '{red}';
        CREATE UNIQUE INDEX one ON flags ((true)) WHERE colours && '{red}';
    """
    service = journey.start(flags(then, native=native, rows=False), STANDARD)
    service.up("contract")
    query(
        service.dsn,
        "INSERT INTO flag (id, colours) VALUES (gen_random_uuid(), '{RED}') RETURNING 1",
    )
    assert query(service.dsn, "SELECT count(*) FROM shown") == [(1,)]
