"""What in a file is data and no SQL: the rows behind COPY FROM STDIN, and texts in quotes."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache

from runner.ledger.scanner import ScanError, psql_commands, split

_COPY = re.compile(
    r"^[ \t]*COPY\b[^;'$]*?\bFROM\s+STDIN\b[^;]*;[ \t]*\r?\n", re.IGNORECASE | re.MULTILINE
)
_END_OF_ROWS = re.compile(r"^\\\.[ \t]*\r?$", re.MULTILINE)
_NOT_SPACE = re.compile(r"\S")
_TOKEN = re.compile(
    r"--[^\n]*|/\*.*?\*/|(?P<text>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')|\"(?:[^\"]|\"\")*\""
    r"|(?P<body>(?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag))",
    re.DOTALL,
)
_ROUTINE = re.compile(
    r"\b(?:DO|AS)\s*(?:LANGUAGE\s+\w+\s*)?\Z|\bDO\b[^;$]*\Z", re.IGNORECASE | re.DOTALL
)
_WORDS_BEFORE = 60


def without_rows(text: str) -> str:
    """The text with the rows that COPY FROM STDIN reads blanked, its lines kept.

    Args:
        text: of a file as psql runs it. Rows go to a line `\\.`, or to the end of the file.

    Returns:
        A text of the same length, in which the SQL behind the rows stands where it stood.
    """
    if "stdin" not in text.lower():
        return text
    parts: list[str] = []
    position = 0
    for match in _COPY.finditer(text):
        if match.start() < position or not _is_between(text[position : match.start()]):
            continue
        end = _END_OF_ROWS.search(text, match.end())
        stop = end.end() if end else len(text)
        parts += [text[position : match.end()], _NOT_SPACE.sub(" ", text[match.end() : stop])]
        position = stop
    return "".join([*parts, text[position:]])


def without_commands(text: str) -> str:
    """The text with the lines blanked that are commands of psql."""
    if "\\" not in text:
        return text
    parts, position = [], 0
    for start, end in psql_commands(text):
        parts += [text[position:start], " " * (end - start)]
        position = end
    return "".join([*parts, text[position:]])


def _is_between(text: str) -> bool:
    """Whether no statement, quote or comment is still open at the end of a text."""
    try:
        statements = split(without_commands(text))
    except ScanError:
        return False
    return not statements or statements[-1].text.endswith(";")


def is_text(sql: str, offset: int, *, bodies: bool = False) -> bool:
    """Whether a place of a file is inside a text in quotes.

    Args:
        sql: the file.
        offset: characters before the place.
        bodies: whether the bodies of DO blocks and functions are texts, too.
    """
    spans = _texts(sql, bodies)
    number = bisect_right(spans, (offset, len(sql))) - 1
    return number >= 0 and spans[number][0] <= offset < spans[number][1]


@lru_cache(maxsize=8)
def _texts(sql: str, bodies: bool) -> list[tuple[int, int]]:
    found = []
    for match in _TOKEN.finditer(sql):
        if match["text"]:
            found.append(match.span())
        elif match["body"]:
            before = sql[max(0, match.start() - _WORDS_BEFORE) : match.start()]
            if bodies or not _ROUTINE.search(before):
                found.append(match.span())
                continue
            inside = match.start() + len(match["tag"])
            body = sql[inside : match.end() - len(match["tag"])]
            found += [(inside + a, inside + b) for a, b in _texts(body, bodies)]
    return found
