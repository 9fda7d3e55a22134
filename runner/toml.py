"""TOML of others: what is nested too deeply is no crash."""

from __future__ import annotations

import tomllib
from typing import Any


def parse(text: str) -> dict[str, Any]:
    """Read a text as TOML.

    Args:
        text: all of a file.

    Raises:
        tomllib.TOMLDecodeError: it is none, or is nested too deeply.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("it is nested too deeply") from None
