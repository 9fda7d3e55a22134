"""Clients for a rehearsal: they read and write rows by key, through the names a release knows.

Their statements are made from the catalog at one moment, as those of a release are: a file that
takes a name or a column away makes them fail, and one that holds a lock makes them wait.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection, sql

from runner.catalog import Catalog, Relation
from runner.quoting import Name
from runner.review.measures import Bucket, ClientError, FileSpan, Load, LockSpan
from runner.review.rehearse.sample import service_tables

if TYPE_CHECKING:
    from collections.abc import Iterable

CLIENTS = 4
RATE = 100.0  # queries a second, all clients together
KEYS = 300
BUCKETS = 240
_STATEMENT_TIMEOUT = "30s"
_RECONNECT_SECONDS = 0.2


@dataclass(frozen=True)
class Query:
    """One statement that a client runs, and the keys it picks from."""

    name: str
    statement: sql.Composed
    keys: tuple[tuple[Any, ...], ...]
    weight: int


@dataclass(frozen=True)
class Sample:
    """One query that a client ran; times on the monotonic clock."""

    ended: float
    seconds: float
    error: str


def queries_of(
    connection: Connection[Any], catalog: Catalog, kept: Collection[Name] = ()
) -> list[Query]:
    """The queries of a release that knows the tables as they are now.

    Args:
        connection: to the database, to read keys.
        catalog: what it holds.
        kept: the tables that the release finds by its search_path, as both contracts have their
            names.

    Returns:
        For each table with a primary key and rows: a read by key, and a write by key that leaves
        the row as it is; a lock in place of the write when the table has triggers of its own.
    """
    queries = []
    for table in service_tables(catalog):
        if table.primary_key is None:
            continue
        key = table.primary_key.columns
        name = sql.Identifier(*([table.name] if table.qualified in kept else table.qualified))
        on = sql.SQL(_escape(name.as_string()))
        keys = connection.execute(
            sql.SQL("SELECT {} FROM {} LIMIT {}").format(
                _list(key), sql.Identifier(*table.qualified), sql.Literal(KEYS)
            )
        ).fetchall()
        if not keys:
            continue
        where = sql.SQL(" AND ").join(
            sql.SQL("{} = %s").format(sql.SQL(_escape(sql.Identifier(c).as_string()))) for c in key
        )
        read = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            sql.SQL(_escape(_list([c.name for c in table.columns]).as_string())),
            on,
            where,
        )
        queries.append(Query(f"read {table.name}", read, tuple(keys), 7))
        queries.append(Query(f"write {table.name}", _write(table, on, read, where), tuple(keys), 3))
    return queries


def _write(
    table: Relation, on: sql.Composable, read: sql.Composed, where: sql.Composed
) -> sql.Composed:
    assert table.primary_key is not None
    free = [c for c in table.columns if not c.generated and not c.identity]
    plain = [c for c in free if c.name not in table.primary_key.columns]
    own_triggers = [t for t in table.triggers if t.function.schema != "trueup"]
    if own_triggers or not plain:
        return read + sql.SQL(" FOR UPDATE")
    column = sql.SQL(_escape(sql.Identifier(plain[-1].name).as_string()))
    return sql.SQL("UPDATE {} SET {} = {} WHERE {}").format(on, column, column, where)


def _list(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _escape(text: str) -> Any:
    """A % of a name must be doubled in a query with parameters."""
    return text.replace("%", "%%")


class Clients:
    """Threads that run queries until they are stopped.

    Args:
        dsn: the database.
        queries: what they run.
        search_path: where they find tables whose schema they do not name; empty for the default.
    """

    def __init__(self, dsn: str, queries: Sequence[Query], search_path: str = "") -> None:
        self._dsn, self._queries, self._search_path = dsn, list(queries), search_path
        self._stop = threading.Event()
        self.samples: list[Sample] = []  # append is atomic
        self._threads = [
            threading.Thread(target=self._run, args=(seed,), daemon=True) for seed in range(CLIENTS)
        ]

    def start(self) -> None:
        """Begin."""
        if self._queries:
            for thread in self._threads:
                thread.start()

    def stop(self) -> None:
        """End; returns when every query has come back."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=60)

    def _run(self, seed: int) -> None:
        pick = random.Random(seed)
        weights = [query.weight for query in self._queries]
        connection: Connection[Any] | None = None
        pause = CLIENTS / RATE
        due = time.monotonic() + pause * seed / CLIENTS
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            query = pick.choices(self._queries, weights)[0]
            begun, error = time.monotonic(), ""
            try:
                connection = connection or self._connect()
                connection.execute(query.statement, pick.choice(query.keys))
            except psycopg.Error as failure:
                error = f"{query.name}: {failure.diag.message_primary or failure}"
                if connection is None or connection.closed:
                    connection = None
                    self._stop.wait(_RECONNECT_SECONDS)
            ended = time.monotonic()
            self.samples.append(Sample(ended, ended - begun, error))
            due = max(due + pause, ended)
        if connection is not None:
            connection.close()

    def _connect(self) -> Connection[Any]:
        connection: Connection[Any] = psycopg.connect(
            self._dsn,
            autocommit=True,
            prepare_threshold=0,  # as drivers of services do
            application_name="trueup rehearsal client",
            options=f"-c statement_timeout={_STATEMENT_TIMEOUT}",
        )
        if self._search_path:
            connection.execute("SELECT set_config('search_path', %s, false)", [self._search_path])
        return connection


def summarize(
    samples: Sequence[Sample],
    begun: float,
    files: Sequence[FileSpan],
    locks: Sequence[LockSpan],
) -> Load:
    """What the clients saw, as the certificate keeps it.

    Args:
        samples: of all clients.
        begun: when they began, on the monotonic clock.
        files: when the files ran, in seconds since then.
        locks: when locks were held.
    """
    first = files[0].begun if files else 0.0
    end = max([s.ended - begun for s in samples] + [f.ended for f in files], default=0.0)
    width = max(0.1, end / BUCKETS)
    groups: dict[int, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(int((sample.ended - begun) / width), []).append(sample)
    calm = [s for s in samples if s.ended - begun < first and not s.error]
    return Load(
        CLIENTS,
        RATE,
        len(samples),
        _errors(samples, begun, files),
        width,
        _bucket(0.0, calm),
        tuple(_bucket(index * width, group) for index, group in sorted(groups.items())),
        tuple(files),
        tuple(locks),
    )


def _bucket(at: float, samples: Sequence[Sample]) -> Bucket:
    times = sorted(s.seconds for s in samples)
    failed = sum(bool(s.error) for s in samples)
    if not times:
        return Bucket(at, 0, 0, 0.0, 0.0, 0.0)
    p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
    return Bucket(at, len(times), failed, statistics.median(times), p95, times[-1])


def _errors(
    samples: Sequence[Sample], begun: float, files: Sequence[FileSpan]
) -> tuple[ClientError, ...]:
    counts: Counter[str] = Counter()
    first: dict[str, Sample] = {}
    for sample in sorted(samples, key=lambda s: s.ended):
        if sample.error:
            counts[sample.error] += 1
            first.setdefault(sample.error, sample)
    found = []
    for message, count in counts.most_common():
        at = first[message].ended - begun
        during = next((f for f in reversed(files) if f.begun <= at), None)
        migration, direction = (during.migration, during.direction) if during else ("", "")
        found.append(ClientError(message, count, migration, direction))
    return tuple(found)
