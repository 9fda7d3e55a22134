"""What a rehearsal measures: of statements, files, locks, clients and tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.postgres.locks import LockMode
from runner.postgres.trace import Touch


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure at the live size, and the range that the measurements leave open."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True, slots=True)
class LockCost:
    """A lock that a statement took first, until its transaction ended.

    Args:
        relation: schema-qualified name, as it was when the file began.
        table: its name before the first file ran, empty when the files made it beside what was
            there.
        mode: the strongest.
        held: seconds, measured at the largest sample.
        at_live: seconds at the live size, None when that is not known.
    """

    relation: str
    table: str
    mode: LockMode
    held: float
    at_live: Estimate | None = None


@dataclass(frozen=True, slots=True)
class StatementCost:
    """What one statement costs, measured without clients at the largest sample.

    Args:
        line: its first line in the file.
        sql: its text, cut.
        seconds: how long it ran.
        at_live: seconds at the live size, None when that is not known.
        per_million: seconds for each million rows more, None when it does not grow.
        locks: locks that it took first.
        touches: tables whose rows it read one after the other, wrote, or rewrote.
        wal_bytes: WAL written.
        wal_at_live: the same at the live size.
        temp_bytes: temporary files, None when the server does not tell.
        dead_tuples: old versions of rows that it left.
        sampled: it ran outside a transaction and was watched from another session.
    """

    line: int
    sql: str
    seconds: float
    at_live: Estimate | None
    per_million: float | None
    locks: tuple[LockCost, ...]
    touches: tuple[Touch, ...]
    wal_bytes: int
    wal_at_live: Estimate | None
    temp_bytes: int | None
    dead_tuples: int
    sampled: bool


@dataclass(frozen=True, slots=True)
class FileCost:
    """What one direction of a migration costs.

    Args:
        migration: id.
        phase: its phase, or empty.
        direction: "up" or "down".
        seconds: without clients, at the largest sample.
        at_live: at the live size, None when that is not known.
        attempts: tries it took while the clients ran.
        failed: client queries that failed while it ran.
        slowest: seconds of the slowest client query that ended while it ran.
        statements: in their order.
    """

    migration: str
    phase: str
    direction: str
    seconds: float
    at_live: Estimate | None
    attempts: int
    failed: int
    slowest: float
    statements: tuple[StatementCost, ...]

    @property
    def locks(self) -> tuple[LockCost, ...]:
        """The strongest lock on each relation, the longest first."""
        best: dict[str, LockCost] = {}
        for lock in (lock for statement in self.statements for lock in statement.locks):
            known = best.get(lock.relation)
            if known is None or lock.mode.number > known.mode.number:
                best[lock.relation] = lock
        return tuple(sorted(best.values(), key=lambda k: (-k.mode.number, k.relation)))


@dataclass(frozen=True, slots=True)
class FileSpan:
    """When a file ran, in seconds since the clients began."""

    migration: str
    phase: str
    direction: str
    begun: float
    ended: float


@dataclass(frozen=True, slots=True)
class LockSpan:
    """When a lock was held, in seconds since the clients began."""

    migration: str
    direction: str
    line: int
    relation: str
    mode: LockMode
    begun: float
    ended: float


@dataclass(frozen=True, slots=True)
class Bucket:
    """The client queries that ended in one stretch of time; latencies in seconds."""

    at: float
    queries: int
    failed: int
    median: float
    p95: float
    slowest: float


@dataclass(frozen=True, slots=True)
class ClientError:
    """Client queries that failed alike: the message, how often, and while which file ran first."""

    message: str
    count: int
    migration: str
    direction: str


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients saw while the files ran up and down.

    Args:
        clients: connections.
        rate: queries a second that they try for.
        queries: that were run.
        errors: those that failed.
        width: seconds of one bucket.
        calm: the queries before the first file ran.
        buckets: all of them, over time.
        files: when each file ran.
        locks: when each lock was held.
    """

    clients: int
    rate: float
    queries: int
    errors: tuple[ClientError, ...]
    width: float
    calm: Bucket
    buckets: tuple[Bucket, ...]
    files: tuple[FileSpan, ...]
    locks: tuple[LockSpan, ...]

    @property
    def failed(self) -> int:
        """How many queries failed."""
        return sum(error.count for error in self.errors)


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table's rows in the live database, and in each sample from the smallest."""

    relation: str
    live_rows: int | None
    live_bytes: int | None
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ContractColumn:
    """A column as a client sees it.

    Args:
        name: its name.
        type: its type, as PostgreSQL spells it.
        not_null: it takes no NULL.
        key: it is part of the primary key.
        guard: what limits its values.
        references: oid of the table that a foreign key points to, else 0.
        number: attnum, which stays the same under another name.
    """

    name: str
    type: str
    not_null: bool
    key: bool
    guard: str
    references: int = 0
    number: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ContractTable:
    """A table as a client sees it; `oid` tells which table of the other contract it was."""

    oid: int
    name: str
    columns: tuple[ContractColumn, ...]
