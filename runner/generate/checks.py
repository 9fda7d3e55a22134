"""The checks of a service: what cannot be converted stops both strategies at the beginning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.generate.files import File
from runner.generate.kinds import rows, trial
from runner.generate.locks import is_large
from runner.generate.model import TableChange
from runner.generate.unit import Unit, together


@dataclass(frozen=True)
class Checks:
    """The files that a unit's others come after.

    Args:
        of_rows: one for the unit, or one for each table of a large one.
        others: of what stands on the tables, and of what the backfill may do.
    """

    of_rows: tuple[tuple[Sequence[TableChange], File], ...]
    others: tuple[File, ...]

    @property
    def files(self) -> list[File]:
        """All of them."""
        return [*(file for _, file in self.of_rows), *self.others]

    def before(self, strategy: str, tables: Iterable[TableChange] | None = None) -> list[File]:
        """Those that a file of a strategy comes after.

        Args:
            strategy: online or window.
            tables: of the rows of these alone; None for all.
        """
        wanted = None if tables is None else {t.old for t in tables}
        found = [
            file
            for of, file in self.of_rows
            if wanted is None or not wanted.isdisjoint(t.old for t in of)
        ]
        return [f for f in (*found, *self.others) if f.strategy in ("common", strategy)]


def checks_of(u: Unit) -> Checks:
    """The checks of a unit."""
    folder = "window" if u.only_window else "common"
    checked = [t for t in u.tables if t.is_checked]
    groups = [[t] for t in checked] if is_large(u) else [checked] if checked else []
    of_rows = []
    others: list[File] = []
    for group in groups:
        # Names that no other service of the database has: its files may have the same numbers.
        subject = together([t.own_stem for t in group])
        of_rows.append((group, rows.check(group, folder, subject)))
        backfill = None if u.only_window else rows.check_backfill(group, f"{subject}_backfill")
        others += [backfill] if backfill else []
    if trial.is_possible(u):
        others.append(trial.check(u, folder, f"{u.tables[0].own_stem}_dependents"))
    return Checks(tuple(of_rows), tuple(others))
