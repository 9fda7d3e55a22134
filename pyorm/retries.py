"""When a transaction is run again, and how long it waits before."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Literal

import psycopg

from pyorm.errors import ContractChanged, InvalidValue

Isolation = Literal["read committed", "repeatable read", "serializable"]

LOST_RACES = ("40001", "40P01")
"""SQLSTATEs of transactions that lost to another one: serialization_failure, deadlock_detected."""

CONTRACT_TRIES = 4
"""How often a transaction is run again because the contract moved within it."""

LONGEST_WAIT = 1.0
"""Seconds."""


class Attempts:
    """Counts why a transaction was run again.

    Args:
        retry: how often, at most, after it lost to another one.
    """

    def __init__(self, retry: int) -> None:
        if type(retry) is not int or retry < 0:
            raise InvalidValue(f"retry is a number of times, not {retry!r}", value=retry)
        self._races = retry
        self._contract = CONTRACT_TRIES
        self._wait = 0.005

    def left_for(self, error: BaseException) -> bool:
        """Whether the transaction may be run again after an error."""
        if isinstance(error, ContractChanged):
            self._contract -= 1
            return self._contract >= 0
        if isinstance(error, psycopg.Error) and error.sqlstate in LOST_RACES:
            self._races -= 1
            return self._races >= 0
        return False

    def wait(self) -> float:
        """How many seconds to wait now: some more each time, and never the same as others do."""
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        return random.uniform(0, self._wait)


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


async def sleep_async(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)
