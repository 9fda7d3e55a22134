"""Texts of which all but a part is blanks, so that every place stays where it is in the file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.errors import MigrationFileError
from runner.layouts.data import without_commands, without_rows
from runner.layouts.model import ScriptText
from runner.ledger.files import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_LINE = re.compile(r"[^\r\n]+")
# What a tool fills in: Flyway and others, and Go's templates, as pop has them. It may hold nothing
# that ends a text, a comment or a statement, nor begin in a dollar quote: it would hide SQL.
_INSIDE = r"[^{}\r\n;'\"$*\\]"
_TEMPLATE = re.compile(
    r"\$\w*\$|(?P<template>\$\{" + _INSIDE + r"*\}"
    r"|\{\{-?(?:[ .]|\w+ \.)(?:" + _INSIDE + r'|"\w*")*\}\})'
)
_HEADER = re.compile(r"\ufeff?(?:[ \t]*(?:--[^\n]*)?(?:\n|$))*")
_OUTSIDE_ONLY = re.compile(
    r"\b(?:INDEX\s+CONCURRENTLY|VACUUM|REINDEX\b.*\bCONCURRENTLY|DISCARD\s+ALL|ADD\s+VALUE)\b",
    re.IGNORECASE,
)


@dataclass
class Texts:
    """The files that were read, each once.

    Args:
        unreadable: why a file could not be read, by file; None to raise instead.
        opened: texts that count instead of those of the files, as an editor shows them.
    """

    unreadable: dict[Path, MigrationFileError] | None = None
    opened: Mapping[Path, str] = field(default_factory=dict)
    _read: dict[Path, str] = field(default_factory=dict)

    def __getitem__(self, path: Path) -> str:
        """The text of a file; empty when it cannot be read."""
        if self.opened and path in self.opened:
            return self.opened[path]
        text = self._read.get(path)
        if text is None:
            try:
                text = read_text(path)
            except MigrationFileError as error:
                if self.unreadable is None:
                    raise
                self.unreadable[path] = error
                text = ""
            self._read[path] = text
        return text


def blank(text: str) -> str:
    """Blanks in the place of every character but line breaks."""
    if "\r" in text:
        return _LINE.sub(lambda m: " " * len(m[0]), text)
    return "\n".join([" " * len(line) for line in text.split("\n")])


def masked(text: str, start: int, end: int) -> str:
    """The text with all but a part blanked."""
    return blank(text[:start]) + text[start:end] + blank(text[end:])


def clean(text: str) -> str:
    """The text without what is no SQL: psql commands, rows of COPY, variables, a BOM."""
    text = without_commands(without_rows(text))
    if "${" in text or "{{" in text:
        text = _TEMPLATE.sub(lambda m: name_for(m[0]) if m["template"] else m[0], text)
    return text.replace("\ufeff", " ", 1) if text.startswith("\ufeff") else text


def templates(text: str) -> Iterator[re.Match[str]]:
    """What a tool fills in, in a text."""
    return (match for match in _TEMPLATE.finditer(text) if match["template"])


def name_for(template: str) -> str:
    """A name, as long as what a tool fills in, that stands for it."""
    return re.sub(r"\W", "_", template)


def header_of(text: str) -> int:
    """How many characters the comment lines take that a file starts with."""
    match = _HEADER.match(text)
    return match.end() if match else 0


def outside_only(text: str) -> bool:
    """Whether a text holds words of a statement that must run outside a transaction."""
    return _OUTSIDE_ONLY.search(text) is not None


def whole(
    path: Path,
    text: str,
    layout: str,
    id_: str,
    *,
    up: bool = True,
    transactional: bool = True,
) -> ScriptText:
    """The script of a file that holds one direction."""
    return part(path, text, text, layout, id_, up=up, transactional=transactional)


def part(
    path: Path,
    content: str,
    text: str,
    layout: str,
    id_: str,
    *,
    up: bool,
    transactional: bool,
) -> ScriptText:
    """The script of a part of a file, of which the rest was blanked."""
    return ScriptText(
        path=path,
        id=id_,
        layout=layout,
        up=up,
        content=content,
        text=clean(text),
        transactional=transactional,
        header=header_of(content),
    )
