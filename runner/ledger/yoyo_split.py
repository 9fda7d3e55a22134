"""Where yoyo, which splits a file with sqlparse, sends something else than its statements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.ledger.scanner import ScanError, Statement, split

if TYPE_CHECKING:
    from collections.abc import Sequence

MISREAD = "yoyo would split this statement in a different place than PostgreSQL"
INSTEAD = "write E'C:\\\\' in place of 'C:\\', and no comment inside a comment"

# sqlparse reads these in a way of its own: escapes, comments of other dialects, blocks, GO.
_SPECIAL = re.compile(r"[^\w\s(),.;:=<>'\"*+-]|\b(?:BEGIN|DECLARE|GO)\b", re.IGNORECASE | re.ASCII)


def misread_by_yoyo(text: str, statements: Sequence[Statement] | None = None) -> Statement | None:
    """Find the first statement that yoyo would not send whole.

    Several statements in one piece are sent together, and the server takes them apart.

    Args:
        text: of a file that `split` can read.
        statements: of it, where the caller has them.

    Returns:
        The statement, None when yoyo sends them all as they are.

    Raises:
        ScanError: as `split` does.
    """
    statements = split(text) if statements is None else statements
    if _is_plain(text, statements):
        return None
    # Imported late: most files need no look.
    import sqlparse

    expected = iter(statements)
    for piece in sqlparse.split(text):
        try:
            parts = split(piece)
        except ScanError:
            parts = None
        if parts == []:
            continue
        for part in parts or (None,):
            statement = next(expected, None)
            if part is None or statement is None or part.text != statement.text:
                return statement or statements[-1]
    return None


def _is_plain(text: str, statements: Sequence[Statement]) -> bool:
    """Whether a text holds nothing that sqlparse is known to read otherwise."""
    return not _SPECIAL.search(text) and all(
        # It looks for the end of a statement behind the parentheses that are open.
        statement.text.count("(") == statement.text.count(")")
        for statement in statements
    )
