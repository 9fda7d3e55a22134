"""What clients were told of what they wrote, and what the database must hold because of it.

Each row carries the list of the writes that made it what it is: a write appends its token and what
it set. So a write that is lost, doubled, undone or out of order is seen by its name, not in a sum.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["done", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Write:
    """One write to one row.

    Args:
        kind: append, delete or count.
        row: names the row, the same under both contracts.
        token: names the write; empty for a delete and a count.
        seen: the row's list as the statement returned it, None where it returns none.
    """

    kind: Literal["append", "delete", "count"]
    row: str
    token: str = ""
    seen: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What the database holds at rest.

    Args:
        lists: of each row that has one: its name, its list and its converted value in uppercase.
        counts: of each counter.
    """

    lists: Iterable[tuple[str, str, str]]
    counts: Mapping[str, int]


def entry(token: str, value: str) -> str:
    """What a write appends."""
    return f"{token}={value.upper()};"


def tokens(text: str) -> list[str]:
    """The tokens of a list, in their order."""
    return [part.split("=")[0] for part in text.split(";") if part]


class Book:
    """The writes since the last time that all was compared.

    Args:
        counts: what the counters hold now.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._before = counts
        self._writes: list[tuple[Write, Outcome]] = []
        self._lock = threading.Lock()

    def add(self, writes: Iterable[Write], outcome: Outcome) -> None:
        """Write down how a transaction ended."""
        with self._lock:
            self._writes += [(write, outcome) for write in writes]

    def count(self) -> Counter[Outcome]:
        """How many writes ended how."""
        return Counter(outcome for _, outcome in self._writes)

    def compare(self, found: Found) -> list[str]:
        """What is wrong, a line for each; nobody may write meanwhile."""
        return [*self._compare_lists(found), *self._compare_counts(found)]

    def _compare_lists(self, found: Found) -> list[str]:
        wrong = []
        where: dict[str, list[str]] = {}
        for row, text, value in found.lists:
            for token in tokens(text):
                where.setdefault(token, []).append(text)
            if text and (last := text.rstrip(";").split("=")[-1]) != value:
                wrong.append(f"{row}: {value} where {last} was written last: {text}")
        deleted: dict[str, bool] = {}  # rows, and whether a delete of them is in doubt
        for write, outcome in self._writes:
            if write.kind == "delete" and outcome != "failed":
                deleted[write.row] = deleted.get(write.row, False) or outcome == "unknown"
            if write.kind == "delete" and outcome == "done":
                for token in tokens(write.seen or ""):
                    where.setdefault(token, []).append(write.seen or "")
        for write, outcome in self._writes:
            if write.kind != "append":
                continue
            lists = where.pop(write.token, [])
            said = f"{write.row}: {write.token}, which was {outcome}, is there"
            if len(lists) > 1 or (lists and outcome == "failed"):
                wrong.append(f"{said} {len(lists)} times: {lists}")
            elif not lists and outcome == "done" and not deleted.get(write.row):
                wrong.append(f"{said} 0 times; it was seen as {write.seen}")
            elif outcome == "done" and lists and not lists[0].startswith(write.seen or ""):
                wrong.append(f"{said} in {lists[0]}, and was seen in {write.seen}")
        wrong += [
            f"{token} is there, and nobody wrote it: {lists}" for token, lists in where.items()
        ]
        return wrong

    def _compare_counts(self, found: Found) -> list[str]:
        done = Counter(
            w.row for w, outcome in self._writes if (w.kind, outcome) == ("count", "done")
        )
        doubt = Counter(
            w.row for w, outcome in self._writes if (w.kind, outcome) == ("count", "unknown")
        )
        wrong = []
        for row, before in self._before.items():
            least = before + done[row]
            if not least <= found.counts[row] <= least + doubt[row]:
                wrong.append(
                    f"{row}: counts {found.counts[row]}, of {before} before, {done[row]} increments"
                    f" that were acknowledged, {doubt[row]} in doubt"
                )
        return wrong
