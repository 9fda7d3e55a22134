"""What the standard wants of tables that are converted already, and no file would do."""

from __future__ import annotations

from collections.abc import Iterator

from runner.catalog import Relation
from runner.errors import StandardError
from runner.quoting import shorten
from runner.standard.model import TableStandard


def require_nothing_left(table: TableStandard, relation: Relation, shown: Relation) -> None:
    """Refuse a standard that grew a column in a table that is on its way.

    Args:
        table: its paragraph of the standard.
        relation: the table: under its old name until the switch, then under its new one.
        shown: what has the new name: a view until the switch.

    Raises:
        StandardError: one of its columns is not as the standard says.
    """
    left = list(dict.fromkeys(_left(table, relation, shown)))
    if left:
        raise StandardError(
            f"{shown.qualified} has its new name already, and no file converts its"
            f" {'column' if len(left) == 1 else 'columns'} {', '.join(left)}",
            hint="Convert by a migration of your own what the standard says more than before:"
            " `trueup verify` lists it.",
        )


def _left(table: TableStandard, relation: Relation, shown: Relation) -> Iterator[str]:
    columns = {column.name: column for column in relation.columns}
    checked = {k.columns[0] for k in relation.constraints if k.kind == "c" and len(k.columns) == 1}
    is_switched = relation is shown
    for name in table.uuids:
        new = columns.get(name if is_switched else shorten(name, "__new"), columns.get(name))
        if new is None or new.type != "uuid":
            yield name
    for name in (*table.enums, *table.json):
        # Its other side tells that it is being converted, until contract; then its CHECK does.
        sides = {shorten(name, suffix) for suffix in ("__old", "__new")}
        if name not in columns or not (name in checked or sides & columns.keys()):
            yield name
    named = {column.name for column in shown.columns}
    for name in (*table.columns.values(), *table.keep_original.values(), *table.integers):
        if name not in named:
            yield name
