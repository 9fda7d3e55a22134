"""What stands on converted columns, and what becomes of those who use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import tuple_row

from runner.catalog import Catalog
from runner.generate.closure import Closure
from runner.generate.dependent import DependentChange
from runner.generate.kinds import standing
from runner.generate.model import TableChange
from runner.preflight.report import Finding, Severity
from runner.quoting import Name, quote_ident, quote_name
from runner.service import asked

# The views through which rows can be inserted without a trigger or a rule.
_WRITABLE: LiteralString = """
SELECT n.nspname AS schema, c.relname AS name
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND pg_relation_is_updatable(c.oid, false) & 8 <> 0
    AND (n.nspname, c.relname) IN (SELECT * FROM unnest(%(schemas)s::text[], %(names)s::text[]))
"""


def check_dependents(
    connection: Connection[Any], changes: Sequence[TableChange], catalog: Catalog
) -> Iterator[Finding]:
    """What stands on converted columns: made again on the new ones, or in the way.

    Args:
        connection: in a read-only transaction.
        changes: the tables that are to be converted.
        catalog: the database at the old contract.
    """
    closure = Closure(catalog, {c.old: c.columns for c in changes}, {c.old: c.new for c in changes})
    tables = frozenset(c.old for c in changes)
    told = set()
    refused = False
    for obstacle in standing.obstacles(closure, tables):
        problem = obstacle.problem
        if obstacle.online_only:
            problem = f"{problem}: only the window strategy can convert it"
        told.add(obstacle.object)
        refused = refused or not obstacle.online_only
        severity = Severity.KNOW if obstacle.online_only else Severity.STOPS
        yield Finding(severity, obstacle.object, problem, hint=obstacle.hint)
    made = () if refused else standing.changes(closure, tables)
    for misfit in asked.misfits(connection, changes, made):
        told.add(misfit.object)
        yield Finding(Severity.STOPS, misfit.object, misfit.problem, hint=misfit.hint)
    bare = _without_defaults(connection, changes, made)
    for change in made:
        if change.label not in told:
            lacking, hint = bare.get(change.of.name, ("", None))
            yield Finding(
                Severity.KNOW,
                change.label,
                "is created again on the new columns, otherwise unchanged, by contract or in the "
                f"window; its users see the new contract from then on{lacking}",
                hint=hint,
            )


def _without_defaults(
    connection: Connection[Any], changes: Sequence[TableChange], made: Sequence[DependentChange]
) -> dict[Name, tuple[str, str]]:
    """Views that rows go through, without the defaults that the old columns lose at the switch."""
    views = {d.of.name: d.of for d in made if d.of.kind == "view"}
    wanted = {"schemas": [n.schema for n in views], "names": [n.name for n in views]}
    with connection.cursor(row_factory=tuple_row) as cursor:
        names = [Name(*row) for row in cursor.execute(_WRITABLE, wanted).fetchall()]
    found = {}
    for name in names:
        bare = {c.name for c in views[name].relation.columns if c.default is None}
        given = [
            c
            for table in changes
            for c in table.columns
            if table.old in views[name].tables and c.old_default is not None and c.name in bare
        ]
        if given:
            alter = f"ALTER VIEW {quote_name(name)} ALTER"
            defaults = (
                f"{alter} {quote_ident(c.name)} SET DEFAULT {c.old_default};" for c in given
            )
            found[name] = (
                "; who inserts rows through it gets no default of"
                f" {', '.join(c.name for c in given)} between the switch and contract",
                f"Give it a default of its own: {' '.join(defaults)}",
            )
    return found
