"""What stands beside tables in no catalog of theirs: event triggers, security labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row

from runner.generate.model import TableChange
from runner.preflight.report import Finding, Severity
from runner.quoting import Name, quote_ident, quote_literal, quote_name

_EVENT_TRIGGERS: LiteralString = """
SELECT e.evtname AS name, e.evtevent AS event, e.evtfoid::regprocedure::text AS function,
    current_user AS role
FROM pg_event_trigger AS e
WHERE e.evtenabled <> 'D' AND e.evtevent <> 'login'
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = e.oid AND d.deptype = 'e'
    )
ORDER BY 1
"""

_LABELS: LiteralString = """
SELECT n.nspname AS schema, c.relname AS table, a.attname AS column, l.provider
FROM pg_seclabel AS l
JOIN pg_class AS c ON c.oid = l.objoid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = l.objsubid AND a.attnum > 0
WHERE l.classoid = 'pg_class'::regclass
    AND (n.nspname, c.relname) IN (SELECT * FROM unnest(%(schemas)s::text[], %(names)s::text[]))
ORDER BY n.nspname, c.relname, l.objsubid, l.provider
"""


def check_beside(connection: Connection[Any], changes: Sequence[TableChange]) -> Iterator[Finding]:
    """What fires for the files' statements, and what their columns would lose.

    Args:
        connection: in a read-only transaction.
        changes: the tables that are at the old contract.
    """
    tables = {c.old: c for c in changes}
    wanted = {"schemas": [n.schema for n in tables], "names": [n.name for n in tables]}
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_EVENT_TRIGGERS).fetchall() if tables else ():
            yield Finding(
                Severity.KNOW,
                f"event trigger {row['name']}",
                f"fires at {row['event']} of what the files run, and runs {row['function']} with"
                f" the privileges of the role {row['role']}; a rehearsal does not have it",
                hint="Make sure that it lets the files pass, and is fast: it runs under their"
                f" locks. Or ALTER EVENT TRIGGER {quote_ident(row['name'])} DISABLE meanwhile.",
            )
        for row in cursor.execute(_LABELS, wanted).fetchall():
            table = Name(row["schema"], row["table"])
            yield from _labelled(tables[table], row["column"], row["provider"])


def _labelled(change: TableChange, column: str | None, provider: str) -> Iterator[Finding]:
    label = f"a security label of {quote_literal(provider)}"
    if column is None or column not in change.converted:
        yield Finding(
            Severity.KNOW,
            str(change.old) if column is None else f"{change.old}.{column}",
            f"has {label}, which stays; the view of the other contract has none",
            hint="See what its provider makes of a view that shows the table.",
        )
        return
    name = f"{quote_name(change.old)}.{quote_ident(column)}"
    yield Finding(
        Severity.STOPS,
        f"{change.old}.{column}",
        f"has {label}, which the new column would not have",
        hint=f"SECURITY LABEL FOR {quote_ident(provider)} ON COLUMN {name} IS NULL; and label it"
        " again after contract; until then, let nobody read it who should not.",
    )
