"""Shows a report: as text, as JSON, as annotations of GitHub; other forms are modules of forms."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from runner.lint.counted import counted
from runner.lint.model import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.lint.model import Finding
    from runner.lint.shown import Shown

WIDTH = 96  # of text, where no terminal is narrower
_JSON_VERSION = 1
_GITHUB_COMMANDS = {"error": "error", "warning": "warning", "style": "notice"}
FORMS = ("text", "json", "github", "sarif", "gitlab", "junit")


def render(shown: Shown, form: str, width: int = WIDTH) -> str:
    """Write a report out.

    Args:
        shown: the report.
        form: one of FORMS.
        width: of text, in columns.

    Returns:
        The text, without a line break at its end.
    """
    if form == "text":
        return _text(shown, width)
    if form in _FORMS:
        return _FORMS[form](shown)
    write: Callable[[Shown], str] = import_module(f"runner.lint.forms.{form}").write
    return write(shown)


def _text(shown: Shown, width: int) -> str:
    blocks = [_block(finding, width) for finding in shown.findings]
    blocks += [f"note: {note}" for note in shown.notes]
    return "\n\n".join([*blocks, summary(shown)])


@lru_cache(1_000)
def _wrapped(text: str, width: int, first: str, more: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=more)


def _block(finding: Finding, width: int) -> str:
    place = f"{finding.path}:{finding.line}:{finding.column}"
    lines = [f"{place}: {finding.level}: {finding.rule}"]
    lines += _wrapped(finding.message, width, "  ", "  ")
    lines += _wrapped(finding.why, width, "  why:  ", "        ")
    if finding.instead:
        lines.append("  safe:")
        lines += (f"    {line}" if line.strip() else line for line in finding.instead.split("\n"))
    return "\n".join(lines)


def summary(shown: Shown) -> str:
    """The last line: how many findings of each level in how many files."""
    counts = {level: sum(f.level == level for f in shown.findings) for level in LEVELS}
    told = [counted(counts["error"], "error"), counted(counts["warning"], "warning")]
    if counts["style"]:
        told.append(f"{counts['style']} of style")
    return f"{', '.join(told)} in {counted(shown.files, 'file')}"


def _json(shown: Shown) -> str:
    import json

    value = {
        "version": _JSON_VERSION,
        "files": shown.files,
        "notes": list(shown.notes),
        "findings": [
            {
                "rule": f.rule,
                "level": f.level,
                "file": str(f.path),
                "line": f.line,
                "column": f.column,
                "end_line": f.end_line,
                "message": f.message,
                "why": f.why,
                "instead": f.instead,
                "source": f.source,
                "fingerprint": mark,
            }
            for f, mark in zip(shown.findings, shown.fingerprints, strict=True)
        ],
    }
    return json.dumps(value, indent=2, ensure_ascii=False)


def _github(shown: Shown) -> str:
    lines = []
    for f in shown.findings:
        fields = {
            "file": shown.relative(f.path),
            "line": f.line,
            "endLine": f.end_line,
            "col": f.column,
            "title": f.rule,
        }
        told = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in fields.items())
        body = f"{f.message}\n{f.why}\n{f.instead}".rstrip()
        lines.append(f"::{_GITHUB_COMMANDS[f.level]} {told}::{_escaped(body)}")
    lines += [f"::notice title=trueup lint::{_escaped(note)}" for note in shown.notes]
    return "\n".join([*lines, summary(shown)])


def _escaped(text: str, more: str = "") -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    for character in more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


_FORMS: dict[str, Callable[[Shown], str]] = {"json": _json, "github": _github}
