"""A plan for a terminal, as Markdown for a pull request, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.text import Text

from runner.review.figures import count, plural, seconds, span
from runner.review.measures import Estimate, LockCost
from runner.review.plan import Blocker, Plan, PlannedFile, PlannedStatement

_LONG_SECONDS = 0.1  # a statement that takes longer is shown
_SHOWN = 70


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON has it."""
    return asdict(plan)


def as_markdown(plan: Plan) -> str:
    """The plan as a pull request shows it: a table of the files, the statements folded."""
    lines = [f"## Plan for {cell(plan.service)}: {plural(len(plan.files), 'file')}", ""]
    if plan.certificate:
        verdict = "passed" if plan.passed else "**failed**"
        lines.append(f"The rehearsal {verdict} (certificate `{plan.certificate[:12]}`).")
    lines += [f"- {cell(note)}" for note in plan.notes]
    if not plan.files:
        return "\n".join([*lines, "Nothing is pending."]) + "\n"
    lines += ["", "| file | stops | time | way back |", "| --- | --- | --- | --- |"]
    for file in plan.files:
        name = f"`{file.migration}`" + (" (on request)" if file.on_request else "")
        lines.append(
            f"| {name}<br>{cell(file.title)} | {cell('; '.join(_stops(file)) or 'nobody')} |"
            f" {cell(_time(file))} | {cell(_back(file))} |"
        )
    blocked = [(file, blocker) for file in plan.files for blocker in file.in_the_way]
    if blocked:
        lines += ["", "**In the way now**", ""]
        lines += [f"- `{f.migration}`: {cell(_blocker(b))}" for f, b in blocked]
    lines += ["", "<details><summary>Every statement</summary>", ""]
    for file in plan.files:
        lines += [f"**{file.migration}**", "", "| line | statement | locks | time |", "|-|-|-|-|"]
        for statement in file.statements:
            shown = cell(_first_line(statement).replace("`", "'"))
            locks = cell(", ".join(map(_lock, statement.locks)))
            lines.append(f"| {statement.line} | `{shown}` | {locks} | {cell(_cost(statement))} |")
        lines.append("")
    return "\n".join([*lines, "</details>"]) + "\n"


def print_plan(plan: Plan, console: Console) -> None:
    """Print the plan: phase by phase, file by file."""
    where = f" on {plan.database}" if plan.database else ""
    _print(console, f"plan for {plan.service}{where}: {plural(len(plan.files), 'file')}", "bold")
    for note in plan.notes:
        _print(console, f"note: {note}", "yellow")
    if plan.certificate and not plan.passed:
        _print(console, "the rehearsal failed: see its certificate", "bold red")
    for phase, files in groupby(plan.files, key=lambda file: file.phase):
        console.print()
        _print(console, phase or "files", "bold cyan")
        for file in files:
            _print_file(file, console)
    others = set(plan.sessions) - {b for f in plan.files for b in f.in_the_way}
    if others:
        console.print()
        _print(console, "open transactions that may come in the way", "bold yellow")
        for pid in sorted({b.pid for b in others}):
            blocker = next(b for b in plan.sessions if b.pid == pid)
            age = seconds(blocker.seconds)
            _print(console, f"  process {pid} ({blocker.who}), {blocker.state}, for {age}")


def _print_file(file: PlannedFile, console: Console) -> None:
    _print(console, f"  {file.migration}", "bold")
    if file.title:
        _print(console, f"      {file.title}", "dim")
    if stopped := _stops(file):
        _print(console, f"      stops  {'; '.join(stopped)}", "red" if file.rehearsed else "")
    elif file.rehearsed:
        _print(console, "      stops  nobody", "green")
    _print(console, f"      time   {_time(file)}")
    _print(console, f"      back   {_back(file)}", "" if file.reversible else "bold red")
    for blocker in file.in_the_way:
        _print(console, f"      in the way now: {_blocker(blocker)}", "bold yellow")
    for statement in file.statements:
        if statement.rewrites or (statement.seconds or 0.0) >= _LONG_SECONDS:
            _print(console, f"      line {statement.line}: {_first_line(statement)}", "dim")
            _print(console, f"          {_cost(statement)}", "dim")


def _print(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style), soft_wrap=True, highlight=False)


def _stops(file: PlannedFile) -> list[str]:
    """What clients must wait for, lock by lock; what the header says when nothing was measured."""
    if not file.rehearsed:
        return [f"{file.header['locks']} (header)"] if "locks" in file.header else []
    found = []
    for lock in file.locks:
        if lock.table and (stopped := lock.mode.stops):
            found.append(f"{stopped} of {lock.relation} for {_held(lock)}")
    return found


def _held(lock: LockCost) -> str:
    return span(lock.at_live) if lock.at_live else seconds(lock.held)


def _lock(lock: LockCost) -> str:
    return f"{lock.mode} on {lock.relation}"


def _time(file: PlannedFile) -> str:
    if file.seconds is not None:
        return _duration(file.seconds, file.at_live)
    return f"{file.header['cost']} (header)" if "cost" in file.header else "not known"


def _duration(measured: float, at_live: Estimate | None) -> str:
    return span(at_live) if at_live else seconds(measured)


def _back(file: PlannedFile) -> str:
    if not file.reversible:
        return "NONE: there is no rollback file"
    words = [file.header["undo"]] if "undo" in file.header else []
    if file.back_seconds is not None:
        measured = _duration(file.back_seconds, file.back_at_live)
        strong = [k for k in file.back_locks if k.table and k.mode.stops]
        stopped = ", ".join(f"{k.mode.stops} of {k.relation}" for k in strong)
        words.append(f"rehearsed: {measured}" + (f", stops {stopped}" if strong else ""))
    return "; ".join(words) or "by its rollback file, not rehearsed"


def _blocker(blocker: Blocker) -> str:
    return (
        f"process {blocker.pid} ({blocker.who}) holds {blocker.mode} on {blocker.relation},"
        f" {blocker.state}, transaction open for {seconds(blocker.seconds)}"
    )


def _cost(statement: PlannedStatement) -> str:
    if statement.seconds is None:
        return ""
    words = [_duration(statement.seconds, statement.at_live)]
    words += [f"rewrites {name}" for name in statement.rewrites]
    if statement.rows_read:
        words.append(f"reads {count(statement.rows_read)} rows of the sample")
    if statement.rows_written:
        words.append(f"writes {count(statement.rows_written)}")
    return ", ".join(words)


def _first_line(statement: PlannedStatement) -> str:
    line = " ".join(statement.sql.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def cell(text: str) -> str:
    """Text that stays in its cell and is no markup."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
