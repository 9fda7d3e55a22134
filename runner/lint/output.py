"""Shows a report: on a terminal, as JSON, as SARIF, as annotations of GitHub."""

from __future__ import annotations

import json
import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runner.lint.model import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runner.lint.engine import Report
    from runner.lint.model import Finding

_WIDTH = 96
_SARIF_LEVELS = {"error": "error", "warning": "warning", "style": "note"}
_GITHUB_COMMANDS = {"error": "error", "warning": "warning", "style": "notice"}


def render(report: Report, form: str) -> str:
    """Write a report out.

    Args:
        report: of lint.
        form: text, json, sarif or github.

    Returns:
        The text, without a line break at its end.
    """
    return _FORMS[form](report)


def _text(report: Report) -> str:
    blocks = [_block(finding) for finding in report.findings]
    blocks += [f"note: {note}" for note in report.notes]
    return "\n\n".join([*blocks, summary(report)])


@lru_cache(1_000)
def _wrapped(text: str, first: str, more: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=more)


def _block(finding: Finding) -> str:
    place = f"{finding.path}:{finding.line}:{finding.column}"
    lines = [f"{place}: {finding.level}: {finding.rule}"]
    lines += _wrapped(finding.message, "  ", "  ")
    lines += _wrapped(finding.why, "  why:  ", "        ")
    if finding.instead:
        lines.append("  safe:")
        lines.append(textwrap.indent(finding.instead, "    "))
    return "\n".join(lines)


def summary(report: Report) -> str:
    """The last line: how many findings of each level in how many files."""
    counts = {level: sum(f.level == level for f in report.findings) for level in LEVELS}
    shown = [_count(counts["error"], "error"), _count(counts["warning"], "warning")]
    if counts["style"]:
        shown.append(f"{counts['style']} of style")
    return f"{', '.join(shown)} in {_count(report.files, 'file')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _json(report: Report) -> str:
    value = {
        "files": report.files,
        "notes": list(report.notes),
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
            }
            for f in report.findings
        ],
    }
    return json.dumps(value, indent=2, ensure_ascii=False)


def _sarif(report: Report) -> str:
    by_name = {finding.rule: finding for finding in report.findings}
    rules: list[dict[str, Any]] = [
        {
            "id": name,
            "fullDescription": {"text": finding.why},
            "help": {
                "text": finding.instead,
                "markdown": f"{finding.why}\n\n```sql\n{finding.instead}\n```",
            },
        }
        for name, finding in sorted(by_name.items())
    ]
    places = {rule["id"]: number for number, rule in enumerate(rules)}
    results = [
        {
            "ruleId": f.rule,
            "ruleIndex": places[f.rule],
            "level": _SARIF_LEVELS[f.level],
            "message": {"text": f.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(f.path)},
                        "region": {
                            "startLine": f.line,
                            "startColumn": f.column,
                            "endLine": f.end_line,
                        },
                    }
                }
            ],
        }
        for f in report.findings
    ]
    value = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": {"name": "trueup", "rules": rules}}, "results": results}],
    }
    return json.dumps(value, indent=2, ensure_ascii=False)


def _uri(path: Path) -> str:
    return path.as_uri() if path.is_absolute() else path.as_posix()


def _github(report: Report) -> str:
    lines = []
    for f in report.findings:
        fields = {
            "file": str(f.path),
            "line": f.line,
            "endLine": f.end_line,
            "col": f.column,
            "title": f.rule,
        }
        shown = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in fields.items())
        body = f"{f.message}\n{f.why}\n{f.instead}".rstrip()
        lines.append(f"::{_GITHUB_COMMANDS[f.level]} {shown}::{_escaped(body)}")
    return "\n".join([*lines, summary(report)])


def _escaped(text: str, more: str = "") -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    for character in more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


_FORMS: dict[str, Callable[[Report], str]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
}
FORMS = tuple(_FORMS)
