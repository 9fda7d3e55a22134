"""Reads the comment lines that a migration starts with, its directives as yoyo reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from runner.errors import MigrationFileError

_DIRECTIVE = re.compile(r"^\s*--\s*(transactional|depends)\s*:\s*(.*)$")
_METADATA = re.compile(r"^--\s?([a-z][a-z_]*):\s*(.*)$")
_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\n|\r|$)")
_CONTINUED = re.compile(r"^--\s{2,}(\S.*)$")


class Header(NamedTuple):
    """The comment lines that a file starts with.

    Args:
        title: the lines before the first key, joined.
        directives: yoyo's transactional and depends.
        metadata: the other `key: value` lines.
        lines: how many lines of the file it covers.
    """

    title: str
    directives: Mapping[str, str]
    metadata: Mapping[str, str]
    lines: int


def parse_header(path: Path, text: str) -> Header:
    """Read the leading comment lines of a forward file, its directives as yoyo reads them.

    Args:
        path: the file, for errors.
        text: its content.

    Returns:
        The header.

    Raises:
        MigrationFileError: for a directive that yoyo cannot understand.
    """
    directives: dict[str, str] = {}
    metadata: dict[str, str] = {}
    title: list[str] = []
    key = ""
    count = 0
    for match in _LINE.finditer(text):
        line = match.group(1)
        stripped = line.strip()
        if (stripped and not stripped.startswith("--")) or match.start() == len(text):
            break
        count += 1
        if directive := _DIRECTIVE.match(line):
            name, value = directive.group(1), directive.group(2).strip()
            if name == "transactional" and (
                value.lower() not in ("true", "false") or name in directives
            ):
                raise MigrationFileError(
                    f"{path}:{count}: transactional is {value!r}, expected true or false, once"
                )
            directives[name] = f"{directives[name]} {value}" if name in directives else value
            key = ""
        elif entry := _METADATA.match(line):
            key = entry.group(1)
            metadata[key] = entry.group(2)
        elif key and (continued := _CONTINUED.match(line)):
            metadata[key] += " " + continued.group(1)
        else:
            key = ""
            if not metadata and not directives and stripped.strip("-"):
                title.append(stripped.lstrip("-").strip())
    return Header(" ".join(title), directives, metadata, count)
