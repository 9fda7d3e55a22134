"""What became of a workload, as lines of text and as JSON: the same words in both."""

from __future__ import annotations

from typing import Any

from runner.workload.model import Refusal, Stage, Verdict, Workload

_SHOWN = 3  # of each stage, unless all are asked for
_LONGEST = 60
_TITLES = {
    Stage.EXPANDED: "after expand, while the old release has its table",
    Stage.SWITCHED: "after switch, through the view",
}


def order_of_switch(workload: Workload) -> str:
    """Which of the two orders of switch and deployment the statements allow."""
    if Stage.SWITCHED not in workload.stages or not workload.count:
        return ""
    failing = [r for r in workload.at(Stage.SWITCHED) if r.verdict is Verdict.FAILS]
    unsure = [r for r in workload.at(Stage.SWITCHED) if r.verdict is not Verdict.FAILS]
    if failing:
        one = len(failing) == 1
        return (
            f"switch after the old release is retired: {len(failing)} of {workload.count}"
            f" statements {'fails' if one else 'fail'} against the view"
        )
    if unsure:
        return (
            f"switch after the old release is retired, unless it can do without {len(unsure)} of"
            f" {workload.count} statements as they answer now"
        )
    if not workload.from_clients:
        return "no statement of a client was tried, so nothing is known about when to switch"
    return (
        f"switch before the new release is deployed or after the old one is retired:"
        f" all {workload.count} statements work against the view"
    )


def lines(workload: Workload, *, everything: bool) -> list[str]:
    """What was tried and what does not work any more.

    Args:
        workload: as tried.
        everything: each statement with what to do; else the most frequent of each stage.
    """
    found = []
    if workload.count:
        sources = ", ".join(f"{number:,} of {name}" for name, number in workload.tried)
        found.append(f"statements tried: {sources}")
    for stage, said in _TITLES.items():
        title = said
        if stage is Stage.EXPANDED and workload.at_expand:
            title = f"after expand, where {', '.join(workload.at_expand)} is a view already"
        refusals = workload.at(stage)
        if not refusals:
            if stage in workload.stages and workload.count:
                found.append(f"{title}: all work")
            continue
        found.append(f"{title}: {_counted(refusals)}")
        ordered = sorted(refusals, key=lambda r: (r.verdict is not Verdict.FAILS, -_calls(r)))
        chosen = refusals if everything else ordered[:_SHOWN]
        for refusal in chosen:
            found += describe(refusal, everything=everything)
        if left := len(refusals) - len(chosen):
            found.append(f"  and {left} more (--all)")
    if order := order_of_switch(workload):
        found.append(order)
    found += [f"not looked at: {note}" for note in _cut(workload.not_looked_at, everything)]
    if workload.not_tried:
        number = len(workload.not_tried)
        found.append(
            f"not tried: {number:,} {'statement does' if number == 1 else 'statements do'} not"
            f" work on a copy of this schema{'' if everything else '; --all lists them'}"
        )
        if everything:
            found += [
                f"  {sent.source}: {_short(sent.text)}: {why}" for sent, why in workload.not_tried
            ]
    return found


def describe(refusal: Refusal, *, everything: bool = False) -> list[str]:
    """One statement: where it is from, the server's message, what to do."""
    table = ", ".join(refusal.tables) or "the catalog"
    sent = refusal.sent
    calls = f", {sent.calls:,} calls" if (sent.calls or 0) > 1 else ""
    text = " ".join(sent.text.split()) if everything else _short(sent.text)
    found = [
        f"  {table}: {refusal.verdict.value}: {refusal.message}",
        f"    {text} ({sent.source}{calls})",
    ]
    return [*found, f"    {refusal.advice}"] if everything else found


def as_json(workload: Workload) -> dict[str, Any]:
    """The workload as JSON has it."""
    return {
        "tried": dict(workload.tried),
        "refusals": [
            {
                "stage": r.stage.value,
                "verdict": r.verdict.value,
                "tables": list(r.tables),
                "statement": r.sent.text,
                "source": r.sent.source,
                "calls": r.sent.calls,
                "message": r.message,
                "advice": r.advice,
            }
            for r in workload.refusals
        ],
        "switch": order_of_switch(workload) or None,
        "not_looked_at": list(workload.not_looked_at),
        "not_tried": [
            {"statement": sent.text, "source": sent.source, "message": why}
            for sent, why in workload.not_tried
        ],
    }


def _counted(refusals: tuple[Refusal, ...]) -> str:
    counts = [(verdict.value, sum(r.verdict is verdict for r in refusals)) for verdict in Verdict]
    return ", ".join(f"{word}: {number:,}" for word, number in counts if number)


def _calls(refusal: Refusal) -> int:
    return refusal.sent.calls or 0


def _cut(notes: tuple[str, ...], everything: bool) -> list[str]:
    if everything or len(notes) <= _SHOWN:
        return list(notes)
    return [*notes[:_SHOWN], f"{len(notes) - _SHOWN} more (--all)"]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
