"""Values that are renamed, each by itself: definitions follow them."""

from __future__ import annotations

from support.journey import Journey
from support.runs import query

STANDARD = """
[enum.TicketState]
values = ["NOT_STARTED", "IN_PROGRESS", "WON_T_FIX", "DONE"]
map = { "NOT STARTED" = "NOT_STARTED", IN-PROGRESS = "IN_PROGRESS", "WON'T FIX" = "WON_T_FIX" }

[enum.Size]
values = ["S", "M", "X_LARGE"]
map = { X-LARGE = "X_LARGE" }

[table.tickets]
name = "ticket"
enums.state = "TicketState"
enums.size = "Size"
"""
SCHEMA = """
    CREATE TYPE ticket_state AS ENUM ('not started', 'in-progress', 'won''t fix', 'done');
    CREATE TABLE tickets (
        id integer PRIMARY KEY,
        state ticket_state NOT NULL DEFAULT 'not started',
        size text CHECK (size IN ('s', 'm', 'x-large')),
        CONSTRAINT large_ones CHECK (size <> 'x-large' OR state <> 'won''t fix')
    );
    CREATE INDEX tickets_open_idx ON tickets (id) WHERE state IN ('not started', 'in-progress');
    CREATE INDEX tickets_large_idx ON tickets (id) WHERE size = 'x-large';
    CREATE VIEW open_tickets AS SELECT id, size FROM tickets
        WHERE state <> ALL (ARRAY['won''t fix', 'done']::ticket_state[]) AND size <> 'x-large';
    INSERT INTO tickets SELECT n, (enum_range(NULL::ticket_state))[1 + n % 4],
        (ARRAY['s', 'm', NULL])[1 + n % 3] FROM generate_series(1, 40) AS n;
"""


def test_what_is_defined_on_renamed_values_comes_through(journey: Journey) -> None:
    journey.there_and_back(SCHEMA, STANDARD)
    service = journey.start(SCHEMA, STANDARD)
    service.up("contract")
    indexes = query(service.dsn, "SELECT indexdef FROM pg_indexes WHERE tablename = 'ticket'")
    assert any("'IN_PROGRESS'" in found for (found,) in indexes)
    assert any("'X_LARGE'" in found for (found,) in indexes)
    (view,) = query(service.dsn, "SELECT pg_get_viewdef('open_tickets'::regclass)")
    assert "'WON_T_FIX'" in view[0]


def test_two_values_that_become_one_are_still_refused(journey: Journey) -> None:
    standard = STANDARD.replace('"WON_T_FIX", "DONE"', '"DONE"').replace(
        '"WON\'T FIX" = "WON_T_FIX"', '"WON\'T FIX" = "DONE"'
    )
    schema = SCHEMA.partition("CREATE VIEW")[0]
    journey.stopped(
        schema.replace("'in-progress')", "'won''t fix')"),
        standard + 'keep_original.state = "state_detail"',
        "becomes DONE, which other values become too",
    )


def test_a_text_that_nothing_lists_may_hold_both_spellings(journey: Journey) -> None:
    schema = """
        CREATE TABLE tickets (id integer PRIMARY KEY, state text, size text);
        CREATE INDEX ON tickets (id) WHERE state = 'in-progress';
    """
    journey.stopped(schema, STANDARD, "becomes IN_PROGRESS, which other values become too")
