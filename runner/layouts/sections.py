"""Both directions in one file: dbmate, goose and sql-migrate, node-pg-migrate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.layouts.data import is_text
from runner.layouts.model import Pair, ScriptText
from runner.layouts.text import masked, part

if TYPE_CHECKING:
    from pathlib import Path

SECTIONED = ("dbmate", "goose", "node-pg-migrate")
_MARK = re.compile(
    r"^\ufeff?[ \t]*--(?:"
    r"[ \t]*(?P<dbmate>migrate):(?P<dbmate_way>up|down)\b(?P<options>[^\n]*)"
    r"|[ \t]*\+(?:goose|migrate)[ \t]+(?P<goose_way>up|down)\b[^\n]*"
    r"|[ \t-]*(?P<node_way>up|down)[ \t]+migration\b[^\n]*"
    r")$",
    re.IGNORECASE | re.MULTILINE,
)
_NO_TRANSACTION = re.compile(r"^[ \t]*--[ \t]*\+(?:goose|migrate)\b.*no\s?transaction", re.I | re.M)


def read_sections(path: Path, text: str, layout: str | None) -> Pair[ScriptText] | None:
    """A file that says itself which part runs forward and which undoes it.

    Args:
        path: the file.
        text: its content.
        layout: one of LAYOUTS; None to find it out.

    Returns:
        The migration; None when the file has no such sections.
    """
    if "--" not in text or (layout is not None and layout not in SECTIONED):
        return None
    # What stands in quotes is data.
    marks = [m for m in _MARK.finditer(text) if not is_text(text, m.start(), bodies=True)]
    if not marks:
        return None
    first = marks[0]
    tool = "dbmate" if first["dbmate"] else "goose" if first["goose_way"] else "node-pg-migrate"
    no_transaction = tool == "goose" and _NO_TRANSACTION.search(text) is not None
    parts: dict[str, ScriptText] = {}
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        end = following.start() if following else len(text)
        way = (mark["dbmate_way"] or mark["goose_way"] or mark["node_way"]).lower()
        options = (mark["options"] or "").replace(" ", "").lower()
        if way in parts:
            continue
        parts[way] = part(
            path,
            text,
            masked(text, mark.end(), end),
            tool,
            path.stem,
            up=way == "up",
            transactional=not no_transaction and "transaction:false" not in options,
        )
    if "up" not in parts:
        # node-pg-migrate runs what stands before the mark; the others run nothing.
        end = first.start() if tool == "node-pg-migrate" else 0
        up = part(path, text, masked(text, 0, end), tool, path.stem, up=True, transactional=True)
        return Pair(up, parts.get("down"))
    return Pair(parts["up"], parts.get("down"))
