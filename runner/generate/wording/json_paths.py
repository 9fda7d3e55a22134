"""Paths into JSON documents as SQL."""

from __future__ import annotations

from collections.abc import Sequence

from runner.quoting import quote_literal


def path_sql(keys: Sequence[str]) -> str:
    """A path as SQL; no key can be taken for the place of a value, or for the end of a body."""
    quoted = []
    for key in keys:
        literal = quote_literal(key)
        if "{" in literal or "$" in literal:
            literal = literal if literal.startswith("E") else "E" + literal
            literal = literal.replace("{", "\\x7b").replace("$", "\\x24")
        quoted.append(literal)
    return f"ARRAY[{', '.join(quoted)}]"
