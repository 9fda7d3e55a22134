"""The names of objects: they follow the name of their table."""

from __future__ import annotations

import re

from runner.quoting import shorten


def follow(name: str, old: str, new: str) -> str:
    """Give a name that holds the table's old name the new one: `models_pkey` -> `model_pkey`."""
    return shorten(re.sub(rf"(?<![^_]){re.escape(old)}(?![^_])", lambda _: new, name, count=1))
