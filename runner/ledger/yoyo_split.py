"""Where yoyo, which splits a file with sqlparse, sends something else than its statements."""

from __future__ import annotations

from runner.ledger.scanner import ScanError, Statement, split

MISREAD = "yoyo would split this statement at another place than PostgreSQL does"
INSTEAD = "write E'C:\\\\' in place of 'C:\\', and no comment inside a comment"


def misread_by_yoyo(text: str) -> Statement | None:
    """Find the first statement that yoyo would not send whole.

    Several statements in one piece are sent together, and the server takes them apart.

    Args:
        text: of a file that `split` can read.

    Returns:
        The statement, None when yoyo sends them all as they are.

    Raises:
        ScanError: as `split` does.
    """
    import sqlparse

    statements = split(text)
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
