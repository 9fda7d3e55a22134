"""standard + catalog -> the files of both strategies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from runner.catalog import Catalog
from runner.errors import StandardError
from runner.generate import checks, online, window
from runner.generate.changes import apart, is_converted, outside_references, plan_changes
from runner.generate.closure import Closure
from runner.generate.converted import require_nothing_left
from runner.generate.files import File, MigrationText, as_subject, number
from runner.generate.kinds import partition, row_type, standing, table, toolkit
from runner.generate.model import ForeignKeyChange, Obstacle, TableChange
from runner.generate.unit import Unit
from runner.quoting import Name
from runner.standard.model import Standard

__all__ = ["Generated", "MigrationText", "TableChange", "generate", "plan_changes", "plan_units"]


@dataclass(frozen=True, slots=True)
class Generated:
    """What a standard and a catalog give.

    Args:
        files: the files of both strategies.
        only_window: why some units of tables have files for the window strategy alone.
        converted: the tables that have their new name already, and get no files.
        units: the tables that get files, as they are converted together.
    """

    files: tuple[MigrationText, ...]
    only_window: tuple[str, ...]
    converted: tuple[str, ...] = ()
    units: tuple[Unit, ...] = ()


def generate(
    standard: Standard,
    catalog: Catalog,
    *,
    baseline: str | None,
    existing: Iterable[str] = (),
    made: Mapping[str, Collection[str]] | None = None,
    depends: Mapping[str, Sequence[str]] | None = None,
) -> Generated:
    """Write the files of both strategies.

    Args:
        standard: the new contract.
        catalog: the database at the old contract.
        baseline: the id of the baseline migration, or None when there is none.
        existing: ids of the service's files that are there; they keep their numbers.
        made: what those of them that belong to the toolkit make, by their ids.
        depends: what each of them comes after.

    Returns:
        The files, deterministic: the same standard and catalog give the same text.

    Raises:
        StandardError: the standard does not fit the catalog, a table holds what neither
            strategy can bring through unharmed, or one that is converted lacks what the standard
            says of it.
    """
    converted = [t for t in standard.tables if is_converted(standard, t, catalog)]
    for t in converted:
        at = next(n for n in (apart(standard, t), Name(t.schema, t.name)) if n in catalog.relations)
        shown = catalog.relations[at]
        has_it = catalog.relations[Name(t.schema, t.old)] if shown.kind == "v" else shown
        require_nothing_left(t, has_it, shown)
    units = plan_units(standard, catalog)
    return Generated(
        tuple(number(*_files(units, standard.service, made or {}), baseline, existing, depends)),
        tuple(reason for u in units for reason in u.only_window),
        tuple(str(Name(t.schema, t.name)) for t in converted),
        tuple(units),
    )


def _files(
    units: Sequence[Unit], service: str, made: Mapping[str, Collection[str]]
) -> tuple[list[File], dict[str, File]]:
    """The files of a service, and of each strategy the one that all others come after."""
    pairs = [(u, checks.checks_of(u)) for u in units]
    found = [f for _, of_unit in pairs for f in of_unit.files]
    found += online.files([p for p in pairs if not p[0].only_window])
    found += window.files(pairs)
    if not found:
        return [], {}
    existing = {id_.partition("_")[2]: names for id_, names in made.items()}
    # A name without a letter of ours has none that a file's name could hold.
    own = as_subject(service) or sha256(service.encode()).hexdigest()[:8]
    kit = toolkit.files(found, own, existing)
    return [*kit, *found], {f.strategy: f for f in kit}


def plan_units(
    standard: Standard, catalog: Catalog, changes: Sequence[TableChange] | None = None
) -> list[Unit]:
    """Plan what generate() writes, and refuse what it refuses.

    Args:
        standard: the new contract.
        catalog: the database at the old contract.
        changes: what plan_changes() gives of them, where that is known.

    Raises:
        StandardError: as generate().
    """
    changes = plan_changes(standard, catalog) if changes is None else changes
    closure = Closure(catalog, {c.old: c.columns for c in changes}, {c.old: c.new for c in changes})
    return list(_units(changes, outside_references(standard, catalog), closure, catalog))


def _units(
    changes: Sequence[TableChange],
    outside: Sequence[ForeignKeyChange],
    closure: Closure,
    catalog: Catalog,
) -> Iterator[Unit]:
    touching: dict[Name, list[ForeignKeyChange]] = defaultdict(list)
    for key in (*(k for c in changes for k in c.foreign_keys), *outside):
        for name in dict.fromkeys((key.table, key.references)):
            touching[name].append(key)
    units: dict[int, list[TableChange]] = {}
    for change in changes:
        units.setdefault(change.unit, []).append(change)
    for tables in units.values():
        names = frozenset(change.old for change in tables)
        in_the_way = [o for change in tables for o in table.obstacles(change)]
        in_the_way += standing.obstacles(closure, names)
        in_the_way += [o for change in tables for o in row_type.obstacles(change, catalog)]
        in_the_way += [o for change in tables for o in partition.obstacles(change, tables)]
        _refuse(o for o in in_the_way if not o.online_only)
        looked_up = _looked_up(tables)
        yield Unit(
            tuple(
                replace(
                    change,
                    touching=tuple(touching[change.new]),
                    looked_up=tuple(looked_up.get(change.new, ())),
                )
                for change in tables
            ),
            tuple(o.reason for o in in_the_way),
            tuple(dict.fromkeys(o.hint for o in in_the_way)),
            standing.changes(closure, names),
        )


def _looked_up(unit: Sequence[TableChange]) -> dict[Name, dict[str, None]]:
    """The columns of the tables' keys by which tables of their unit find their old spelling."""
    found: dict[Name, dict[str, None]] = {}
    for parent in (c.parent for t in unit for c in t.columns if c.parent is not None):
        found.setdefault(parent.table, {}).update(dict.fromkeys(far for _, far in parent.pairs))
    # Where a table is that keeps its name, the trigger's function does not know.
    for t in (t for t in unit if t.keeps_name):
        keys = (c for i in t.converted_indexes if i.unique for c in i.columns)
        found.setdefault(t.new, {}).update(dict.fromkeys(keys))
    return found


def _refuse(obstacles: Iterable[Obstacle]) -> None:
    for obstacle in obstacles:
        raise StandardError(obstacle.reason, hint=obstacle.hint)
