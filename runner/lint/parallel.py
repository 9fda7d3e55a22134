"""Lints chains in several processes at once: the grammar and the rules take one processor each."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runner.lint.layouts import Pair
    from runner.lint.model import Finding

_ENOUGH = 200_000  # characters from which a second process is worth its start
_PARTS = 4  # a process; so that none waits long for the last one

# What a forked process finds in its memory: nothing has to be sent to it.
_work: tuple[Callable[[Sequence[Pair]], Iterable[Finding]], Sequence[Sequence[Pair]]]


def processes() -> int:
    """How many processes may run; one where a process cannot be forked safely."""
    if sys.platform != "linux":
        return 1
    return len(os.sched_getaffinity(0))


def size_of(pairs: Sequence[Pair]) -> int:
    """How many characters a chain has to look at."""
    return sum(len(pair.up.content) for pair in pairs)


def over_chains(
    look: Callable[[Sequence[Pair]], Iterable[Finding]],
    chains: Sequence[Sequence[Pair]],
    jobs: int,
) -> list[list[Finding]]:
    """Look at each chain.

    Args:
        look: gives the findings of a chain.
        chains: in any order.
        jobs: processes at most.

    Returns:
        The findings of each chain.
    """
    sizes = [size_of(pairs) for pairs in chains]
    jobs = min(jobs, sum(sizes) // _ENOUGH + 1)
    if jobs < 2:
        return [list(look(pairs)) for pairs in chains]
    import multiprocessing  # takes longer to import than one file to look at

    global _work
    _work = (look, chains)
    gc.freeze()  # what is there already is not walked through, and so not copied
    try:
        with multiprocessing.get_context("fork").Pool(jobs, _as_worker) as pool:
            found = pool.imap_unordered(_look_at, _divided(sizes, jobs * _PARTS))
            by_number = dict(item for part in found for item in part)
    finally:
        gc.unfreeze()
    return [by_number[number] for number in range(len(chains))]


def _as_worker() -> None:
    """End as the pool asks, without a word; ^C is for the first process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _look_at(numbers: list[int]) -> list[tuple[int, list[Finding]]]:
    look, chains = _work
    return [(number, list(look(chains[number]))) for number in numbers]


def _divided(sizes: Sequence[int], parts: int) -> list[list[int]]:
    """The numbers of the chains in parts of about the same size, the largest first."""
    found: list[list[int]] = [[] for _ in range(parts)]
    filled = [0] * parts
    for number in sorted(range(len(sizes)), key=lambda n: -sizes[n]):
        smallest = filled.index(min(filled))
        found[smallest].append(number)
        filled[smallest] += sizes[number]
    return [part for part in found if part]
