"""A service's two strategies side by side: what one converts, the other leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.errors import LedgerError
from runner.ledger.files import read_migrations
from runner.ledger.units import find_units, last_names, tables_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from runner.ledger.files import Migration
    from runner.ledger.records import Ledger

_OTHER = {"online": "window", "window": "online"}
_SHARED = ("legacy", "common")
_FOLDERS = (*_SHARED, "online", "online/switch", "online/contract", "window")


class Aside(NamedTuple):
    """What the other strategy has to do with a run.

    Args:
        taken: ids of files whose tables the other strategy converts already.
        left: tables, by their last names, that only the other strategy converts and has not.
        converted: tables, by their last names, that it alone has converted or begun.
        tables: how many tables the two convert together.
        strategy: the other strategy; empty where there is none.
    """

    taken: frozenset[str] = frozenset()
    left: tuple[str, ...] = ()
    converted: tuple[str, ...] = ()
    tables: int = 0
    strategy: str = ""

    def __str__(self) -> str:
        if not self.left:
            return ""
        return (
            f"{len(self.left)} of {self.tables} tables only by --strategy {self.strategy}:"
            f" {', '.join(self.left)}; `trueup check` says why"
        )

    @property
    def elsewhere(self) -> str:
        """What the other strategy has begun, as a line of text; empty for nothing."""
        if not self.converted:
            return ""
        return (
            f"{len(self.converted)} of {self.tables} tables by --strategy {self.strategy}:"
            f" {', '.join(self.converted)}; see `trueup status --strategy {self.strategy}`"
        )

    @property
    def stays(self) -> str:
        """What a rollback of everything leaves, as a line of text; empty for nothing."""
        if not self.converted:
            return ""
        return (
            f"{len(self.converted)} of {self.tables} tables stay as --strategy {self.strategy} made"
            f" them: {', '.join(self.converted)}; `trueup rollback --strategy {self.strategy}`"
        )


def look_aside(
    migrations: Sequence[Migration], ledger: Ledger, undone: Collection[str] = ()
) -> Aside:
    """Look at the files of the strategy that is not run.

    Args:
        migrations: all that the sources hold, of one strategy.
        ledger: what is applied, of either.
        undone: ids of those among them that are to count as not applied.

    Raises:
        MigrationFileError: one of the others' files cannot be read.
    """
    strategy, others = _others(migrations)
    if not others:
        return Aside()
    # Another service of this database may have files of the same ids.
    strange = {r.migration_id for r in ledger.latest.values() if r.service != others[0].service}
    applied = ledger.applied.keys() - strange - set(undone)
    units = [(unit, tables_of(migrations, unit)) for unit in find_units(migrations)]
    theirs = [(unit, tables_of(others, unit)) for unit in find_units(others)]
    taken = frozenset(
        id_
        for unit, tables in units
        if not unit.is_begun(applied) and any(tables & t and u.is_begun(applied) for u, t in theirs)
        for id_ in unit.files
    )
    own = frozenset(table for _, tables in units for table in tables)
    left = [
        name
        for unit, tables in theirs
        if own.isdisjoint(tables) and not unit.files <= applied
        for name in last_names(others, unit)
    ]
    begun = [
        name
        for unit, tables in theirs
        if unit.is_begun(applied) and not any(tables & t and u.is_begun(applied) for u, t in units)
        for name in last_names(others, unit)
    ]
    every = {name for u, _ in units for name in last_names(migrations, u)}
    every.update(name for u, _ in theirs for name in last_names(others, u))
    return Aside(taken, tuple(sorted(left)), tuple(sorted(begun)), len(every), strategy)


def needed_aside(migrations: Sequence[Migration], ledger: Ledger) -> frozenset[str]:
    """The files that applied ones of the other strategy come after: a rollback leaves them.

    Args:
        migrations: all that the sources hold, of one strategy.
        ledger: what is applied, of either.

    Raises:
        MigrationFileError: one of the others' files cannot be read.
    """
    own = {m.id for m in migrations}
    theirs = {m.id: m for m in _others(migrations)[1]}
    applied = ledger.applied.keys() | {r.migration_id for r in ledger.unfinished()}
    needed: set[str] = set()
    walk = [id_ for id_ in theirs if id_ in applied and id_ not in own]
    while walk:
        parents = theirs[walk.pop()].depends - needed
        needed |= parents
        walk += parents & theirs.keys()
    return frozenset(needed & own)


def refuse_taken(migrations: Sequence[Migration], aside: Aside) -> None:
    """Stop a run of one strategy where the other has begun to convert every table.

    Args:
        migrations: all that the sources hold, of one strategy.
        aside: what the other strategy has to do with the run.

    Raises:
        LedgerError: nothing is left for the run.
    """
    if not aside.taken:
        return
    units = [unit for unit in find_units(migrations) if last_names(migrations, unit)]
    if units and all(unit.files <= aside.taken for unit in units):
        names = ", ".join(name for unit in units for name in last_names(migrations, unit))
        raise LedgerError(
            f"--strategy {aside.strategy} has begun to convert {names}",
            hint=f"go on with --strategy {aside.strategy}, or roll it back first",
        )


def has_file(migrations: Sequence[Migration], id_: str) -> bool:
    """Whether a service's folder holds a file of that id, of whatever strategy."""
    return any(
        (root / folder / f"{id_}.sql").is_file()
        for root in {_root(m.path.parent) for m in migrations}
        if root is not None
        for folder in _FOLDERS
    )


def _others(migrations: Sequence[Migration]) -> tuple[str, tuple[Migration, ...]]:
    """The other strategy of the one service that these are of, and its files."""
    folders = {m.path.parent for m in migrations}
    roots = {root for folder in folders if (root := _root(folder)) is not None}
    strategies = {name for f in folders if (name := _strategy(f))}
    if len(roots) != 1 or len(strategies) != 1:
        return "", ()
    root, strategy = roots.pop(), _OTHER[strategies.pop()]
    folder = root / strategy
    if not _holds_files(folder):
        return "", ()
    shared = [f for name in _SHARED if _holds_files(f := root / name)]
    on_request = [f for name in ("switch", "contract") if _holds_files(f := folder / name)]
    return strategy, read_migrations([*shared, folder], on_request=on_request)


def _holds_files(folder: Path) -> bool:
    return any(folder.glob("*.sql"))


def _root(folder: Path) -> Path | None:
    """The service's folder that a folder of files belongs to."""
    if folder.name in ("switch", "contract") and folder.parent.name in _OTHER:
        folder = folder.parent
    return folder.parent if folder.name in (*_OTHER, *_SHARED) else None


def _strategy(folder: Path) -> str:
    return next((f.name for f in (folder, folder.parent) if f.name in _OTHER), "")
