"""Several calls in one transaction, run again as a whole when the contract moved within it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import AsyncConnection

from pyorm.errors import ContractChanged
from pyorm.joined import joined, joining
from pyorm.operation import ATTEMPTS

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

T = TypeVar("T")


async def in_transaction_async(
    pool: AsyncConnectionPool[Any], work: Callable[[AsyncConnection[Any]], Awaitable[T]]
) -> T:
    """Do some work in one transaction, which repositories on the pool join while it is open.

    Within another one on the same pool it is a part of that, which is undone alone.

    Args:
        pool: gives the connection.
        work: takes the connection; it may be called again, after a rollback.

    Returns:
        What work returned, once it is committed.
    """
    outer: AsyncConnection[Any] | None = joined(pool)
    if outer is not None:
        async with outer.transaction():
            return await work(outer)
    for attempts_left in reversed(range(ATTEMPTS)):
        try:
            async with pool.connection() as connection, connection.transaction():
                return await _joined(pool, connection, work)
        except ContractChanged:
            if not attempts_left:
                raise
    raise AssertionError


async def _joined(
    pool: AsyncConnectionPool[Any],
    connection: AsyncConnection[Any],
    work: Callable[[AsyncConnection[Any]], Awaitable[T]],
) -> T:
    with joining(pool, connection):
        return await work(connection)
