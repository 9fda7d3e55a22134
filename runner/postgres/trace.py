"""What one statement does to the others: its locks, rewrites, scans, rows, WAL and time.

A statement in a transaction is measured from inside it: `pg_locks`, `pg_class.relfilenode` and
`pg_stat_xact_user_tables` see through DO blocks and EXECUTE. What runs outside a transaction
commits and lets go by itself, so it is watched from a second connection: sampled.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from psycopg import Connection, Error

from runner.errors import TrueupError
from runner.postgres.connect import connect
from runner.postgres.locks import LockMode
from runner.postgres.plain import Allowance, run_plain
from runner.quoting import told_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from psycopg.errors import Diagnostic

SAMPLING_SECONDS = 0.005
_CLOSE_SECONDS = 0.1  # at first it looks without a pause: a short statement is gone in no time
_TEMPORARY_FILE = re.compile(r"^\D+pgsql_tmp\S*\D+(\d+)$")

# Of a session whose statements are traced: with log_temp_files = 0, which a superuser sets, the
# server tells of each temporary file.
SETTINGS = {"client_min_messages": "log"}


@dataclass(frozen=True)
class Lock:
    """A relation that a statement locked.

    Args:
        relation: schema-qualified name, as it was when the file began.
        mode: the strongest.
        new: the relation was made by the same file, so nobody else can wait for it.
        held: seconds it was seen held, for a sampled statement; else 0, as it lasts to COMMIT.
    """

    relation: str
    mode: LockMode
    new: bool
    held: float = 0.0


@dataclass(frozen=True)
class Touch:
    """What a statement did to the rows of one table.

    Args:
        relation: schema-qualified name, as it was when the file began.
        scans: sequential scans begun.
        read: rows that these scans read.
        inserted: rows inserted.
        updated: rows updated.
        deleted: rows deleted.
        rewritten: the table has a new file.
    """

    relation: str
    scans: int = 0
    read: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    rewritten: bool = False

    @property
    def dead(self) -> int:
        """Dead tuples that it leaves."""
        return self.updated + self.deleted

    @property
    def work(self) -> int:
        """Rows read or written, to find out which table a statement's time depends on."""
        return self.read + self.inserted + self.updated + self.deleted


@dataclass(frozen=True)
class Trace:
    """What one statement did.

    Args:
        seconds: how long it ran, the tracing left out.
        locks: those it took that its transaction did not hold before, the strongest a relation.
        touches: the tables whose rows it read one after the other, wrote, or rewrote.
        wal_bytes: WAL written in that time, by other sessions too.
        temp_bytes: temporary files, None when the role may not ask for them.
        sampled: watched from outside; short locks may be missing, and other sessions' rows count.
        skipped: why it was left out, as it needs more rights than a scratch server gives.
    """

    seconds: float
    locks: tuple[Lock, ...] = ()
    touches: tuple[Touch, ...] = ()
    wal_bytes: int = 0
    temp_bytes: int | None = None
    sampled: bool = False
    skipped: str = ""


@dataclass(frozen=True)
class _State:
    wal: int
    locks: frozenset[tuple[int, LockMode]]
    relations: Mapping[int, tuple[str, str, int | None]]
    counters: Mapping[int, tuple[int, ...]]


_STATE = """
SELECT
    (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint,
    (
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(l.relation::bigint, l.mode))
        FROM pg_catalog.pg_locks AS l
        JOIN pg_catalog.pg_database AS d ON d.oid = l.database
        WHERE l.pid = %(pid)s AND l.locktype = 'relation' AND l.granted
            AND d.datname = current_database()
    ),
    (
        SELECT pg_catalog.jsonb_object_agg(
            c.oid,
            pg_catalog.jsonb_build_array(
                n.nspname, c.relname, c.relkind, CASE WHEN c.relispopulated THEN c.relfilenode END
            )
        )
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ),
    (
        SELECT pg_catalog.jsonb_object_agg(
            s.relid,
            pg_catalog.jsonb_build_array(
                s.seq_scan, s.seq_tup_read, s.n_tup_ins, s.n_tup_upd, s.n_tup_del
            )
        )
        FROM pg_catalog.{view} AS s
        WHERE s.seq_scan + s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0
    )
"""
_INSIDE = _STATE.replace("{view}", "pg_stat_xact_user_tables")
_OUTSIDE = _STATE.replace("{view}", "pg_stat_user_tables")


