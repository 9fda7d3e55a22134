"""standard + catalog -> the files of both strategies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.catalog import Catalog
from runner.generate import online, window
from runner.generate.attached import require_convertible
from runner.generate.changes import outside_references, plan_changes
from runner.generate.model import ForeignKeyChange, TableChange
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
        The files, deterministic: the same standard and catalog give the same text. A unit with a
        table that keeps its name has files for the window strategy alone: one name cannot show
        both contracts.

    Raises:
        StandardError: the standard does not fit the catalog.
    """
    changes = plan_changes(standard, catalog)
    for change in changes:
        require_convertible(change)
    units = _units(changes, outside_references(standard, catalog))
    known = list(existing)
    return [
        *number(list(online.drafts([u for u in units if not u.keeps_a_name])), baseline, known),
        *number(list(window.drafts(units)), baseline, known),
    ]


def _units(changes: Sequence[TableChange], outside: Sequence[ForeignKeyChange]) -> list[UnitView]:
    foreign_keys = [*(k for c in changes for k in c.foreign_keys), *outside]
    views: dict[int, list[TableView]] = {}
    for change in changes:
        views.setdefault(change.unit, []).append(TableView(change, foreign_keys))
    return [UnitView(tuple(tables)) for tables in views.values()]
