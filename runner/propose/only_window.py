"""Why tables have files for the window strategy alone, and what would let them go online."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runner.generate.unit import Unit

_MOST_SHOWN = 20


def notes(units: Iterable[Unit]) -> Iterator[str]:
    """What a person should know of units that only a window converts, and how they go online.

    Args:
        units: those of a standard.
    """
    for unit in units:
        if not unit.only_window:
            continue
        tables = [str(t.old) for t in unit.tables]
        together = f" these {len(tables)} together: {_some(tables)}. Why" if tables[1:] else ""
        why = "; ".join(dict.fromkeys(unit.only_window))
        said = [w for w in unit.way_online if "window" not in w]
        way = f". To go online: {' '.join(dict.fromkeys(said))}" if said else ""
        yield f"only a window converts{together}: {why}{way}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
