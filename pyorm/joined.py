"""The transaction that is open on a pool, so that what is made on the pool joins it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class OpenTransaction:
    """A transaction on one of a pool's connections.

    Args:
        pool: the pool.
        connection: the connection.
        outer: the one of another pool that it was begun in, None when there is none.
        is_open: whether it has not ended yet; a task that outlives it has connections of its own.
    """

    pool: Any
    connection: Any
    outer: OpenTransaction | None
    is_open: bool = True


_innermost: ContextVar[OpenTransaction | None] = ContextVar("pyorm_transaction", default=None)


@contextmanager
def joining(pool: Any, connection: Any) -> Iterator[None]:
    """Let what is made on a pool use one connection, in this thread or task and those it starts.

    Args:
        pool: the pool.
        connection: in a transaction until the block ends.
    """
    opened = OpenTransaction(pool, connection, _innermost.get())
    token = _innermost.set(opened)
    try:
        yield
    finally:
        opened.is_open = False
        _innermost.reset(token)


def joined(pool: Any) -> Any:
    """The connection of the transaction that is open on a pool, None when none is."""
    opened = _innermost.get()
    while opened is not None:
        if opened.pool is pool and opened.is_open:
            return opened.connection
        opened = opened.outer
    return None
