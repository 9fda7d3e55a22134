"""Where in a TOML file a key stands: tomllib gives values without their lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence

_KEY = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)\s*([.=\]]?)""")
# What stands in a value, as far as its end depends on it.
_PART = re.compile(
    r'''"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*|[\[\]{}\n]|.''',
    re.DOTALL,
)


class Lines:
    """The lines of the paragraphs and keys of one file.

    Args:
        text: valid TOML.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._found: dict[tuple[str, ...], tuple[int, int]] = {}
        self._read(text)

    def of(self, path: Sequence[str], word: str = "") -> int:
        """The line of a key, from 1; the nearest known paragraph's when it has none of its own.

        Args:
            path: the key with the paragraphs that hold it.
            word: what in its value is meant.
        """
        known = tuple(path)
        while known and known not in self._found:
            known = known[:-1]
        first, last = self._found.get(known, (1, len(self._lines)))
        inner = path[len(known)] if len(known) < len(path) else ""
        for wanted in filter(None, (word, inner)):
            whole = re.compile(rf"(?<![\w-]){re.escape(wanted)}(?![\w-])")
            for number in range(first, last + 1):
                if whole.search(self._lines[number - 1]):
                    return number
        return first

    def _read(self, text: str) -> None:
        paragraph: tuple[str, ...] = ()
        position = 0
        while position < len(text):
            line = text.count("\n", 0, position) + 1
            end = text.find("\n", position)
            start = text[position : end if end >= 0 else len(text)]
            if start.lstrip().startswith("["):
                paragraph = tuple(_keys(start.lstrip().lstrip("[")))
                self._note(paragraph, line, line)
            elif start.strip() and not start.lstrip().startswith("#"):
                end = _end_of_value(text, position)
                last = text.count("\n", 0, end) + 1
                self._note((*paragraph, *_keys(start)), line, last)
            position = end + 1 if end >= 0 else len(text)

    def _note(self, path: tuple[str, ...], first: int, last: int) -> None:
        for length in range(1, len(path) + 1):
            known = self._found.get(path[:length])
            begin = known[0] if known else first
            self._found[path[:length]] = (begin, last)


def _keys(text: str) -> Iterator[str]:
    position = 0
    while match := _KEY.match(text, position):
        key: str = match[1]
        if key[0] in "\"'":
            key = tomllib.loads(f"k = {key}")["k"]
        yield key
        if match[2] != ".":
            return
        position = match.end()


def _end_of_value(text: str, start: int) -> int:
    """Where the line ends on which a value ends."""
    depth = 0
    for part in _PART.finditer(text, start):
        if part[0] in ("[", "{"):
            depth += 1
        elif part[0] in ("]", "}"):
            depth -= 1
        elif part[0] == "\n" and depth == 0:
            return part.start()
    return len(text)
