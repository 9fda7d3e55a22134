"""What a run tells its listener. The engine prints nothing; terminal, log and tests listen.

The engine speaks only while it holds no transaction, so a listener that blocks (a full pipe)
never keeps a lock from a client. Most events are named tuples: each run makes all these classes,
and a dataclass takes eight times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

RESTS = "clients are active, so it rests after each stretch (--pause 0s: never)"


@dataclass(frozen=True)
class Phase:
    """How far a phase is.

    Args:
        name: its name; empty for files that belong to none.
        files: how many it has.
        done: how many of them are applied.
    """

    name: str
    files: int
    done: int


class RunStarted(NamedTuple):
    """A run knows what it will do.

    Args:
        run: its id, also its application_name.
        operation: APPLY or ROLLBACK.
        database: name of the database.
        user: role in the database.
        migrations: ids, in the order of execution.
        phases: how far each phase is, with the files that this run does not touch.
    """

    run: str
    operation: str
    database: str
    user: str
    migrations: tuple[str, ...]
    phases: tuple[Phase, ...] = ()


class LockAwaited(NamedTuple):
    """Another run holds the migration lock.

    Args:
        holder: who it is.
    """

    holder: str


@dataclass(frozen=True)
class FileStarted:
    """A file is about to run.

    Args:
        migration: id.
        phase: its phase, or empty.
        title: what its header says it does, after `Undo: ` on the way back.
        index: its place in the run, from 1.
        total: how many files the run has.
        resumed: True when an earlier run began it and did not finish.
    """

    migration: str
    phase: str
    title: str
    index: int
    total: int
    resumed: bool


class AttemptFailed(NamedTuple):
    """A lock was not to be had; nothing of a transactional file stays, and it is tried again.

    Args:
        migration: id.
        attempt: which try it was, from 1.
        reason: PostgreSQL's words.
        blockers: the sessions that hold locks on the tables in question.
        pause: seconds until the next try.
        remaining: seconds until the run gives up.
    """

    migration: str
    attempt: int
    reason: str
    blockers: tuple[str, ...]
    pause: float
    remaining: float


class TableHeld(NamedTuple):
    """A long transaction holds a table; the run waits for it without queueing for a lock.

    Args:
        migration: id of the file that waits.
        holders: the sessions, oldest transaction first.
        remaining: seconds until the run gives up.
    """

    migration: str
    holders: tuple[str, ...]
    remaining: float


class BlockerCancelled(NamedTuple):
    """What a session ran was cancelled, because it held a table that a file needs.

    Args:
        migration: id of the file that waits.
        blocker: the session and its query.
    """

    migration: str
    blocker: str


class BackfillHeld(NamedTuple):
    """A backfill waits because the database is behind, or rests because clients are active.

    Args:
        migration: id of the file.
        reason: what it waits for, or why it rests.
    """

    migration: str
    reason: str


@dataclass(frozen=True)
class InvalidIndexDropped:
    """An index that an unfinished CREATE INDEX CONCURRENTLY left behind was dropped.

    Args:
        migration: id of the file that builds it again.
        index: schema-qualified name.
    """

    migration: str
    index: str


class Noticed(NamedTuple):
    """PostgreSQL sent a message.

    Args:
        migration: id of the file that ran.
        severity: NOTICE, WARNING, INFO, ...
        message: its text, with detail and hint when there are any.
    """

    migration: str
    severity: str
    message: str


class Progress(NamedTuple):
    """How far a long file is.

    Args:
        migration: id.
        table: what it works on.
        rows: rows converted so far.
        share: how much of the work is done, from 0 to 1.
        rows_per_second: rate since the file was begun by this run.
        seconds_left: estimate, None while it is unknown.
    """

    migration: str
    table: str
    rows: int
    share: float
    rows_per_second: float
    seconds_left: float | None


@dataclass(frozen=True)
class Vitals:
    """How the server bears a backfill, about once a second.

    Args:
        migration: id of its file.
        commit_median: seconds that half of the run's own small commits took no longer than, of
            those of the last 20 s; None while it times none, because no client is active.
        commit_p99: the same of 99 in 100.
        lag: seconds that the standby furthest behind is behind; None without a standby, or
            where the role may not see it.
        standby: its name.
    """

    migration: str
    commit_median: float | None
    commit_p99: float | None
    lag: float | None
    standby: str


class FileDone(NamedTuple):
    """A file and its record are committed.

    Args:
        migration: id.
        phase: its phase, or empty.
        seconds: from its start, waiting for locks included.
        attempts: tries it took.
    """

    migration: str
    phase: str
    seconds: float
    attempts: int


class RunDone(NamedTuple):
    """A run did all it set out to do.

    Args:
        run: its id.
        operation: APPLY or ROLLBACK.
        migrations: ids, in the order of execution.
        seconds: from start to end.
    """

    run: str
    operation: str
    migrations: tuple[str, ...]
    seconds: float


Event = (
    RunStarted
    | LockAwaited
    | FileStarted
    | AttemptFailed
    | TableHeld
    | BlockerCancelled
    | BackfillHeld
    | InvalidIndexDropped
    | Noticed
    | Progress
    | Vitals
    | FileDone
    | RunDone
)
Listener = Callable[[Event], None]


def percent(share: float) -> str:
    """A share in words; 100% only when nothing is left."""
    return "100%" if share >= 1 else f"{min(share, 0.99):.0%}"
