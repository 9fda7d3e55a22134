"""A stream owns no writes of the caller: they are committed when the caller says so."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import zip_longest
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from support.databases import DatabaseFactory

from pyorm import AsyncRepository, Database, Repository, above, at_least, entity
from pyorm.ddl import create_table
from pyorm.errors import InvalidValue


@entity("job")
class Job:
    id: int
    done: bool = False

    def __fields__(self, **fields: Any) -> None: ...


def load(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(create_table(Job).encode())
        Repository(Job, connection).add_many(Job(id=n) for n in range(3_000))


@pytest.fixture
def dsn(database_factory: DatabaseFactory) -> str:
    return database_factory(load)


@pytest.fixture
def done(dsn: str) -> Iterator[Callable[[], int]]:
    """How many jobs are done, as another connection sees it."""
    with psycopg.connect(dsn, autocommit=True) as other:
        yield lambda: Repository(Job, other).count(done=True)


@pytest.fixture
def jobs(dsn: str) -> Iterator[Repository[Job]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield Repository(Job, connection)


def test_what_is_written_meanwhile_is_committed_at_once(
    jobs: Repository[Job], done: Callable[[], int]
) -> None:
    for job in jobs.stream(order="id"):
        jobs.update(job.id, done=True)
        assert done() == job.id + 1
        if job.id == 4:
            break
    assert done() == 5


@pytest.mark.parametrize("way", ["break", "close", "error"])
def test_leaving_a_stream_keeps_what_was_written(
    jobs: Repository[Job], done: Callable[[], int], way: str
) -> None:
    stream: Any = jobs.stream(order="id")
    try:
        for job in stream:
            jobs.update(job.id, done=True)
            if job.id == 2 and way == "break":
                break
            if job.id == 2 and way == "error":
                raise RuntimeError
            if job.id == 2:
                stream.close()
    except RuntimeError:
        pass
    del stream
    assert done() == 3
    assert not jobs._on.execute("SELECT FROM pg_cursors").fetchall()  # type: ignore[union-attr]


def test_two_streams_at_once(jobs: Repository[Job]) -> None:
    pairs = zip_longest(jobs.stream(order="id", limit=1_500), jobs.stream(order="-id"))
    assert len({job.id for pair in pairs for job in pair if job}) == 3_000


def test_the_callers_commits_within_a_stream(dsn: str, done: Callable[[], int]) -> None:
    with psycopg.connect(dsn) as connection:
        jobs = Repository(Job, connection)
        seen = 0
        for job in jobs.stream(order="id"):
            seen += 1
            jobs.update(job.id, done=True)
            if job.id % 1_000 == 999:
                connection.commit()
                assert done() == job.id + 1
        connection.rollback()
    assert (seen, done()) == (3_000, 3_000)


def test_a_transaction_of_the_callers_stays_one(
    jobs: Repository[Job], done: Callable[[], int]
) -> None:
    connection = jobs._on
    assert isinstance(connection, psycopg.Connection)
    with connection.transaction(force_rollback=True):
        for job in jobs.stream(order="id"):
            jobs.update(job.id, done=True)
            if job.id == 9:
                break
        assert jobs.count(done=True) == 10
        assert done() == 0
    assert done() == 0


def test_on_a_pool_the_stream_has_a_connection_of_its_own(
    dsn: str, done: Callable[[], int]
) -> None:
    with ConnectionPool(dsn, min_size=2, max_size=2) as pool:
        jobs = Repository(Job, pool)
        for job in jobs.stream(order="id"):
            jobs.update(job.id, done=True)
            if job.id == 4:
                break
    assert done() == 5


def test_the_connection_that_sends_rows_cannot_read_them(jobs: Repository[Job]) -> None:
    """It would wait for itself."""

    def of_a_stream() -> Iterator[Job]:
        yield from (Job(id=-job.id) for job in jobs.stream(id=above(0), order="id"))

    def of_a_query() -> Iterator[Job]:
        for number in range(5_000, 6_000):
            yield Job(id=number, done=jobs.exists(id=number))

    def of_a_transaction() -> Iterator[Job]:
        with Database(connection).transaction() as tx:
            yield from (Job(id=-job.id) for job in tx[Job].find(id=above(0)))

    connection: Any = jobs._on
    refused: list[str] = []

    def add() -> None:
        for rows in (of_a_stream, of_a_query, of_a_transaction):
            with pytest.raises(InvalidValue, match="is sending the rows of add_many"):
                jobs.add_many(itertools.chain([Job(id=9_999)], rows()))
            refused.append(rows.__name__)

    thread = threading.Thread(target=add, daemon=True)
    thread.start()
    thread.join(60)
    assert refused == ["of_a_stream", "of_a_query", "of_a_transaction"]
    assert jobs.count() == 3_000
    assert connection.execute("SELECT count(*) FROM pg_cursors").fetchone() == (0,)
    # Others only wait, and a pool has another connection.
    with ConnectionPool(connection.info.dsn, min_size=2, max_size=2) as pool:
        pooled = Repository(Job, pool)
        rows = (Job(id=-job.id) for job in pooled.stream(id=above(0)))
        assert pooled.add_many(rows) == 2_999


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[AsyncRepository[Job]]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        yield AsyncRepository(Job, connection)


def test_async_break_and_cancellation(dsn: str, done: Callable[[], int]) -> None:
    async def use() -> None:
        async with connected(dsn) as jobs:
            async for job in jobs.stream(order="id"):
                await jobs.update(job.id, done=True)
                if job.id == 4:
                    break
            assert done() == 5

            reached = asyncio.Event()

            async def work() -> None:
                async for job in jobs.stream(order="-id"):
                    await jobs.update(job.id, done=True)
                    if job.id == 2_990:
                        reached.set()
                        await asyncio.sleep(60)

            task = asyncio.create_task(work())
            await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert done() == 15
            assert await jobs.count(done=True) == 15

    asyncio.run(use())


def test_async_streams_at_once(dsn: str) -> None:
    async def count(stream: AsyncIterator[Job]) -> int:
        return len([job async for job in stream])

    async def use() -> None:
        async with connected(dsn) as jobs:
            counts = await asyncio.gather(count(jobs.stream()), count(jobs.stream(limit=2_000)))
            assert list(counts) == [3_000, 2_000]
            added = [[Job(id=n) for n in range(f, f + 800)] for f in (5_000, 6_000)]
            assert await asyncio.gather(*map(jobs.add_many, added)) == [800, 800]
            await jobs.delete_where(id=at_least(5_000))
        async with AsyncConnectionPool(dsn, min_size=2, open=False) as pool:
            pooled = AsyncRepository(Job, pool)
            counts = await asyncio.gather(count(pooled.stream()), count(pooled.stream(limit=2_000)))
            assert list(counts) == [3_000, 2_000]

    asyncio.run(use())
