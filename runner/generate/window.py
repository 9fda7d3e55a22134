"""The window strategy: the same result in one rewrite of each table, while nobody uses them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate import split
from runner.generate.locks import is_large
from runner.generate.online import check, dependents_check, toolkit
from runner.generate.render import Draft
from runner.generate.steps import listed
from runner.generate.unit import UnitView


def drafts(units: Sequence[UnitView]) -> Iterator[Draft]:
    """The files of the window strategy, in their order."""
    if not units:
        return
    yield toolkit("window", "window")
    for u in units:
        for t in u.tables:
            if t.is_checked:
                yield check(t, "window", "window")
        if u.can_be_tried:
            yield dependents_check(u, "window", "window")
    for u in units:
        key = f"unit {u.tables[0].new}"
        new = [t.new.name for t in u.tables]
        stems = [t.stem for t in u.tables]
        old = [t.old.name for t in u.tables]
        subject = "_and_".join(stems) if len(new) < 3 else f"{stems[0]}_and_{len(new) - 1}_more"
        if is_large(u):
            yield from split.drafts(u, subject)
            continue
        yield Draft(
            key=key,
            folder="window",
            phase="window",
            subject=subject,
            template="window_unit.sql",
            title=f"Turn {', '.join(old)} into {', '.join(new)} in one go.",
            header={
                "does": "converts every column of a table in one ALTER TABLE; keeps the spellings "
                "that cannot be derived back in a reversal table"
                + (
                    f"; makes again: {listed(d.label for d in u.dependents)}"
                    if u.dependents
                    else ""
                ),
                "locks": f"ACCESS EXCLUSIVE on {', '.join(t.whole(t.old.name) for t in u.tables)} "
                "until it is done; gives up after 200 ms when it cannot have them",
                "cost": "rewrites each table and its indexes once",
                "undo": "the same again in the other direction, byte for byte",
            },
            rollback_title=f"Turns {', '.join(new)} back into {', '.join(old)}, byte for byte.",
            after=[
                *([f"check {t.new}" for t in u.tables if t.is_checked] or ["toolkit"]),
                *([f"check dependents {u.tables[0].new}"] if u.can_be_tried else []),
            ],
            context={"u": u},
        )
        if not any(t.columns for t in u.tables):
            continue
        yield Draft(
            key=f"analyze {key}",
            folder="window",
            phase="window",
            subject=f"{stems[0]}_analyze",
            template="window_analyze.sql",
            title="Tell the planner about the new columns.",
            header={
                "does": "samples the tables anew",
                "locks": f"SHARE UPDATE EXCLUSIVE on {', '.join(new)}: reads and writes go on",
                "cost": "reads a sample",
                "undo": "nothing to undo",
            },
            rollback_title="no-op: statistics are no part of a contract.",
            after=[key],
            context={"tables": u.tables},
        )
