"""Columns of a definition by other names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from runner.quoting import quote_ident

# Strings are found so that nothing is found in them; of a path only the first part is a column.
_TOKEN = re.compile(
    r"""(?P<string>[eE]?'(?:[^'\\]|''|\\.)*')"""
    r"""|(?P<before>::\s*|\.\s*|\bCOLLATE\s+|\btime\s+|\btimestamp\s+)?"""
    r"""(?P<name>"(?:[^"]|"")+"|[^\W\d][\w$]*)(?P<after>\s*\(|\s*\.|\s+FROM\b|\s+time\s+zone\b)?(?![\w$])"""
)


def with_names(definition: str, names: Mapping[str, str]) -> str:
    """Call columns by other names.

    Args:
        definition: an expression or the end of an index's definition, as PostgreSQL prints it:
            no name of a table stands before a column, and types follow their values.
        names: the new name of each column, by the one it has in the definition.
    """
    quoted = {quote_ident(old): quote_ident(new) for old, new in names.items()}

    def convert(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None or match["before"] or match["after"] or name not in quoted:
            return match[0]
        return quoted[name]

    return _TOKEN.sub(convert, definition)
