"""standard + catalog -> the files of both strategies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.catalog import Catalog
from runner.generate import online, window
from runner.generate.changes import plan_changes
from runner.generate.model import TableChange
from runner.generate.render import File, number
from runner.generate.view import TableView, UnitView
from runner.standard.model import Standard

__all__ = ["File", "TableChange", "generate", "plan_changes"]


def generate(
    standard: Standard, catalog: Catalog, *, baseline: str | None, existing: Iterable[str] = ()
) -> list[File]:
    """Write the files of both strategies.

    Args:
        standard: the new contract.
        catalog: the database at the old contract.
        baseline: the id of the baseline migration, or None when there is none.
        existing: ids of the service's files that are there; they keep their numbers.

    Returns:
        The files, deterministic: the same standard and catalog give the same text.

    Raises:
        StandardError: the standard does not fit the catalog.
    """
    units = _units(plan_changes(standard, catalog))
    known = list(existing)
    return [
        *number(list(online.drafts(units)), baseline, known),
        *number(list(window.drafts(units)), baseline, known),
    ]


def _units(changes: Sequence[TableChange]) -> list[UnitView]:
    foreign_keys = [k for c in changes for k in c.foreign_keys]
    views: dict[int, list[TableView]] = {}
    for change in changes:
        views.setdefault(change.unit, []).append(TableView(change, foreign_keys))
    return [UnitView(tuple(tables)) for tables in views.values()]
