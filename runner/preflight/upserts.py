"""Upserts that may be refused while two unique indexes guard one key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import tuple_row

from runner.generate.model import TableChange
from runner.preflight.report import Finding, Severity
from runner.quoting import Name
from runner.workload import Sent

_UPDATES: LiteralString = """
SELECT coalesce(sum(n_tup_upd), 0)::bigint, coalesce(sum(n_tup_upd - n_tup_hot_upd), 0)::bigint
FROM pg_stat_user_tables
WHERE (schemaname, relname) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
_HINT = (
    "Send such a statement again. A fillfactor below 100 leaves room for HOT updates, and makes"
    " refusals rarer."
)


def check_upserts(
    connection: Connection[Any], changes: Sequence[TableChange], sent: Sequence[Sent]
) -> Iterator[Finding]:
    """Tell once of the tables whose converted keys are upserted, or may be.

    Args:
        connection: in a read-only transaction.
        changes: the tables that are at the old contract.
        sent: what clients have sent; empty where that is not known.
    """
    tables = [c.old for c in changes if any(index.unique for index in c.converted_indexes)]
    upserts = [s for s in sent if re.search(r"\bON\s+CONFLICT\b", s.text, re.IGNORECASE)]
    if sent:
        tables = [t for t in tables if any(_writes(s.text, t) for s in upserts)]
        upserts = [s for s in upserts if any(_writes(s.text, t) for t in tables)]
    if not tables:
        return
    with connection.cursor(row_factory=tuple_row) as cursor:
        names = [t.schema for t in tables], [t.name for t in tables]
        updates, moved = cursor.execute(_UPDATES, names).fetchone() or (0, 0)
    known = f" ({updates:,} updates in pg_stat_user_tables, {moved:,} not HOT)" if updates else ""
    if calls := sum(s.calls or 0 for s in upserts):
        known += f"; {calls:,} in {upserts[0].source}"
    yield Finding(
        Severity.KNOW,
        f"an upsert of {', '.join(map(str, tables))}",
        "may get a unique violation or, very rarely, a deadlock while both contracts are live,"
        f" when other sessions send the same key and updates of it are not HOT{known}",
        hint=_HINT,
    )


def _writes(text: str, table: Name) -> bool:
    schema, name = re.escape(table.schema), re.escape(table.name)
    into = rf'\bINSERT\s+INTO\s+(?:"?{schema}"?\s*\.\s*)?"?{name}"?(?![\w$"])'
    return re.search(into, text, re.IGNORECASE) is not None
