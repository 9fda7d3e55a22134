"""Lints chains in several processes at once: the grammar and the rules take one processor each."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple

from runner.lint.model import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runner.lint.layouts import Pair

_FEW = 10  # times a chain that is looked at before the processes part
_ENOUGH = 200_000  # characters from which a second process is worth its start


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
    prepare: Callable[[], object] = lambda: None,
) -> list[list[Finding]]:
    """Look at each chain.

    Args:
        look: gives the findings of a chain.
        chains: in any order.
        jobs: processes at most.
        prepare: what each process would have to do first; done once, before they part.

    Returns:
        The findings of each chain.
    """
    sizes = [size_of(pairs) for pairs in chains]
    jobs = min(jobs, sum(sizes) // _ENOUGH + 1)
    if jobs < 2:
        return [list(look(pairs)) for pairs in chains]
    found: dict[int, list[Finding]] = {}
    smallest = sizes.index(min(sizes))
    if sizes[smallest] * _FEW < sum(sizes):
        # What one chain asks for most others do: each process would import it again.
        found[smallest] = list(look(chains[smallest]))
        sizes[smallest] = 0
    else:
        prepare()
    first, *others = _divided(sizes, jobs)
    gc.freeze()  # what is there already is not walked through, and so not copied
    workers: list[_Worker] = []
    try:
        workers += [_start(look, chains, part) for part in others]
        found |= {n: list(look(chains[n])) for n in first if n not in found}
        for worker, part in zip(workers, others, strict=True):
            # What ended in the middle, by an error or from outside, is done here, where it shows.
            found |= _result(worker) or {number: list(look(chains[number])) for number in part}
    finally:
        gc.unfreeze()
        for worker in workers:
            _end(worker)
    return [found[number] for number in range(len(chains))]


class _Worker(NamedTuple):
    """A forked process, which found all it needs in its memory, and where its result comes from."""

    process: int
    result: int


def _start(
    look: Callable[[Sequence[Pair]], Iterable[Finding]],
    chains: Sequence[Sequence[Pair]],
    numbers: Sequence[int],
) -> _Worker:
    reading, writing = os.pipe()
    sys.stdout.flush()
    process = os.fork()
    if process:
        os.close(writing)
        return _Worker(process, reading)
    code = 1
    try:
        os.close(reading)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for the first process
        import pickle

        rows = {n: [tuple(vars(f).values()) for f in look(chains[n])] for n in numbers}
        with open(writing, "wb") as pipe:
            pickle.dump(rows, pipe, pickle.HIGHEST_PROTOCOL)
        code = 0
    finally:
        os._exit(code)


def _result(worker: _Worker) -> dict[int, list[Finding]] | None:
    import pickle

    try:
        with open(worker.result, "rb", closefd=False) as pipe:
            rows = pickle.load(pipe)
    except (EOFError, pickle.UnpicklingError):
        return None
    return {number: [Finding(*row) for row in of_chain] for number, of_chain in rows.items()}


def _end(worker: _Worker) -> None:
    """Leave no process behind: those that are done have ended, and nobody waits for others."""
    os.close(worker.result)
    os.kill(worker.process, signal.SIGTERM)
    os.waitpid(worker.process, 0)


def _divided(sizes: Sequence[int], parts: int) -> list[list[int]]:
    """The numbers of the chains in parts of about the same size, the largest first."""
    found: list[list[int]] = [[] for _ in range(parts)]
    filled = [0] * parts
    for number in sorted(range(len(sizes)), key=lambda n: -sizes[n]):
        smallest = filled.index(min(filled))
        found[smallest].append(number)
        filled[smallest] += sizes[number]
    return [part for part in found if part]
