"""Clients that work all the while, each a thread, in one contract or the other."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import errors
from support.sides import NEW, OLD, Side

from chaos.book import Book, Outcome, Write
from chaos.statements import KEYS, OF_SPACE, Session, Statement, Target, WrongAnswerError

LEVELS = ("READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
UPSERTS = ("upsert", "insert_unless")
SPACES = ("model", "by_id", "by_name", "quota", "zz_alone")
LOST = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
)


class Gate:
    """Says which contracts may be used now."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: frozenset[str] = frozenset()
        self._inside: Counter[str] = Counter()

    def set(self, contracts: frozenset[str]) -> None:
        """Open it to these contracts, and wait until nobody works in another one."""
        with self._changed:
            self._open = contracts
            self._changed.notify_all()
            done = self._changed.wait_for(
                lambda: not any(n for c, n in self._inside.items() if c not in contracts), 120
            )
            assert done, "a client does not come to an end"

    @contextmanager
    def enter(self, wanted: Side, stop: threading.Event) -> Iterator[Side | None]:
        """Work in a contract that is open, the wanted one if it is; None if there is none."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or stop.is_set(), 1)
            side = None if not self._open else wanted
            if side is not None and wanted.name not in self._open:
                side = OLD if wanted is NEW else NEW
            if side is not None:
                self._inside[side.name] += 1
        try:
            yield side
        finally:
            if side is not None:
                with self._changed:
                    self._inside[side.name] -= 1
                    self._changed.notify_all()


class Told:
    """What clients met, all together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.book = Book({})
        self.statements: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.unexpected: list[str] = []

    def ran(self, statements: list[Statement]) -> None:
        """Count the statements of a transaction that was acknowledged."""
        with self._lock:
            self.statements.update(statement.__name__ for statement in statements)

    def met(self, error: str, unexpected: str | None) -> None:
        """Count an error, and keep one that no client would have met without us."""
        with self._lock:
            self.errors[error] += 1
            if unexpected:
                self.unexpected.append(unexpected)


class Client(threading.Thread):
    """One client.

    Args:
        number: tells it from the others.
        seed: of its choices.
        dsn: gives the database, wherever it is now.
        gate: says which contract it may use.
        told: takes what it met.
        disturbed: whether sessions are ended and servers crash.
        disk_is_full: whether it is, or was a moment ago.
    """

    def __init__(
        self,
        number: int,
        seed: int,
        dsn: Callable[[], str],
        gate: Gate,
        told: Told,
        *,
        disturbed: bool,
        disk_is_full: Callable[[], bool],
    ) -> None:
        super().__init__(name=f"client {number}", daemon=True)
        self.failure: BaseException | None = None
        self._number, self._dsn, self._gate, self._told = number, dsn, gate, told
        self._disturbed, self._disk_is_full = disturbed, disk_is_full
        self._chance = random.Random(f"{seed} {number}")
        self._stop_asked = threading.Event()
        self._connections: dict[str, psycopg.Connection[Any]] = {}
        self._count = 0

    def stop(self) -> None:
        """Ask it to end after its transaction."""
        self._stop_asked.set()

    def run(self) -> None:
        """Work until it is asked to stop."""
        try:
            while not self._stop_asked.is_set():
                wanted = OLD if self._chance.random() < 0.5 else NEW
                with self._gate.enter(wanted, self._stop_asked) as side:
                    if side is not None:
                        self._work(side)
                time.sleep(self._chance.expovariate(60))
        except BaseException as error:
            self.failure = error
        finally:
            for connection in self._connections.values():
                connection.close()

    def _work(self, side: Side) -> None:
        session = self._session(side)
        if session is None:
            return
        single = self._chance.random() < 0.4
        chosen = [self._choose() for _ in range(1 if single else self._chance.randint(2, 6))]
        # In one order for all, so that no deadlock is of their own making.
        chosen.sort(key=lambda c: (SPACES.index(c[1].space), c[1].number))
        level = self._chance.choice(LEVELS)
        if single:
            self._run(session, chosen, "READ COMMITTED", block=False)
        else:
            self._run(session, chosen, level, block=True)

    def _choose(self) -> tuple[Statement, Target]:
        space = self._chance.choices(SPACES, (2, 8, 6, 3, 1))[0]
        statements, weights = zip(*OF_SPACE[space], strict=True)
        target = Target(space, self._chance.randrange(KEYS))
        return self._chance.choices(statements, weights)[0], target

    def _run(
        self,
        session: Session,
        chosen: list[tuple[Statement, Target]],
        level: str,
        *,
        block: bool,
    ) -> None:
        connection, writes = session.connection, list[Write]()
        running, committing = "BEGIN", not block
        outcome: Outcome = "failed"
        planned = self._count
        try:
            if block:
                connection.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
            for statement, target in chosen:
                running = statement.__name__
                writes += statement(session, target)
            if block and self._chance.random() < 0.1:
                running = "ROLLBACK"
                connection.execute("ROLLBACK")
            else:
                running, committing = "COMMIT", True
                if block:
                    connection.execute("COMMIT")
                outcome = "done"
                self._told.ran([statement for statement, _ in chosen])
        except (psycopg.Error, WrongAnswerError) as error:
            lost = connection.closed or isinstance(error, LOST)
            if lost and committing:
                outcome = "unknown"
                if not block:
                    writes = self._in_doubt(chosen[0], planned)
            self._tell(session.side, error, running, level, lost=lost)
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            if lost:
                connection.close()
        self._told.book.add(writes, outcome)

    def _in_doubt(self, chosen: tuple[Statement, Target], planned: int) -> list[Write]:
        """The writes of a single statement whose answer never came."""
        statement, target = chosen
        if statement.__name__ in ("delete", "count"):
            kind = "delete" if statement.__name__ == "delete" else "count"
            return [Write(kind, target.row)]  # type: ignore[arg-type]
        named = range(planned + 1, self._count + 1)
        return [Write("append", target.row, f"{self._number}.{n}") for n in named]

    def _tell(
        self,
        side: Side,
        error: Exception,
        running: str,
        level: str,
        *,
        lost: bool,
    ) -> None:
        state = getattr(error, "sqlstate", None) or ("lost" if lost else type(error).__name__)
        allowed = (
            (lost and self._disturbed)
            or (state == "40001" and level != "READ COMMITTED")
            or (state == "23505" and running == "insert")
            # docs/reliability.md tells of it; the story counts them, for they must stay rare.
            or (state in ("23505", "40P01") and running.startswith(UPSERTS))
            or (state == "53100" and self._disk_is_full())
            # What a client may not send to a view; docs/operating.md lists it.
            or (state == "42809" and running == "copy")
        )
        said = f"{state} {running} {side} {level}: {str(error).strip()}"
        self._told.met(f"{'lost' if lost else state} {running}", None if allowed else said)

    def _session(self, side: Side) -> Session | None:
        connection = self._connections.get(side.name)
        if connection is None or connection.closed:
            try:
                connection = psycopg.connect(
                    self._dsn(), autocommit=True, application_name=f"chaos {side} {self._number}"
                )
            except psycopg.OperationalError:
                self._told.met("no connection", None if self._disturbed else "no connection")
                time.sleep(0.1)
                return None
            self._connections[side.name] = connection
        return Session(connection, side, self._chance, self._next_token)

    def _next_token(self) -> str:
        self._count += 1
        return f"{self._number}.{self._count}"