def _read_state(connection: Connection[Any], pid: int, *, inside: bool) -> _State:
    row = connection.execute((_INSIDE if inside else _OUTSIDE).encode(), {"pid": pid}).fetchone()
    assert row is not None
    wal, locks, relations, counters = row
    return _State(
        wal,
        frozenset((oid, LockMode.of_catalog(mode)) for oid, mode in locks or ()),
        {
            int(oid): (told_name(schema, name), kind, node)
            for oid, (schema, name, kind, node) in (relations or {}).items()
        },
        {int(oid): tuple(values) for oid, values in (counters or {}).items()},
    )


def _touches(names: Mapping[int, str], before: _State, after: _State) -> tuple[Touch, ...]:
    found = []
    for oid, (name, kind, node) in after.relations.items():
        old = before.relations.get(oid)
        # What had no data yet is filled, not rewritten.
        filled = old[2] if old is not None else None
        rewritten = filled is not None and kind in "rm" and node != filled
        zero = (0,) * 5
        # A statement that empties a table's counters (TRUNCATE) gives no negative rows.
        then, now = before.counters.get(oid, zero), after.counters.get(oid, zero)
        scans, read, inserted, updated, deleted = (
            max(0, b - a) for a, b in zip(then, now, strict=True)
        )
        if rewritten or scans or inserted or updated or deleted:
            found.append(
                Touch(names.get(oid, name), scans, read, inserted, updated, deleted, rewritten)
            )
    return tuple(sorted(found, key=lambda touch: -touch.work))


def _strongest(
    taken: Mapping[tuple[int, LockMode], float],
    held: frozenset[tuple[int, LockMode]],
    first: _State,
    after: _State,
) -> tuple[Lock, ...]:
    """The strongest mode on each relation of a client's, when it is stronger than before."""
    strongest: dict[int, LockMode] = {}
    for oid, mode in taken:
        if oid not in strongest or mode.number > strongest[oid].number:
            strongest[oid] = mode
    locks = []
    for oid, mode in strongest.items():
        known = first.relations.get(oid) or after.relations.get(oid)
        before = [m.number for o, m in held if o == oid]
        if known and mode.number > max(before, default=0):
            locks.append(Lock(known[0], mode, oid not in first.relations, taken[oid, mode]))
    return tuple(sorted(locks, key=lambda lock: (-lock.mode.number, lock.relation)))


