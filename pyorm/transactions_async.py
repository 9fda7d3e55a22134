"""Several calls in one transaction, run again as a whole when the contract moved within it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import AsyncConnection

from pyorm.errors import ContractChanged
from pyorm.operation import ATTEMPTS

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

T = TypeVar("T")


async def in_transaction_async(
    pool: AsyncConnectionPool[Any], work: Callable[[AsyncConnection[Any]], Awaitable[T]]
) -> T:
    """Do some work in a transaction of its own.

    Args:
        pool: gives the connection.
        work: makes its repositories on the connection; it may be called again, after a rollback.

    Returns:
        What work returned, once it is committed.
    """
    for attempts_left in reversed(range(ATTEMPTS)):
        try:
            async with pool.connection() as connection, connection.transaction():
                return await work(connection)
        except ContractChanged:
            if not attempts_left:
                raise
    raise AssertionError
