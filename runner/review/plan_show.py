"""A plan for a terminal, as Markdown for a pull request, and as JSON."""

from __future__ import annotations

import re
from dataclasses import asdict
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from runner import screen
from runner.review.figures import count, plural, seconds, span
from runner.review.measures import Estimate, LockCost
from runner.review.plan import Blocker, Plan, PlannedFile, PlannedStatement

if TYPE_CHECKING:
    from collections.abc import Sequence

# GitHub takes comments of 65,536 characters.
COMMENT = 65_000
_RESERVED = 300  # bytes, for the lines that say what is left out
_MOST_BLOCKERS = 50
_MOST_CHARACTERS = 600  # of a cell
_LONG_SECONDS = 0.1  # a statement that takes longer is shown
_SHOWN = 70
_MARKUP = re.compile(r"[\\|\[\]*~`]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# What sites make links, mentions and formulas of, an entity decoded before: a space of no width
# breaks it. A hash may be a commit of somebody's fork, and is found by its first seven digits.
_LINKED = re.compile(
    r"(?<![0-9a-z])(?P<hash>[0-9a-f]{7,})(?![0-9a-z])|[@#$]|:(?=//)|(?<=www)\.|(?<=GH-)(?=\d)"
    r"|(?<=GHSA-)(?=\w)|(?<=CVE-)(?=\d)|(?<=[!~%])(?=[\w\"])|(?<=&amp;)(?=\d)|(?<=\[)(?=\w+:)",
    re.IGNORECASE,
)
_ENTITIES = {"@": "&#64;", "#": "&#35;", "$": "&#36;", ":": "&#58;", ".": "&#46;", "": ""}
_NO_WIDTH = "&#8203;"
_SHORTEST_HASH = 7
_PIPE = re.compile(r"\\*\|")
_NOTES, _FILES = 4, 3  # of a plan in short


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON has it."""
    return asdict(plan)


def as_markdown(plan: Plan, room: int = COMMENT) -> str:
    """The plan as a pull request shows it: a table of the files, the statements folded.

    Args:
        plan: the plan.
        room: most bytes; what goes beyond is counted, and left to the report.
    """
    lines = [f"## Plan for {cell(plan.service)}: {plural(len(plan.files), 'file')}", ""]
    if plan.certificate:
        verdict = "passed" if plan.passed else "**failed**"
        lines.append(f"The rehearsal {verdict} (certificate `{plan.certificate[:12]}`).")
    lines += [f"- {cell(note)}" for note in plan.notes]
    lines += [f"- {cell(plan.left)}"] if plan.left else []
    if not plan.files:
        return "\n".join([*lines, "Nothing is pending."]) + "\n"
    lines += ["", "| file | stops | time | way back |", "| --- | --- | --- | --- |"]
    blocked = [(file, blocker) for file in plan.files for blocker in file.in_the_way]
    after = ["", "**In the way now**", ""] if blocked else []
    after += [f"- {code(f.migration)}: {cell(_blocker(b))}" for f, b in blocked[:_MOST_BLOCKERS]]
    room -= _size([*lines, *after]) + _RESERVED
    rows = fitting([[_row(file)] for file in plan.files], room)
    lines += [line for row in rows for line in row]
    left = len(plan.files) - len(rows)
    if left:
        lines.append(f"| and {plural(left, 'file')} more: see the report | | | |")
    lines += [*after, "", "<details><summary>Every statement</summary>", ""]
    shown = fitting([_statements(file) for file in plan.files], room - _size(lines))
    lines += [line for statements in shown for line in statements]
    if len(shown) < len(plan.files):
        lines += [f"The other {plural(len(plan.files) - len(shown), 'file')}: see the report.", ""]
    return "\n".join([*lines, "</details>"]) + "\n"


def _row(file: PlannedFile) -> str:
    name = code(file.migration) + (" (on request)" if file.on_request else "")
    return (
        f"| {name}<br>{cell(file.title)} | {cell(_stopped(file))} |"
        f" {cell(_time(file))} | {cell(_back(file))} |"
    )


def _statements(file: PlannedFile) -> list[str]:
    lines = [code(file.migration), "", "| line | statement | locks | time |", "|-|-|-|-|"]
    for statement in file.statements:
        shown = code(_first_line(statement))
        locks = cell(", ".join(map(_lock, statement.locks)))
        lines.append(f"| {statement.line} | {shown} | {locks} | {cell(_cost(statement))} |")
    return [*lines, ""]


def fitting(blocks: Sequence[list[str]], room: int) -> list[list[str]]:
    """The first blocks of lines that there is room for, in bytes."""
    ends = accumulate(_size(block) for block in blocks)
    return [block for block, end in zip(blocks, ends, strict=True) if end <= room]


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def print_plan(plan: Plan, console: Console, *, everything: bool = False) -> None:
    """Print the plan: phase by phase, file by file where that fits a screen or is asked for.

    Args:
        plan: the plan.
        console: where to.
        everything: each file, also where they do not fit a screen.
    """
    where = f" on {plan.database}" if plan.database else ""
    head = [Text(f"plan for {plan.service}{where}: {plural(len(plan.files), 'file')}", "bold")]
    head += [Text(f"note: {note}", "yellow") for note in plan.notes]
    if plan.certificate and not plan.passed:
        head.append(Text("the rehearsal failed: see its certificate", "bold red"))
    full, short = [*head], [*head[: _NOTES + 1]]
    for phase, files in groupby(plan.files, key=lambda file: file.phase):
        found = list(files)
        full += [Text(), Text(phase or "files", "bold cyan")]
        for file in found:
            full += _file(file)
        short.append(screen.one_line(_phase(phase, found), screen.cut_at(console)))
    others = set(plan.sessions) - {b for f in plan.files for b in f.in_the_way}
    if others:
        full += [Text(), Text("open transactions that may get in the way", "bold yellow")]
        for pid in sorted({b.pid for b in others}):
            blocker = next(b for b in plan.sessions if b.pid == pid)
            age = seconds(blocker.seconds)
            full.append(Text(f"  process {pid} ({blocker.who}), {blocker.state}, for {age}"))
        short.append(Text(f"open transactions that may get in the way: {len(others)}"))
    blocked = [(file, blocker) for file in plan.files for blocker in file.in_the_way]
    short += [
        screen.one_line(f"in the way now of {f.migration}: {_blocker(b)}", screen.cut_at(console))
        for f, b in blocked[:_FILES]
    ]
    one_way = [file.migration for file in plan.files if not file.reversible]
    if one_way:
        short.append(Text(f"no way back: {', '.join(one_way[:_FILES])}", "bold red"))
    short.append(Text("each file with its locks, time and way back: --all", "dim"))
    if plan.left:
        full += [Text(), Text(plan.left, "bold yellow")]
        short.append(Text(plan.left, "bold yellow"))
    screen.show(console, screen.choose(full, short, everything=everything))


def _phase(phase: str, files: Sequence[PlannedFile]) -> str:
    """A phase in one line: how many files, how long, whom they stop."""
    words = [plural(len(files), "file")]
    measured = [file.seconds for file in files if file.seconds is not None]
    if len(measured) == len(files):
        words.append(f"{seconds(sum(measured))} in the rehearsal")
    stopping = [file for file in files if file.rehearsed and _stops(file)]
    if stopping:
        words.append(f"{len(stopping)} stop clients: {_stopped(stopping[0])}")
    elif all(file.rehearsed for file in files):
        words.append("stops nobody")
    else:
        words.append("not rehearsed")
    return f"{phase or 'files'}: {', '.join(words)}"


def _file(file: PlannedFile) -> list[Text]:
    found = [Text(f"  {file.migration}", "bold")]
    if file.title:
        found.append(Text(f"      {file.title}", "dim"))
    stopped = _stopped(file)
    style = "red" if file.rehearsed and _stops(file) else "green" if stopped == "nobody" else ""
    found.append(Text(f"      stops  {stopped}", style))
    found.append(Text(f"      time   {_time(file)}"))
    found.append(Text(f"      back   {_back(file)}", "" if file.reversible else "bold red"))
    found += [
        Text(f"      in the way now: {_blocker(blocker)}", "bold yellow")
        for blocker in file.in_the_way
    ]
    for statement in file.statements:
        if statement.rewrites or (statement.seconds or 0.0) >= _LONG_SECONDS:
            found.append(Text(f"      line {statement.line}: {_first_line(statement)}", "dim"))
            found.append(Text(f"          {_cost(statement)}", "dim"))
    return found


def _stopped(file: PlannedFile) -> str:
    """Whom it stops, in words; what was not measured is not known, whatever it may be."""
    if found := _stops(file):
        return "; ".join(found)
    if not file.rehearsed:
        return "not known: not rehearsed"
    made = [lock for lock in file.locks if lock.mode.stops]
    if made:
        shown = ", ".join(f"{k.mode.stops} of {k.relation} for {_held(k)}" for k in made)
        return f"only those who use what these files created: {shown}"
    sampled = any(statement.sampled for statement in file.statements)
    return "nobody seen: sampled, so a short lock may be missing" if sampled else "nobody"


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
    """Text that stays in its cell and on its line, links to nothing and calls nobody."""
    line = _MARKUP.sub(r"\\\g<0>", _cut(text).replace("&", "&amp;"))
    return _LINKED.sub(_apart, line).replace("<", "&lt;")


def _apart(match: re.Match[str]) -> str:
    if text := match["hash"]:
        size = _SHORTEST_HASH - 1
        return _NO_WIDTH.join(text[n : n + size] for n in range(0, len(text), size))
    return _ENTITIES[match[0]] + _NO_WIDTH


def code(text: str) -> str:
    """Text as code that stays in its cell and on its line."""
    line = _PIPE.sub(r"\|", _cut(text).replace("`", "'"))
    return f"`{line}`"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}…"
