"""Writes docs/lint.md, docs/trueup.schema.json and looks.py: `python -m runner.lint.docs docs`."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from textwrap import indent, wrap
from typing import TYPE_CHECKING

from runner.lint.engine import lint
from runner.lint.model import LEVELS
from runner.lint.output import render
from runner.lint.registry import all_rules, looks
from runner.lint.settings import schema
from runner.lint.shown import Shown

if TYPE_CHECKING:
    from runner.lint.model import Rule

LOOKS_FILE = Path(__file__).with_name("looks.py")
_INTRODUCTION = Path(__file__).with_name("introduction.md")
_FILE = re.compile(r"^-- file: (\S+)\n", re.MULTILINE)
_FIRST = "0001_example.sql"
_SHOWN = "ALTER TABLE users ALTER COLUMN email SET NOT NULL;\n"


def document() -> str:
    """The whole page, with real output and every rule's examples."""
    rules = sorted(all_rules(), key=lambda rule: (LEVELS.index(rule.level), rule.name))
    parts = [_INTRODUCTION.read_text("utf-8"), _example(), "## The rules\n"]
    parts.append("| rule | level | what it finds |\n| --- | --- | --- |")
    parts += [f"| [{rule.name}](#{rule.name}) | {rule.level} | {rule.title} |" for rule in rules]
    parts += [_section(rule) for rule in rules]
    return "\n".join(parts) + "\n"


def _example() -> str:
    """What lint prints for one line of SQL."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "not_null.sql"
        path.write_text(_SHOWN, encoding="utf-8")
        text = render(Shown.of(lint([path], with_squawk=False)), "text").replace(f"{folder}/", "")
    return f"## An example\n\n```sql\n{_SHOWN}```\n\n```\n$ trueup lint not_null.sql\n{text}\n```\n"


def write_example(folder: Path, example: str) -> None:
    """Write a rule's example out; `-- file: NAME` begins each file after the first."""
    parts = _FILE.split(example)
    for name, text in zip([_FIRST, *parts[1::2]], parts[::2], strict=True):
        if text.strip():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _safe_way(rule: Rule) -> str:
    """What the rule suggests for its first example."""
    with tempfile.TemporaryDirectory() as folder:
        write_example(Path(folder), rule.flagged[0])
        findings = lint([Path(folder)], with_squawk=False).findings
    return next(finding.instead for finding in findings if finding.rule == rule.name)


def _section(rule: Rule) -> str:
    parts = [f"\n### {rule.name}\n", f"{rule.title}. {rule.why}\n", "Flagged:\n"]
    parts += [f"```sql\n{example.strip()}\n```\n" for example in rule.flagged]
    parts.append("Passes:\n")
    parts += [f"```sql\n{example.strip()}\n```\n" for example in rule.passed]
    parts.append(f"The safe way, for the first of these:\n\n```sql\n{_safe_way(rule)}\n```")
    if rule.squawk:
        parts.append(f"\nIn Squawk: {', '.join(rule.squawk)}.")
    return "\n".join(parts)


def written_looks() -> str:
    """The text of looks.py."""
    parts = ['"""Which rules look at what; `python -m runner.lint.docs docs` writes it."""\n']
    parts.append("LOOKS: dict[str, str] = {")
    for what, names in looks(all_rules()).items():
        lines = "\n".join(wrap(names, 92, break_on_hyphens=False))
        parts.append(f'    "{what}": """\n{indent(lines, " " * 8)}\n    """,')
    return "\n".join([*parts, "}", ""])


def write(folder: Path) -> None:
    """Write all three files."""
    (folder / "lint.md").write_text(document(), encoding="utf-8")
    text = json.dumps(schema(), indent=2, ensure_ascii=False)
    (folder / "trueup.schema.json").write_text(text + "\n", encoding="utf-8")
    LOOKS_FILE.write_text(written_looks(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
