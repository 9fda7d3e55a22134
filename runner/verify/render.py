"""A verification for a terminal and for machines."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from runner.preflight.render import print_line
from runner.verify.report import Distance, State, Verification

_PHASES = ("backfill", "enforce", "switch", "contract")


def as_json(verification: Verification) -> dict[str, Any]:
    """The verification as JSON has it."""
    return {
        "service": verification.service,
        "at_standard": verification.at_standard,
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
    }


def print_verification(verification: Verification, console: Console) -> None:
    """Print each table's state and distances, and the sum.

    Args:
        verification: what was found.
        console: where to.
    """
    for name, state in verification.states:
        distances = verification.of(name)
        shown = "at the standard" if state is State.NEW and not distances else state.value
        style = "green" if shown == "at the standard" else "yellow"
        print_line(console, f"{name}: {shown}", style=style)
        _print_distances(distances, console)
    others = verification.of(None)
    if others:
        print_line(console, "elsewhere", style="yellow")
        _print_distances(others, console)
    console.print()
    print_line(console, _counted(verification))
    if {State.BOTH, State.SWITCHED} & {state for _, state in verification.states}:
        print_line(console, _left(verification.distances))
    style = "bold green" if verification.at_standard else "bold red"
    print_line(console, f"distance to the standard: {len(verification.distances)}", style=style)


def _print_distances(distances: tuple[Distance, ...], console: Console) -> None:
    # What is expected while both contracts live comes last, in the order of the phases.
    for distance in sorted(distances, key=lambda d: _place(d.left_for)):
        print_line(console, str(distance), indent=2, bold=len(distance.object))


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
        counts.append(f"{other} that no phase will do")
    return f"both contracts live; left: {', '.join(counts)}"
