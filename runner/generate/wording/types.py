"""Types and their storage, in the words of SQL."""

from __future__ import annotations

from runner.catalog import Column

STORAGE = {"p": "PLAIN", "m": "MAIN", "e": "EXTERNAL", "x": "EXTENDED"}
COMPRESSION = {"p": "pglz", "l": "lz4"}


def short_type(type_name: str) -> str:
    """A type as people write it: varchar(36), timestamptz."""
    return type_name.replace("character varying", "varchar").replace(
        "timestamp with time zone", "timestamptz"
    )


def storage_clauses(column: Column, *, is_text: bool) -> tuple[str, ...]:
    """What a change of type would make PostgreSQL forget about a column."""
    if not is_text:
        return ()
    found = []
    if column.has_own_storage:
        found.append(f"SET STORAGE {STORAGE[column.storage]}")
    if column.compression in COMPRESSION:
        found.append(f"SET COMPRESSION {COMPRESSION[column.compression]}")
    return tuple(found)
