"""PostgreSQL's lock modes of tables: which exclude each other, and what each stops."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Self


class LockMode(StrEnum):
    """A lock mode of a table, from the weakest to the strongest; the value is how SQL spells it."""

    ACCESS_SHARE = "ACCESS SHARE"
    ROW_SHARE = "ROW SHARE"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    EXCLUSIVE = "EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"

    @classmethod
    def of_catalog(cls, name: str) -> Self:
        """The mode that pg_locks calls `AccessExclusiveLock`.

        Raises:
            ValueError: it is no mode of a table.
        """
        return cls(re.sub(r"(?<!^)(?=[A-Z])", " ", name.removesuffix("Lock")).upper())

    @classmethod
    def of_number(cls, number: int) -> Self:
        """The mode by the server's own number, 1 to 8, as a parse tree has it."""
        return list(cls)[number - 1]

    @property
    def number(self) -> int:
        """The server's own number, from 1, the weakest, to 8."""
        return _NUMBERS[self]

    @property
    def strong(self) -> bool:
        """Whether clients who write wait for it."""
        return self.conflicts_with(LockMode.ROW_EXCLUSIVE)

    @property
    def stops(self) -> str:
        """What clients cannot do under it: "reads and writes", "writes", or nothing."""
        if self.conflicts_with(LockMode.ACCESS_SHARE):
            return "reads and writes"
        return "writes" if self.strong else ""

    def conflicts_with(self, other: LockMode) -> bool:
        """Whether two sessions cannot hold both on one table."""
        return other in _CONFLICTS[self]


_NUMBERS = {mode: number for number, mode in enumerate(LockMode, 1)}


def _modes(numbers: str) -> frozenset[LockMode]:
    return frozenset(LockMode.of_number(int(n)) for n in numbers)


# PostgreSQL's manual, "Conflicting Lock Modes", by number.
_CONFLICTS = {
    LockMode.ACCESS_SHARE: _modes("8"),
    LockMode.ROW_SHARE: _modes("78"),
    LockMode.ROW_EXCLUSIVE: _modes("5678"),
    LockMode.SHARE_UPDATE_EXCLUSIVE: _modes("45678"),
    LockMode.SHARE: _modes("34678"),
    LockMode.SHARE_ROW_EXCLUSIVE: _modes("345678"),
    LockMode.EXCLUSIVE: _modes("2345678"),
    LockMode.ACCESS_EXCLUSIVE: _modes("12345678"),
}
