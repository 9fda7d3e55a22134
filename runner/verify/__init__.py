"""Whether a database is at its standard, however it came there, and what is left if it is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from psycopg import Connection

from runner.catalog import Catalog, Relation, read_catalog
from runner.generate.changes import apart, conversions, shows_new_contract
from runner.ledger.spellings import read_spellings
from runner.preflight.reading import read_only
from runner.quoting import Name
from runner.standard.model import Standard, TableStandard
from runner.verify.both_live import both_live
from runner.verify.checks import own_functions
from runner.verify.report import Distance, Standing, State, Verification
from runner.verify.sides import sides
from runner.verify.tables import table_distances
from runner.verify.verified import Verified

__all__ = ["Distance", "Standing", "State", "Verification", "verify"]


def verify(connection: Connection[Any], standard: Standard) -> Verification:
    """Compare a database with its standard. It reads the catalog only, and changes nothing.

    Args:
        connection: any role that may connect; no transaction is open.
        standard: the new contract.

    Returns:
        Each table's state, and every distance to the standard.

    Raises:
        StatementError: the server refused a query, or its time ran out.
        ConnectionFailedError: the connection was lost.
    """
    with read_only(connection, "verify"):
        catalog = read_catalog(connection, standard.places)
        found = [(t, *_find(t, apart(standard, t), catalog)) for t in standard.tables]
        names = [relation.qualified for _, _, relation, _ in found if relation]
        uncheckable = own_functions(connection, names)
        states, distances = [], []
        for table, state, relation, beside in found:
            name = Name(table.schema, table.name)
            states.append((name, state))
            if relation is None:
                distances.append(Distance(name, f"table {name}", "a table", "no such table"))
                continue
            live = state in (State.BOTH, State.SWITCHED)
            prefix = standard.own_prefix(table.schema)
            verified = Verified(
                table,
                relation,
                catalog,
                uncheckable.get(relation.qualified, frozenset()),
                prefix,
                apart(standard, table),
                beside if live else None,
            )
            own = table_distances(connection, verified)
            distances += map(_for_expand, own) if state is State.OLD else own
            distances += both_live(connection, verified) if live else _beside(verified, beside)
        now = {r.qualified: Name(t.schema, t.name) for t, _, r, _ in found if r is not None}
        distances += sides(connection, now, states)
        kept = read_spellings(connection)
    return Verification(standard.service, tuple(states), tuple(distances), tuple(kept))


def _find(
    table: TableStandard, stands: Name, catalog: Catalog
) -> tuple[State, Relation | None, Relation | None]:
    """A table's state, the table itself, and what else has one of its names.

    Args:
        table: its standard.
        stands: where its new contract stands from expand until its old name goes.
        catalog: the database.
    """
    old = catalog.relations.get(Name(table.schema, table.old))
    new = catalog.relations.get(stands)
    if new is None and table.old == table.name and old is not None and old.kind in "rp":
        return (State.OLD if _is_at_old_contract(table, old) else State.NEW), old, None
    if new is not None and new.kind in "rp":
        if old is None:
            return State.NEW, new, None
        return (State.SWITCHED if old.kind == "v" else State.NEW), new, old
    if old is not None and old.kind in "rp":
        shows = new is not None and shows_new_contract(table, old, new)
        return (State.BOTH if shows else State.OLD), old, new
    return State.MISSING, None, None


def _is_at_old_contract(table: TableStandard, relation: Relation) -> bool:
    """Whether nothing of a table is converted that keeps its name, which so does not tell."""
    columns = [relation.column(name) for name in table.uuids]
    if columns:
        return all(column is not None and column.type != "uuid" for column in columns)
    done = conversions(table, relation)
    return bool(done) and not any(done)


def _for_expand(distance: Distance) -> Distance:
    """A distance of a table whose conversion is not begun; a column that lacks is none of these."""
    if distance.found == "no such column" and distance.expected in ("uuid", "varchar"):
        return distance
    return replace(distance, left_for="expand")


def _beside(table: Verified, other: Relation | None) -> Iterator[Distance]:
    if other is None:
        return
    kinds = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "S": "sequence"}
    kind = kinds.get(other.kind, "relation")
    yield table.distance(f"{kind} {other.qualified}", "gone", f"a {kind} of that name")
