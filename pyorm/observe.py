"""Telling a service what was sent to its database: the hook on_query."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Query:
    """A statement that was sent. Its parameters, which may be secrets, are not here.

    Args:
        text: the SQL, with its marks.
        seconds: until its result was here, or its error.
        rows: how many it gave or touched; -1 when it is not known.
        error: what it ended in, None when it succeeded.
    """

    text: str
    seconds: float
    rows: int
    error: Exception | None


OnQuery = Callable[[Query], None]
"""Is called after each statement, in the thread or task that sent it; what it raises is raised."""


class Timed:
    """Times one statement and tells the hook.

    Args:
        on_query: the hook.
        statement: the SQL.
    """

    def __init__(self, on_query: OnQuery, statement: bytes) -> None:
        self._on_query = on_query
        self._statement = statement
        self._begun = time.perf_counter()

    def ended(self, rows: int, error: Exception | None = None) -> None:
        """Tell the hook that the result, or the error, is here."""
        seconds = time.perf_counter() - self._begun
        self._on_query(Query(self._statement.decode(), seconds, rows, error))
