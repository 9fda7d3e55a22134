"""Walks a backfill file's page ranges at a pace that the database can bear.

The file's own statement does the work: by the setting trueup.walk it is asked for some of the pages
in smaller batches, so the same rows are converted by the same expressions as under plain yoyo. A
file that does not call trueup.fill_rows is not walked, and runs as it stands.
"""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psycopg import Connection, Error

from runner.execute.events import RESTS, BackfillHeld, Vitals
from runner.execute.health import Watch, clients_active, spare_clients
from runner.execute.pulse import Pulse
from runner.execute.session import names_of_files
from runner.execute.vitals import send

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.execute.session import Settings
    from runner.ledger.scanner import Statement

BATCH_SECONDS = 0.1  # target for one batch: how long a client may wait for one of its rows
CHUNK_SECONDS = 0.5  # target for the batches between two looks at the database's health
LOOK_SECONDS = 0.05  # from one look at what clients wait for to the next
SMALLEST_BATCH = 5  # pages whose rows are one
VITALS_SECONDS = 1.0  # from one telling of how the server bears it to the next
STRETCH = 16  # batches that trueup.fill_rows makes of one: then most updates are HOT

BATCH_PAGES = 80  # the most: what trueup.fill_rows does by itself

_CALL = re.compile(r"CALL trueup\.fill_rows\(\s*'(?:[^']|'')+',\s*'((?:[^']|'')+)',")


@dataclass(frozen=True)
class Walk:
    """A backfill file whose pages can be walked range by range.

    Args:
        text: the file's statement.
        table: the table, as SQL names it.
    """

    text: str
    table: str

    def over(self, session: Connection, first: int, end: int, batch_pages: int) -> None:
        """Convert the pages from first up to end, without coming back to any row."""
        self._run(session, f" {first} {end} {batch_pages}")

    def finish(self, session: Connection) -> None:
        """Come back to the rows that are left, and do what the file does at its end."""
        self._run(session, "")

    def _run(self, session: Connection, asked: str) -> None:
        # With the process: a role's or a database's setting of this name asks for nothing.
        session.execute("SELECT set_config('trueup.walk', pg_backend_pid() || %s, false)", [asked])
        try:
            session.execute(self.text.encode())
        finally:
            with suppress(Error):
                session.execute("RESET trueup.walk")


def read_walk(statement: Statement) -> Walk | None:
    """Recognise the statement of a generated backfill file.

    Args:
        statement: the file's one statement.

    Returns:
        The walk, None for a file of another shape.
    """
    found = _CALL.match(statement.text)
    return Walk(statement.text, found[1].replace("''", "'")) if found else None


@dataclass
class _Chunk:
    """Pages that a job works on, and how.

    Args:
        first, end: the pages.
        batch_pages: how many it converts at a time.
        hand: the job's session.
        in_the_way: whether a client was seen to wait for one of its rows.
    """

    first: int
    end: int
    batch_pages: int
    hand: Connection
    in_the_way: bool = False


