"""Both directions in one file: dbmate, goose and sql-migrate, node-pg-migrate."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from runner.layouts.data import is_text
from runner.layouts.model import Pair, ScriptText
from runner.layouts.text import blank, part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_ANY = re.compile(r"migrate:|\+goose|\+migrate|(?:up|down)[ \t]+migration", re.IGNORECASE)
# Only what the tool itself takes for a mark: behind what it takes for a comment, SQL runs forward.
_MARKS = {
    "dbmate": re.compile(
        r"^\ufeff?--[ \t]*migrate:(?P<way>up|down)(?P<options>[ \t\r][^\n]*)?$", re.MULTILINE
    ),
    "goose": re.compile(r"^\ufeff?--[ \t]*\+goose (?P<way>Up|Down)[ \t\r]*$", re.MULTILINE),
    "sql-migrate": re.compile(
        r"^\ufeff?-- \+migrate[ \t]+(?P<way>Up|Down)(?P<options>[ \t\r][^\n]*)?$", re.MULTILINE
    ),
    "node-pg-migrate": re.compile(
        r"^[ \t]*--[ \t-]*(?P<way>up|down)[ \t]+migration[^\n]*$", re.IGNORECASE | re.MULTILINE
    ),
}
_LAYOUTS = {tool: "goose" if tool == "sql-migrate" else tool for tool in _MARKS}
_NO_TRANSACTION = re.compile(r"^[ \t]*--[ \t]*\+(?:goose|migrate)\b.*no\s?transaction", re.I | re.M)


def tool_of(texts: Mapping[str, str], layout: str | None) -> str | None:
    """The tool whose sections the files of a folder have; None where they are of none.

    Where most files have none, a mark is a comment to the tool that runs them: it hides nothing.

    Args:
        texts: of the files, by name.
        layout: one of LAYOUTS; None to find it out.
    """
    marked: Counter[str] = Counter()
    for text in texts.values():
        if _ANY.search(text):
            marked.update(tool for tool, marks in _MARKS.items() if marks.search(text))
    asked = [t for t in _MARKS if marked[t] and layout in (None, _LAYOUTS[t])]
    tool = max(asked, key=lambda t: marked[t], default=None)
    if tool is None or (layout is None and 2 * marked[tool] <= len(texts)):
        return None
    return tool


def read_sections(path: Path, text: str, tool: str) -> Pair[ScriptText] | None:
    """A file that says itself which part runs forward and which undoes it.

    Args:
        path: the file.
        text: its content.
        tool: whose sections count.

    Returns:
        The migration; None when the file has no such sections.
    """
    # What stands in quotes is data.
    marks = [m for m in _MARKS[tool].finditer(text) if not is_text(text, m.start(), bodies=True)]
    if not marks:
        return None
    spans: dict[bool, list[tuple[int, int]]] = {}
    options = {True: "", False: ""}
    for up, mark, end in _sections(tool, marks, len(text)):
        spans.setdefault(up, []).append((mark.end(), end))
        if tool == "dbmate":
            options[up] = (mark["options"] or "").replace(" ", "")
    if True not in spans and tool == "node-pg-migrate":
        spans[True] = [(0, len(text))]  # it runs all of the file
    outside = _LAYOUTS[tool] == "goose" and _NO_TRANSACTION.search(text) is not None

    def script(up: bool) -> ScriptText:
        shown, position = "", 0
        for start, end in spans.get(up, ()):
            shown += blank(text[position:start]) + text[start:end]
            position = end
        shown += blank(text[position:])
        inside = not outside and "transaction:false" not in options[up]
        layout = _LAYOUTS[tool]
        return part(path, text, shown, layout, path.stem, up=up, transactional=inside)

    return Pair(script(True), script(False) if False in spans else None)


def _sections(
    tool: str, marks: Sequence[re.Match[str]], end: int
) -> Iterator[tuple[bool, re.Match[str], int]]:
    """Whether a section runs forward, the mark that it begins with, and where it ends."""
    if tool != "sql-migrate":
        # Another mark of the same way is a comment to them.
        first: dict[str, re.Match[str]] = {}
        for mark in marks:
            first.setdefault(mark["way"].lower(), mark)
        marks = list(first.values())
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        yield mark["way"].lower() == "up", mark, following.start() if following else end
