"""Why tables have files for the window strategy alone: a hundred reasons in a few lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runner.generate.kinds.table import KEEPS_ITS_NAME
from runner.generate.unit import Unit

_MOST_SHOWN = 20


def in_short(reasons: Iterable[str]) -> Iterator[str]:
    """The reasons, those of tables that keep their names as one.

    Args:
        reasons: as `Generated.only_window` has them.
    """
    reasons = list(dict.fromkeys(reasons))
    ending = f" {KEEPS_ITS_NAME}"
    kept = [r.removesuffix(ending) for r in reasons if r.endswith(ending)]
    if len(kept) > 1:
        yield (
            f"{len(kept)} tables keep their names, and one name cannot show both contracts: "
            f"{_some(kept)}"
        )
        reasons = [r for r in reasons if not r.endswith(ending)]
    yield from reasons


def notes(units: Iterable[Unit]) -> Iterator[str]:
    """What a person should know of units that only a window converts, a line a unit.

    Args:
        units: those of a standard.
    """
    alone: list[str] = []
    for unit in units:
        if len(unit.tables) == 1:
            alone += unit.only_window
        elif unit.only_window:
            tables = _some([str(t.old) for t in unit.tables])
            why = "; ".join(in_short(unit.only_window))
            yield f"only a window converts these {len(unit.tables)} together: {tables}. Why: {why}"
    for reason in in_short(alone):
        yield f"only a window converts: {reason}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
