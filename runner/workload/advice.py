"""What to do about a statement that a view refuses, by what the server says of it."""

from __future__ import annotations

import re

from runner.workload.model import Stage

_WAIT = "switch after whoever sends it is retired"
_LATER = 'leave switch = "expand" out of standard.toml'
# The first whose pattern is in the statement and whose SQLSTATE is the server's; "" is any.
_OF_A_VIEW: tuple[tuple[str, str, str], ...] = (
    ("42803", "", "name every column that is selected in GROUP BY, or"),
    ("42704", r"\bON\s+CONFLICT\s+ON\s+CONSTRAINT\b", "write ON CONFLICT (columns), or"),
    ("42703", r"\b(?:ctid|xmin|xmax|cmin|cmax|tableoid)\b", "use the key or a column, or"),
    ("", r"^\s*COPY\b.*\bFROM\b", "send INSERT, or"),
    ("", r"^\s*COPY\b", "write COPY (SELECT ...) TO, or"),
    ("", r"^\s*TRUNCATE\b", "send DELETE, or"),
    ("", r"\bTABLESAMPLE\b", "read without TABLESAMPLE, or"),
    ("", r"\bpg_get_serial_sequence\b", "name the sequence, or"),
    ("", r"^\s*(?:ANALYZE|VACUUM)\b", "leave it to autovacuum or name the table, or"),
    (
        "",
        r"\b(?:relkind|table_type|pg_tables|indisprimary|pg_index|pg_constraint)\b",
        "let it take a view for a table, or",
    ),
)
_OF_DEFINITIONS = re.compile(r"^\s*(?:CREATE|ALTER|DROP|COMMENT|GRANT|REVOKE)\b", re.IGNORECASE)


def defines(text: str) -> bool:
    """Whether a statement changes a definition, as a migration of the service does."""
    return bool(_OF_DEFINITIONS.match(text))


def advice(text: str, stage: Stage, sqlstate: str, *, of_view: bool) -> str:
    """The next step.

    Args:
        text: the statement.
        stage: the first at which it fails.
        sqlstate: the server's; empty when it raised no error.
        of_view: whether it meets a view there.
    """
    if defines(text):
        return "leave definitions alone until contract, and then name the new contract's"
    if not of_view:
        if re.match(r"\s*COPY\b", text, re.IGNORECASE):
            return "give it a list of columns: the table has more of them from expand on"
        return (
            "give it a list of columns, so that what expand adds is not in it, or give the table"
            ' switch = "expand" in standard.toml'
        )
    last = _LATER if stage is Stage.EXPANDED else _WAIT
    for state, pattern, what in _OF_A_VIEW:
        if state in ("", sqlstate) and re.search(pattern, text, re.IGNORECASE | re.DOTALL):
            return f"{what} {last}"
    return last
