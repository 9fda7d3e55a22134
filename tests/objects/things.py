"""The table that most journeys are about, as SQL with holes, and its standard."""

from __future__ import annotations

ENUM = """
[enum.Status]
values = ["OPEN", "CLOSED"]
"""

STANDARD = (
    ENUM
    + """
[table.things]
name = "thing"
uuids = ["id"]
enums.status = "Status"
"""
)

# What stands on the key of things.
PARTS = """
[table.parts]
name = "part"
uuids = ["id", "thing_id"]
"""


def things(*more: str, then: str = "") -> str:
    """SQL for the table things with three rows.

    Args:
        more: further columns and constraints, behind the two that are converted.
        then: SQL that follows.
    """
    columns = [
        "id varchar(36) PRIMARY KEY DEFAULT gen_random_uuid()::varchar",
        "status varchar(20) NOT NULL DEFAULT 'open'",
        *more,
    ]
    return f"""
        CREATE TABLE things ({", ".join(columns)});
        INSERT INTO things (status) VALUES ('open'), ('Closed'), ('OPEN');
        {then}
    """