@dataclass
class Tracer:
    """Runs statements one after the other on a session and tells what each did.

    Args:
        connection: in autocommit mode, better with SETTINGS; the caller begins and ends
            transactions.
        allowance: what files are let off.
    """

    connection: Connection[Any]
    allowance: Allowance = field(default_factory=Allowance)
    _first: _State | None = field(default=None, init=False)
    _last: _State | None = field(default=None, init=False)
    _temp: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Listen to the server's messages about temporary files."""
        self.connection.add_notice_handler(self._notice)
        row = self.connection.execute(
            "SELECT pg_catalog.current_setting('log_temp_files') = '0'"
            " AND pg_catalog.current_setting('client_min_messages') = 'log'"
        ).fetchone()
        self._hears = bool(row and row[0])

    def begin(self) -> None:
        """Look at the state in a transaction that has just begun."""
        self._first = self._last = _read_state(
            self.connection, self.connection.info.backend_pid, inside=True
        )

    def run(self, statement: str) -> Trace:
        """Run a statement in the transaction that `begin` was called in.

        Args:
            statement: SQL text without parameters.

        Returns:
            What it did.
        """
        first, before = self._first, self._last
        assert first is not None
        assert before is not None
        self._temp = 0
        begun = time.perf_counter()
        skipped = self.execute(statement)
        seconds = time.perf_counter() - begun
        after = _read_state(self.connection, self.connection.info.backend_pid, inside=True)
        self._last = after
        names = {oid: name for oid, (name, _, _) in first.relations.items()}
        taken = dict.fromkeys(after.locks - before.locks, 0.0)
        return Trace(
            seconds,
            _strongest(taken, before.locks, first, after),
            _touches(names, before, after),
            after.wal - before.wal,
            self._temp if self._hears else None,
            skipped=skipped,
        )

    def run_alone(self, statement: str) -> Trace:
        """Run a statement outside a transaction, unwatched: its locks and counters are not known.

        Args:
            statement: SQL text without parameters.

        Returns:
            How long it took, and what it rewrote.
        """
        pid = self.connection.info.backend_pid
        before = _read_state(self.connection, pid, inside=True)
        begun = time.perf_counter()
        skipped = self.execute(statement)
        seconds = time.perf_counter() - begun
        after = _read_state(self.connection, pid, inside=True)
        names = {oid: name for oid, (name, _, _) in before.relations.items()}
        rewrites = tuple(t for t in _touches(names, before, after) if t.rewritten)
        return Trace(seconds, touches=rewrites, skipped=skipped)

    def execute(self, statement: str) -> str:
        """Run a statement untraced; returns why it was left out, or nothing."""
        return run_plain(self.connection, statement, self.allowance)

    def run_outside(self, statement: str, dsn: str) -> Trace:
        """Run a statement outside a transaction, watched from a second connection.

        Args:
            statement: SQL text without parameters.
            dsn: the database, for the second connection.

        Returns:
            What it did, sampled.
        """
        pid = self.connection.info.backend_pid
        with connect(dsn, application_name="trueup trace") as other:
            self._flush()
            before = _read_state(other, pid, inside=False)
            self._temp = 0
            with _Sampler(dsn, pid) as sampler:
                begun = time.perf_counter()
                skipped = self.execute(statement)
                seconds = time.perf_counter() - begun
            self._flush()
            after = _read_state(other, pid, inside=False)
        names = {oid: name for oid, (name, _, _) in before.relations.items()}
        return Trace(
            seconds,
            _strongest(sampler.longest, frozenset(), before, after),
            _touches(names, before, after),
            after.wal - before.wal,
            self._temp if self._hears else None,
            sampled=True,
            skipped=skipped,
        )

    def _flush(self) -> None:
        """Let the session's counters reach the other connection."""
        if self.connection.info.server_version >= 150000:
            self.connection.execute("SELECT pg_catalog.pg_stat_force_next_flush()")
        else:
            time.sleep(0.6)  # PostgreSQL 14 sends them every half second
            self.connection.execute("SELECT 1")
            time.sleep(0.1)

    def _notice(self, diagnostic: Diagnostic) -> None:
        if found := _TEMPORARY_FILE.match(diagnostic.message_primary or ""):
            self._temp += int(found[1])


class _Sampler:
    """Watches the locks of a session; `longest` tells how long each was seen without a break."""

    def __init__(self, dsn: str, pid: int) -> None:
        self._dsn, self._pid = dsn, pid
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sampler", daemon=True)
        self.longest: dict[tuple[int, LockMode], float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(timeout=10)
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _watch(self) -> None:
        since: dict[tuple[int, LockMode], float] = {}
        begun = time.perf_counter()
        try:
            with connect(self._dsn, application_name="trueup trace") as connection:
                while not self._stop.is_set():
                    seen = self._look(connection)
                    now = time.perf_counter()
                    self._ready.set()
                    since = {key: since.get(key, now) for key in seen}
                    pause = SAMPLING_SECONDS if now - begun > _CLOSE_SECONDS else 0.0
                    for key, first in since.items():
                        # A lock that was seen once lasted about one pause.
                        held = now - first + pause
                        self.longest[key] = max(self.longest.get(key, 0.0), held)
                    self._stop.wait(pause)
        except (Error, TrueupError):
            return  # the statement itself meets the same trouble and says so
        finally:
            self._ready.set()

    def _look(self, connection: Connection[Any]) -> set[tuple[int, LockMode]]:
        rows = connection.execute(
            "SELECT relation::bigint, mode FROM pg_catalog.pg_locks"
            " WHERE pid = %s AND locktype = 'relation' AND granted",
            [self._pid],
        ).fetchall()
        return {(oid, LockMode.of_catalog(mode)) for oid, mode in rows}
