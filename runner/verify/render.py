"""A verification for a terminal and for machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from runner import screen
from runner.verify.report import Distance, Standing, State, Verification

_PHASES = ("expand", "backfill", "enforce", "switch", "contract")
_SHOWN = 5


def as_json(verification: Verification) -> dict[str, Any]:
    """The verification as JSON has it."""
    return {
        "service": verification.service,
        "at_standard": verification.at_standard,
        "standing": verification.standing.value,
        "distance": len(verification.distances),
        "tables": [{"name": str(n), "state": s.value} for n, s in verification.states],
        "distances": [
            {
                "table": str(d.table) if d.table else None,
                "object": d.object,
                "expected": d.expected,
                "found": d.found,
                "left_for": d.left_for,
            }
            for d in verification.distances
        ],
        "kept_spellings": [
            {
                "reversal": k.reversal,
                "since": k.since.isoformat(),
                "may_go_from": k.may_go_from.isoformat(),
            }
            for k in verification.kept
        ],
    }


def print_verification(
    verification: Verification, console: Console, *, everything: bool = False
) -> None:
    """Print each table's state and distances, and the sum.

    Args:
        verification: what was found.
        console: where to.
        everything: all of it, also where it does not fit a screen.
    """
    width = console.width
    ending = _ending(verification, width)
    full = [*_full(verification, width), *ending]
    short = [*_short(verification, screen.cut_at(console)), *ending]
    screen.show(console, screen.choose(full, short, everything=everything))


def _full(verification: Verification, width: int) -> list[Text]:
    found: list[Text] = []
    for name, state in verification.states:
        distances = verification.of(name)
        shown = "at the standard" if state is State.NEW and not distances else state.value
        style = "green" if shown == "at the standard" else "yellow"
        found += screen.wrapped(f"{name}: {shown}", width, style=style)
        found += _distances(distances, width)
    others = verification.of(None)
    if others:
        found += screen.wrapped("elsewhere", width, style="yellow")
        found += _distances(others, width)
    return [*found, Text()]


def _short(verification: Verification, width: int) -> list[Text]:
    """What no phase will do, then how far each table is."""
    faults = verification.faults
    found: list[Text] = []
    if faults:
        found.append(screen.one_line(f"no phase will fix: {len(faults)}", width, style="bold red"))
        found += [screen.one_line(str(d), width, indent=2) for d in faults[:_SHOWN]]
        if left := screen.rest(_SHOWN, len(faults)):
            found.append(screen.one_line(left, width, indent=2))
    for state in State:
        names = [name for name, s in verification.states if s is state]
        if names:
            listed = ", ".join(map(str, names[:_SHOWN]))
            more = f" {left}" if (left := screen.rest(_SHOWN, len(names))) else ""
            found.append(screen.one_line(f"{len(names)} {state.value}: {listed}{more}", width))
    return [*found, Text()]


def _ending(verification: Verification, width: int) -> list[Text]:
    found = [line for k in verification.kept for line in screen.wrapped(str(k), width)]
    found += screen.wrapped(_counted(verification), width)
    if {State.BOTH, State.SWITCHED} & {state for _, state in verification.states}:
        found += screen.wrapped(_left(verification.distances), width)
    styles = {Standing.AT_STANDARD: "bold green", Standing.UNDER_WAY: "bold yellow"}
    found += screen.wrapped(
        f"distance to the standard: {len(verification.distances)}",
        width,
        style=styles.get(verification.standing, "bold red"),
    )
    return found


def _distances(distances: tuple[Distance, ...], width: int) -> Iterator[Text]:
    # What is expected while both contracts live comes last, in the order of the phases.
    for distance in sorted(distances, key=lambda d: _place(d.left_for)):
        yield from screen.wrapped(str(distance), width, indent=2, bold=len(distance.object))


def _place(left_for: str | None) -> int:
    return _PHASES.index(left_for) + 1 if left_for in _PHASES else 0


def _counted(verification: Verification) -> str:
    """How many tables are in which state."""
    states = [state for _, state in verification.states]
    counts = [f"{states.count(s)} {s.value}" for s in State if s in states]
    return f"tables: {', '.join(counts) or 'none'}"


def _left(distances: tuple[Distance, ...]) -> str:
    phases = [p for p in _PHASES if any(d.left_for == p for d in distances)]
    counts = [f"{sum(d.left_for == p for d in distances)} for {p}" for p in phases]
    if other := sum(d.left_for not in phases for d in distances):
        counts.append(f"{other} that no phase will fix")
    return f"both contracts live; left: {', '.join(counts)}"
