# Made from transaction_async.py by `make sync`: change that, not this.
"""Several calls in one transaction, run again as a whole when the contract moved within it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import Connection

from pyorm.errors import ContractChanged
from pyorm.joined import joined, joining
from pyorm.operation import ATTEMPTS

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

T = TypeVar("T")


def in_transaction(pool: ConnectionPool[Any], work: Callable[[Connection[Any]], T]) -> T:
    """Do some work in one transaction, which repositories on the pool join while it is open.

    Within another one on the same pool it is a part of that, which is undone alone.

    Args:
        pool: gives the connection.
        work: takes the connection; it may be called again, after a rollback.

    Returns:
        What work returned, once it is committed.
    """
    outer: Connection[Any] | None = joined(pool)
    if outer is not None:
        with outer.transaction():
            return work(outer)
    for attempts_left in reversed(range(ATTEMPTS)):
        try:
            with pool.connection() as connection, connection.transaction():
                return _joined(pool, connection, work)
        except ContractChanged:
            if not attempts_left:
                raise
    raise AssertionError


def _joined(
    pool: ConnectionPool[Any],
    connection: Connection[Any],
    work: Callable[[Connection[Any]], T],
) -> T:
    with joining(pool, connection):
        return work(connection)
