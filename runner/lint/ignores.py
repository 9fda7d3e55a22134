"""`-- trueup: ignore RULE because REASON`: findings that a person has judged.

The comment may be `/* ... */` too; `ignore-file` covers the whole file, wherever it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.layouts.data import is_text
from runner.lint.model import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from runner.lint.layouts import Script

_IGNORE = re.compile(
    r"(?:--|/\*|\n[ \t]*\*?)[ \t]*trueup:[ \t]*ignore(?P<file>-file)?\b[ \t]*"
    r"(?P<rest>(?:(?!\*/)[^\r\n])*)",
    re.IGNORECASE,
)
_REASON = re.compile(r"(?P<rules>.*?)[ \t]*\bbecause\b[ \t:]*(?P<reason>.*)", re.IGNORECASE)
_WHY = "An ignore tells the next reader why there is no danger here."
_HOW = "-- trueup: ignore RULE because the table has ten rows"


@dataclass
class _Ignore:
    """A comment, and the lines whose findings it covers."""

    rules: tuple[str, ...]
    line: int
    first: int
    last: int
    used: bool = False


def apply_ignores(
    findings: Iterable[Finding],
    scripts: Mapping[Path, Sequence[Script]],
    known: Collection[str],
    is_forward_only: Callable[[str], bool],
) -> list[Finding]:
    """Leave out what ignore comments cover, and report comments that are wrong or of no use.

    An ignore covers the statement that it stands in or before. In the comment lines that a file
    starts with it also covers findings about the whole file. In a rollback it may stand before a
    statement that is the same as in the forward file, though the rule does not look at rollbacks.

    Args:
        findings: of all files.
        scripts: the scripts of each file.
        known: names of all rules.
        is_forward_only: tells of a rule whether it does not look at rollbacks.

    Returns:
        The findings that remain.
    """
    kept: list[Finding] = []
    ignores: dict[Path, list[_Ignore]] = {}
    for path, parts in scripts.items():
        if "trueup" in parts[0].content:
            ignores[path] = _read(parts, known, kept)
    for finding in findings:
        cover = [
            ignore
            for ignore in ignores.get(finding.path, ())
            if finding.rule in ignore.rules and ignore.first <= finding.line <= ignore.last
        ]
        for ignore in cover:
            ignore.used = True
        if not cover:
            kept.append(finding)
    for path, comments in ignores.items():
        is_rollback = not any(script.up for script in scripts[path])
        for ignore in comments:
            if not ignore.used and not (is_rollback and all(map(is_forward_only, ignore.rules))):
                message = f"nothing here violates {', '.join(ignore.rules)}: remove the comment"
                kept.append(_finding("unused-ignore", "warning", path, ignore.line, message))
    return kept


def _read(
    scripts: Sequence[Script], known: Collection[str], problems: list[Finding]
) -> list[_Ignore]:
    found = []
    script, text = scripts[0], scripts[0].content
    for match in _IGNORE.finditer(text):
        if is_text(text, match.start("rest")):
            continue
        line = text.count("\n", 0, match.start()) + 1
        reason = _REASON.match(match["rest"])
        names = re.split(r"[,\s]+", (reason["rules"] if reason else match["rest"]).strip())
        names = [name for name in names if name]
        unknown = [name for name in names if name not in known]
        message = ""
        if not names:
            message = "the ignore names no rule"
        elif unknown and reason:
            message = f"there is no rule {unknown[0]}; `trueup lint --rules` lists them"
        elif reason is None or not reason["reason"].strip():
            message = "the ignore gives no reason"
        if message:
            problems.append(_finding("ignore-without-reason", "error", script.path, line, message))
            continue
        if match["file"]:
            found.append(_Ignore(tuple(names), line, 1, text.count("\n") + 1))
            continue
        first, last = _covered(scripts, match.start(), line)
        found.append(_Ignore(tuple(names), line, first, last))
    return found


def _covered(scripts: Sequence[Script], offset: int, line: int) -> tuple[int, int]:
    script, text = scripts[0], scripts[0].content
    statements = [statement for script in scripts for statement in script.statements]
    for statement in sorted(statements, key=lambda s: s.offset):
        end = statement.offset + len(statement.text)
        end_of_line = text.find("\n", end)
        end_of_line = len(text) if end_of_line < 0 else end_of_line
        if offset < end_of_line:
            first = text.count("\n", 0, min(offset, statement.offset)) + 1
            in_header = offset < script.header
            return (1 if in_header else first), text.count("\n", 0, end) + 1
    return (1 if offset < script.header else line), line


def _finding(rule: str, level: str, path: Path, line: int, message: str) -> Finding:
    assert level in ("error", "warning")
    return Finding(
        rule, "error" if level == "error" else "warning", path, line, 1, line, message, _WHY, _HOW
    )