@dataclass
class Backfill:
    """One walk of one file.

    Args:
        migration: its id, the key of its row in trueup.progress.
        walk: the file.
        connection: the run's session, which looks on while the jobs work.
        settings: jobs, max_lag and pause.
        search_path: by which the file finds names.
        connect: opens a session for each job.
        emit: called with BackfillHeld and Vitals.
    """

    migration: str
    walk: Walk
    connection: Connection
    settings: Settings
    search_path: str
    connect: Callable[[int], Connection]
    emit: Callable[[BackfillHeld | Vitals], None]
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)
    _batch_pages: int = field(default=0, init=False)
    _chunk_pages: int = field(default=0, init=False)
    _rested: bool = field(default=False, init=False)
    _told: float = field(default=0.0, init=False)

    def run(self) -> None:
        """Convert all pages that are not done yet, then come back to rows that are left."""
        # Nobody waits for a batch when nobody is there; else it begins with small ones.
        self._batch_pages = SMALLEST_BATCH if clients_active(self.connection) else BATCH_PAGES
        self._chunk_pages = STRETCH * self._batch_pages
        first, pages = self._begin()
        self._walk(first, pages)
        with names_of_files(self.connection, self.search_path):
            self.walk.finish(self.connection)

    def _begin(self) -> tuple[int, int]:
        """The first page that is not done, and how many there are."""
        row = self.connection.execute(
            """
            INSERT INTO trueup.progress AS p (file, table_name, rows_done, page, pages)
            SELECT %s, %s, 0, 0,
                pg_catalog.pg_relation_size(%s::regclass)
                    / current_setting('block_size')::bigint
            ON CONFLICT (file) DO UPDATE
            SET pages = excluded.pages
            RETURNING page, pages
            """,
            [self.migration, self.walk.table, self.walk.table],
        ).fetchone()
        assert row is not None
        return row[0], row[1]

    def _walk(self, first: int, pages: int) -> None:
        """Convert the pages from first on, in as many sessions as there are jobs.

        The run's own session only looks on: so it can be interrupted, and sees who waits.
        """
        if first >= pages:
            return
        with ExitStack() as stack:
            numbers = range(1, self.settings.jobs + 1)
            hands = [stack.enter_context(self.connect(number)) for number in numbers]
            for hand in hands:
                spare_clients(hand, self.settings.jobs)
            pool = ThreadPoolExecutor(len(hands), thread_name_prefix="backfill")
            try:
                self._hand_out(first, pages, hands, pool)
            except BaseException:
                self._stopped.set()
                for hand in hands:
                    with suppress(Error):
                        hand.cancel_safe(timeout=5)
                raise
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _hand_out(
        self, first: int, pages: int, hands: list[Connection], pool: ThreadPoolExecutor
    ) -> None:
        """Give the pages in order to whoever is free; before a rest all end their stretch."""
        watch = Watch(self.connection, self.settings.max_lag)
        pulse = Pulse(self.connection, self.migration)
        pids = [hand.info.backend_pid for hand in hands]
        free = list(hands)
        busy: dict[Future[float], _Chunk] = {}
        active, worked = self._active(), 0.0
        while first < pages or busy:
            while free and first < pages and not worked:
                # Near the end each job gets its part, and none is left to work alone.
                part = max(STRETCH * SMALLEST_BATCH, -(-(pages - first) // len(hands)))
                end = min(first + min(self._chunk_pages, part), pages)
                chunk = _Chunk(first, end, self._batch_pages, free.pop())
                busy[pool.submit(self._convert, chunk)] = chunk
                first = end
            done, _ = wait(busy, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
            self._tell(watch, pulse)
            if watch.clients_waiting(pids):
                for chunk in busy.values():
                    chunk.in_the_way = True
            if not done:
                if active:
                    pulse.beat(working=True)
                continue
            for future in done:
                chunk = busy.pop(future)
                free.append(chunk.hand)
                self._learn(chunk, future.result())
                worked = max(worked, future.result())
            self._done_to(min((c.first for c in busy.values()), default=first))
            if first < pages:
                self._wait_while_behind(watch, pulse)
            active = self._active()
            if not active and not self.settings.pause:
                worked = 0.0
            elif not busy:
                if first < pages:
                    self._rest(pulse, worked)
                worked = 0.0

    def _convert(self, chunk: _Chunk) -> float:
        """Convert a chunk; the seconds it took."""
        begun = time.monotonic()
        if not self._stopped.is_set():
            with names_of_files(chunk.hand, self.search_path):
                self.walk.over(chunk.hand, chunk.first, chunk.end, chunk.batch_pages)
        return time.monotonic() - begun

    def _learn(self, chunk: _Chunk, taken: float) -> None:
        """Choose the next batch and the next chunk by what the last ones did."""
        pages = chunk.end - chunk.first
        batches = -(-pages // chunk.batch_pages)
        change = min(0.5 if chunk.in_the_way else 2.0, BATCH_SECONDS / max(taken / batches, 1e-6))
        grown = int(pages * min(2.0, max(0.5, CHUNK_SECONDS / max(taken, 1e-6))))
        # Never more than the file says: that is what its readers agreed to.
        most = min(BATCH_PAGES, grown // STRETCH)
        batch = max(SMALLEST_BATCH, min(most, int(chunk.batch_pages * change)))
        stretch = STRETCH * batch
        self._batch_pages, self._chunk_pages = batch, max(stretch, grown // stretch * stretch)

    def _done_to(self, page: int) -> None:
        self.connection.execute(
            "UPDATE trueup.progress SET page = %s, updated_at = clock_timestamp() WHERE file = %s",
            [page, self.migration],
        )

    def _active(self) -> bool:
        """Whether clients are active, and it is left to us to spare them."""
        return self.settings.pause is None and clients_active(self.connection)

    def _rest(self, pulse: Pulse, worked: float) -> None:
        """Do nothing for as long as clients need, or as the user said."""
        begun = time.monotonic()
        if self.settings.pause is not None:
            time.sleep(self.settings.pause)
            return
        if not self._rested:
            self.emit(BackfillHeld(self.migration, RESTS))
        self._rested = True
        while (left := begun + pulse.rest * worked - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_SECONDS))
            if left > LOOK_SECONDS:
                pulse.beat(working=False)

    def _tell(self, watch: Watch, pulse: Pulse) -> None:
        """How the server bears it: to the run's listener, and to whoever watches the database."""
        if time.monotonic() - self._told < VITALS_SECONDS:
            return
        self._told = time.monotonic()
        median, p99 = pulse.felt or (None, None)
        standby, lag = watch.standby or ("", None)
        vitals = Vitals(self.migration, median, p99, lag, standby)
        self.emit(vitals)
        send(self.connection, vitals)

    def _wait_while_behind(self, watch: Watch, pulse: Pulse) -> None:
        told = ""
        while True:
            reason = watch.behind()
            self._tell(watch, pulse)
            if reason is None:
                return
            if reason.kind != told:
                told = reason.kind
                self.emit(BackfillHeld(self.migration, reason.text))
            time.sleep(reason.pause)
            if reason.once:
                return
