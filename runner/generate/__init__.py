"""standard + catalog -> the files of both strategies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runner.catalog import Catalog
from runner.errors import StandardError
from runner.generate import online, window
from runner.generate.attached import obstacles
from runner.generate.changes import outside_references, plan_changes
from runner.generate.model import ForeignKeyChange, Obstacle, TableChange
from runner.generate.partitions import partition_obstacles
from runner.generate.render import File, number
from runner.generate.view import TableView, UnitView
from runner.standard.model import Standard

__all__ = ["File", "Generated", "TableChange", "generate", "plan_changes"]


@dataclass(frozen=True, slots=True)
class Generated:
    """What a standard and a catalog give.

    Args:
        files: the files of both strategies.
        only_window: why some units of tables have files for the window strategy alone.
    """

    files: tuple[File, ...]
    only_window: tuple[str, ...]


def generate(
    standard: Standard, catalog: Catalog, *, baseline: str | None, existing: Iterable[str] = ()
) -> Generated:
    """Write the files of both strategies.

    Args:
        standard: the new contract.
        catalog: the database at the old contract.
        baseline: the id of the baseline migration, or None when there is none.
        existing: ids of the service's files that are there; they keep their numbers.

    Returns:
        The files, deterministic: the same standard and catalog give the same text.

    Raises:
        StandardError: the standard does not fit the catalog, or a table holds what neither
            strategy can bring through unharmed.
    """
    changes = plan_changes(standard, catalog)
    units = list(_units(changes, outside_references(standard, catalog)))
    known = list(existing)
    online_units = [u for u in units if not u.only_window]
    return Generated(
        (
            *number(list(online.drafts(online_units)), baseline, known),
            *number(list(window.drafts(units)), baseline, known),
        ),
        tuple(reason for u in units for reason in u.only_window),
    )


def _units(
    changes: Sequence[TableChange], outside: Sequence[ForeignKeyChange]
) -> Iterator[UnitView]:
    foreign_keys = [*(k for c in changes for k in c.foreign_keys), *outside]
    units: dict[int, list[TableChange]] = {}
    for change in changes:
        units.setdefault(change.unit, []).append(change)
    for tables in units.values():
        in_the_way = [o for change in tables for o in obstacles(change)]
        in_the_way += [o for change in tables for o in partition_obstacles(change, tables)]
        _refuse(o for o in in_the_way if not o.online_only)
        yield UnitView(
            tuple(TableView(change, foreign_keys) for change in tables),
            tuple(o.reason for o in in_the_way),
        )


def _refuse(obstacles: Iterable[Obstacle]) -> None:
    for obstacle in obstacles:
        raise StandardError(obstacle.reason, hint=obstacle.hint)
