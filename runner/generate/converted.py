"""What the standard wants of tables that are converted already, and no file would do."""

from __future__ import annotations

from collections.abc import Iterator

from runner.catalog import Relation
from runner.errors import StandardError
from runner.quoting import shorten
from runner.standard.model import TableStandard


def require_nothing_left(table: TableStandard, relation: Relation) -> None:
    """Refuse a standard that grew a column in a table that has left the old contract.

    Args:
        table: its paragraph of the standard.
        relation: the table under its new name.

    Raises:
        StandardError: one of its columns is not as the standard says.
    """
    left = list(dict.fromkeys(_left(table, relation)))
    if left:
        raise StandardError(
            f"{relation.qualified} has its new name already, and no file converts its"
            f" {'column' if len(left) == 1 else 'columns'} {', '.join(left)}",
            hint="Convert by a migration of your own what the standard says more than before:"
            " `trueup verify` lists it.",
        )


def _left(table: TableStandard, relation: Relation) -> Iterator[str]:
    columns = {column.name: column for column in relation.columns}
    checked = {k.columns[0] for k in relation.constraints if k.kind == "c" and len(k.columns) == 1}
    for name in table.uuids:
        if name not in columns or columns[name].type != "uuid":
            yield name
    for name in (*table.enums, *table.json):
        # Until enforce has made its CHECK, its old side tells that it is being converted.
        if name not in columns or not (name in checked or shorten(name, "__old") in columns):
            yield name
    for name in (*table.columns.values(), *table.keep_original.values(), *table.integers):
        if name not in columns:
            yield name
