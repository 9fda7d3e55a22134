"""The scripts of any layout, taken apart into statements and steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from runner import layouts
from runner.layouts import LAYOUTS, ScriptText, find_files, read_chains
from runner.lint.steps import ScanError, Statement, Step, statements, steps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["LAYOUTS", "Pair", "Script", "chains", "find_files", "parsed"]


@dataclass(frozen=True, eq=False)
class Script(ScriptText):
    """One direction of one migration, and what it does."""

    @cached_property
    def _read(self) -> tuple[tuple[Statement, ...], str, int]:
        try:
            return tuple(statements(self.text)), "", 0
        except ScanError as error:
            return (), str(error), error.offset

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The statements; none when the text cannot be split."""
        return self._read[0]

    @property
    def problem(self) -> tuple[str, int]:
        """Why the text cannot be split into statements, and where; empty when it can."""
        return self._read[1:]

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps of all statements."""
        return tuple(step for statement in self.statements for step in steps(statement))


Pair = layouts.Pair[Script]


def chains(files: Sequence[Path], layout: str | None = None) -> list[list[Pair]]:
    """Read files and put those that belong together in the order in which they run.

    Args:
        files: SQL files; the others of their projects are read too, as what came before.
        layout: one of LAYOUTS; found out by itself when None.

    Returns:
        The chains.

    Raises:
        MigrationFileError: for a file that cannot be read.
    """
    reading = read_chains(files, layout)
    for error in reading.unreadable.values():
        raise error
    return [parsed(chain) for chain in reading.chains]


def parsed(chain: layouts.Chain[ScriptText]) -> list[Pair]:
    """The pairs of a chain, of scripts that can be taken apart."""
    return [
        layouts.Pair(_script(pair.up), _script(pair.down) if pair.down else None)
        for pair in chain.pairs
    ]


def _script(text: ScriptText) -> Script:
    return Script(**vars(text))
