"""Writes the examples of rules, and the files of the corpus, as a user would have them."""

from __future__ import annotations

import re
from pathlib import Path

_FILE = re.compile(r"^-- file: (\S+)\n", re.MULTILINE)
_FIRST = "0001_example.sql"


def write_example(folder: Path, example: str) -> None:
    """Write an example; `-- file: NAME` begins each file after the first."""
    parts = _FILE.split(example)
    names = [_FIRST, *parts[1::2]]
    for name, text in zip(names, parts[::2], strict=True):
        if text.strip():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
