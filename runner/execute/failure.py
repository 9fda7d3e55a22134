"""Turns PostgreSQL's error into one message: file, line, column, the line with a caret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.errors import StatementError

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg import Error

    from runner.ledger.scanner import Statement

# PL/pgSQL counts lines from the one that holds the opening quote of the body.
_BLOCK_LINE = re.compile(r"PL/pgSQL function inline_code_block line (\d+)")


def statement_error(
    error: Error, *, path: Path, text: str, statement: Statement, hint: str
) -> StatementError:
    """Explain why a statement failed, and where.

    Args:
        error: what psycopg raised.
        path: the file.
        text: its content.
        statement: the statement that failed.
        hint: the next step, used when PostgreSQL gives no hint of its own.

    Returns:
        The error to raise.
    """
    diag = error.diag
    offset = statement.offset
    if diag.statement_position:
        offset += int(diag.statement_position) - 1
    elif block := _BLOCK_LINE.search(diag.context or ""):
        offset = _block_line_offset(text, statement, int(block.group(1)))
    line = text.count("\n", 0, offset) + 1
    start = text.rfind("\n", 0, offset) + 1
    shown = text[start:].split("\n", 1)[0].rstrip("\r")
    column = offset - start + 1
    said = _within(diag.message_primary or str(error))
    parts = [
        f"{path}:{line}:{column}: {said} (SQLSTATE {error.sqlstate})",
        f"    {shown}",
        "    " + "".join("\t" if c == "\t" else " " for c in shown[: column - 1]) + "^",
    ]
    parts += [f"detail: {_within(diag.message_detail)}"] if diag.message_detail else []
    if diag.internal_query:
        parts.append(f"in: {_within(diag.internal_query)}")
    if diag.context and not diag.internal_query:
        parts.append(f"context: {_within(diag.context)}")
    return StatementError("\n".join(parts), hint=_within(diag.message_hint or hint))


def _within(text: str) -> str:
    """What the server says, which may quote a row, begins no line of ours."""
    return text.strip().replace("\n", "\n    ")


def _block_line_offset(text: str, statement: Statement, line: int) -> int:
    body = re.search(r"\$\w*\$", statement.text)
    offset = statement.offset + (body.end() if body else 0)
    for _ in range(line - 1):
        following = text.find("\n", offset)
        if following < 0:
            break
        offset = following + 1
    while text[offset : offset + 1] in (" ", "\t"):
        offset += 1
    return offset
