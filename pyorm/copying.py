"""Rows that are read while a COPY sends them: what makes them cannot use the connection meanwhile.

It would wait for the end of the COPY, which waits for it.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from pyorm.errors import InvalidValue

_sending: dict[tuple[int, Any], list[Any]] = {}
"""Each connection that sends rows, with the thread or task that makes them: cursors to close."""


def begin_sending(connection: Any) -> None:
    """Mark a connection as one that sends rows which are made in this thread or task."""
    _sending[id(connection), _runs_here()] = []


def end_sending(connection: Any) -> list[Any]:
    """Take the mark away; the cursors that could not be closed meanwhile."""
    return _sending.pop((id(connection), _runs_here()))


def is_sending(connection: Any) -> bool:
    """Whether a connection sends rows that are made in this thread or task."""
    return bool(_sending) and (id(connection), _runs_here()) in _sending


def close_later(connection: Any, cursor: Any) -> bool:
    """Whether a cursor cannot be closed now: it will be when all rows are sent."""
    if not is_sending(connection):
        return False
    _sending[id(connection), _runs_here()].append(cursor)
    return True


def refuse_while_sending(connection: Any) -> None:
    """Refuse what a generator of rows asks of the connection that sends them.

    Raises:
        InvalidValue: when it does; anyone else only waits for the end.
    """
    if is_sending(connection):
        raise InvalidValue(
            "the connection is sending the rows of add_many, which are made by a query on it",
            hint="use a pool or another connection for the query, or a list: add_many(list(rows))",
        )


def _runs_here() -> Any:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return task or threading.get_ident()
