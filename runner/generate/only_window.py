"""Why tables have files for the window strategy alone: a hundred reasons in a few lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from runner.generate.kinds.table import KEEPS_ITS_NAME
from runner.generate.unit import Unit
from runner.standard.naming import with_prefix

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


def notes(units: Iterable[Unit], service: str) -> Iterator[str]:
    """What a person should know of units that only a window converts, and how they go online.

    Args:
        units: those of a standard.
        service: its name, which gives tables other names.
    """
    kept: list[Unit] = []
    for unit in units:
        if not unit.only_window:
            continue
        if len(unit.tables) == 1 and unit.only_window[0].endswith(KEEPS_ITS_NAME):
            kept.append(unit)
            continue
        tables = [str(t.old) for t in unit.tables]
        together = f" these {len(tables)} together: {_some(tables)}. Why" if tables[1:] else ""
        why = "; ".join(in_short(unit.only_window))
        yield f"only a window converts{together}: {why}{_way_online([unit], service)}"
    for reason in in_short(reason for unit in kept for reason in unit.only_window):
        yield f"only a window converts: {reason}{_way_online(kept, service)}"


def _way_online(units: Sequence[Unit], service: str) -> str:
    """What would have to change: another name, else what the obstacles say themselves."""
    ways = [
        f"{t.old} another name, such as {with_prefix(t.old.name, service)}"
        for unit in units
        for t in unit.tables
        if f"{t.old} {KEEPS_ITS_NAME}" in unit.only_window
    ]
    said = [w for u in units for w in u.way_online if not re.search("window|another name", w)]
    if ways:
        others = "other" if len(ways) == 2 else f"{len(ways) - 1} others"
        more = f"; the {others} alike" if ways[1:] else ""
        said.insert(0, f"give {ways[0]}{more}.")
    return f". To go online: {' '.join(dict.fromkeys(said))}" if said else ""


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
