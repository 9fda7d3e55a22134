"""Paths into JSON documents as SQL."""

from __future__ import annotations

from collections.abc import Sequence

from runner.quoting import quote_without_holes


def path_sql(keys: Sequence[str]) -> str:
    """A path as SQL."""
    return f"ARRAY[{', '.join(map(quote_without_holes, keys))}]"
