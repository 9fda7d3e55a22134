"""On a connection, on a pool, in a transaction: nothing is committed that is not ours."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from pyorm import AsyncRepository, Model, Repository, Request, collector
from pyorm.contract import current
from pyorm.errors import NotFound, UniqueViolation
from pyorm.operation import CHUNK, CHUNKS
from pyorm.testing import sqlite_database
from pyorm.transactions import in_transaction, in_transaction_async

from .conftest import ENTITIES
from .entities import a_model, a_request


@pytest.fixture
def dsn(new_contract: str) -> str:
    return new_contract


def committed(dsn: str) -> int:
    with psycopg.connect(dsn) as other:
        return Repository(Model, other).count()


def test_on_a_connection_the_caller_commits(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        models = Repository(Model, connection)
        models.add(a_model())
        models.add_many([a_model(), a_model()])
        assert len(list(models.stream())) == 3
        assert committed(dsn) == 0
        connection.rollback()
        models.add(a_model())
        connection.commit()
    assert committed(dsn) == 1


def test_in_a_transaction_the_block_commits(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        models = Repository(Model, connection)
        with connection.transaction(force_rollback=True):
            models.add(a_model())
            models.add_many([a_model(), a_model()])
            assert len(list(models.stream())) == 3
        assert committed(dsn) == 0
        with connection.transaction():
            models.add(a_model(model_id="gpt-4"))
            with pytest.raises(UniqueViolation), connection.transaction():
                models.add(a_model(model_id="gpt-4"))
        assert committed(dsn) == 1


def test_with_autocommit_each_call_stands_alone(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        models: Repository[Model] = Repository(Model, connection)
        models.add(a_model())
        assert committed(dsn) == 1
        with pytest.raises(UniqueViolation):
            models.add_many([a_model(model_id="twin"), a_model(model_id="twin")])
        assert committed(dsn) == 1


@pytest.mark.parametrize("contract", ["new", "old"])
def test_add_many_through_a_view_is_all_or_none(
    request: pytest.FixtureRequest, contract: Any
) -> None:
    loaded = request.getfixturevalue(f"{contract}_contract")
    with psycopg.connect(loaded, autocommit=True) as connection:
        models = Repository(Model, connection, contract=contract)
        twins = [a_model(), a_model(model_id="twin"), a_model(model_id="twin")]
        with pytest.raises(UniqueViolation):
            models.add_many(iter(twins))
        assert models.count() == 0


def test_on_a_pool_each_call_is_committed(dsn: str) -> None:
    with ConnectionPool(dsn, min_size=1, max_size=2, open=True) as pool:
        models = Repository(Model, pool)
        models.add(a_model())
        models.add_many([a_model(), a_model()])
        with pytest.raises(UniqueViolation):
            models.add(a_model(model_id=models.find(limit=1)[0].model_id))
        assert len(list(models.stream())) == 3
    assert committed(dsn) == 3


def test_what_is_refused_at_the_commit_is_told_as_at_the_statement(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "ALTER TABLE model ADD CONSTRAINT late UNIQUE (max_tokens)"
            " DEFERRABLE INITIALLY DEFERRED"
        )
    with ConnectionPool(dsn, min_size=1) as pool:
        models = Repository(Model, pool)
        models.add(a_model(max_tokens=5))
        for write in (
            lambda: models.add(a_model(max_tokens=5)),
            lambda: models.add_many([a_model(max_tokens=5)]),
        ):
            with pytest.raises(UniqueViolation) as caught:
                write()
            assert (caught.value.field, caught.value.constraint) == ("max_tokens", "late")
        assert models.count() == 1


def test_in_a_pipeline_each_call_has_its_result(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection, connection.pipeline():
        models = Repository(Model, connection)
        model = models.add(a_model(max_tokens=1))
        assert models.get(model.id) == model
        assert (models.count(), models.exists(max_tokens=1)) == (1, True)
        assert models.update_where(models.where(id=model.id), max_tokens=2) == 1
        assert models.execute("UPDATE {table} SET max_tokens = 3") == 1
        assert models.upsert_many([model, a_model()], "id", changing=()) == 1
        connection.execute("SELECT 1")  # whose result has yet to come
        for refused in (
            lambda: models.add_many([a_model()]),
            lambda: models.query("DELETE FROM {table} RETURNING id"),
            lambda: list(models.stream()),
        ):
            with pytest.raises(psycopg.NotSupportedError):
                refused()
        models.delete(model.id)
        with pytest.raises(NotFound):
            models.delete(model.id)
        assert models.count() == 1


def test_a_copy_that_is_cancelled_as_it_begins_leaves_the_connection_usable(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled(_: Any) -> None:
        raise asyncio.CancelledError

    async def add() -> int:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            models = AsyncRepository(Model, connection)
            with monkeypatch.context() as patched:
                # The server waits for rows by then, which psycopg leaves so.
                patched.setattr(psycopg.AsyncCopy, "__aenter__", cancelled)
                with pytest.raises(asyncio.CancelledError):
                    await models.add_many([a_model()])
            return await models.count() + await models.add_many([a_model()])

    assert asyncio.run(add()) == 1


@pytest.mark.parametrize("work", ["add", "add_many"])
def test_add_many_that_is_cancelled_as_it_waits_leaves_others_work_alone(
    dsn: str, work: str
) -> None:
    async def add() -> int:
        async with (
            await psycopg.AsyncConnection.connect(dsn) as blocker,
            await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection,
        ):
            models = AsyncRepository(Model, connection)
            await models.count()
            await blocker.execute("LOCK TABLE model IN EXCLUSIVE MODE")
            one = a_model()
            others = asyncio.create_task(
                models.add(one) if work == "add" else models.add_many([one])
            )
            await asyncio.sleep(0.1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(models.add_many([a_model()]), 0.1)
            await blocker.rollback()
            await others
            return await models.count(id=one.id) + await models.count()

    assert asyncio.run(add()) == 2


async def use(dsn: str) -> list[Model]:
    async with AsyncConnectionPool(dsn, min_size=1, open=False) as pool:
        models = AsyncRepository(Model, pool)
        await models.add(a_model())
        assert [model async for model in models.stream()] == await models.find()
        return await models.find()


def test_on_an_async_pool_each_call_is_committed(dsn: str) -> None:
    assert len(asyncio.run(use(dsn))) == 1
    assert committed(dsn) == 1


class TestAPoolsTransaction:
    """A repository on a pool joins the transaction that in_transaction has open on the pool."""

    def test_is_joined(self, dsn: str) -> None:
        def work(connection: psycopg.Connection[Any]) -> None:
            Repository(Model, connection).add(a_model())
            models.add(a_model())
            models.add_many([a_model()])
            assert models.count() == len(list(models.stream())) == 3
            assert committed(dsn) == 0
            raise RuntimeError

        with ConnectionPool(dsn, min_size=1, max_size=1, timeout=2) as pool:
            models = Repository(Model, pool)
            with pytest.raises(RuntimeError):
                in_transaction(pool, work)
            assert models.count() == 0
            in_transaction(pool, lambda _: models.add(a_model()))
            assert committed(dsn) == 1

    def test_within_another_one_is_undone_alone(self, dsn: str) -> None:
        def fail(_: psycopg.Connection[Any]) -> None:
            models.add(a_model())
            raise RuntimeError

        def work(_: psycopg.Connection[Any]) -> None:
            models.add(a_model())
            with pytest.raises(RuntimeError):
                in_transaction(pool, fail)
            in_transaction(pool, lambda _: models.add(a_model()))

        with ConnectionPool(dsn, min_size=1, max_size=1, timeout=2) as pool:
            models = Repository(Model, pool)
            in_transaction(pool, work)
        assert committed(dsn) == 2

    def test_is_no_other_threads_and_no_other_pools(self, dsn: str) -> None:
        def work(_: psycopg.Connection[Any]) -> None:
            thread = threading.Thread(target=lambda: models.add(a_model()))
            thread.start()
            thread.join()
            Repository(Model, other).add(a_model())
            models.add(a_model())
            raise RuntimeError

        with ConnectionPool(dsn, min_size=2) as pool, ConnectionPool(dsn, min_size=1) as other:
            models = Repository(Model, pool)
            with pytest.raises(RuntimeError):
                in_transaction(pool, work)
        assert committed(dsn) == 2

    def test_async_is_joined_by_its_tasks_while_it_is_open(self, dsn: str) -> None:
        async def use() -> None:
            async with AsyncConnectionPool(dsn, min_size=1, max_size=1, open=False) as pool:
                models = AsyncRepository(Model, pool)
                late: list[asyncio.Task[Model]] = []
                ended = asyncio.Event()

                async def add_late() -> Model:
                    await ended.wait()
                    return await models.add(a_model())

                async def work(_: psycopg.AsyncConnection[Any]) -> None:
                    await asyncio.gather(*(models.add(a_model()) for _ in range(3)))
                    late.append(asyncio.create_task(add_late()))
                    raise RuntimeError

                with pytest.raises(RuntimeError):
                    await in_transaction_async(pool, work)
                assert await models.count() == 0
                ended.set()
                assert await models.get((await late[0]).id)

        asyncio.run(use())
        assert committed(dsn) == 1


def test_sqlite_leaves_its_transaction_to_the_caller() -> None:
    connection = sqlite_database(*ENTITIES)
    connection.isolation_level = "DEFERRED"
    models = Repository(Model, connection)
    models.add_many([a_model(), a_model()])
    assert connection.in_transaction
    with pytest.raises(UniqueViolation):
        models.add_many([a_model(), a_model(model_id="twin"), a_model(model_id="twin")])
    assert models.count() == 2
    connection.rollback()
    assert models.count() == 0


def collections() -> int:
    """How often the collector has run: now and then a young generation takes an older one along."""
    return sum(generation["collections"] for generation in gc.get_stats())


class TestTheGarbageCollector:
    @pytest.fixture
    def requests(self, dsn: str) -> Iterator[Repository[Request]]:
        with psycopg.connect(dsn, autocommit=True) as connection:
            model = Repository(Model, connection).add(a_model())
            requests = Repository(Request, connection)
            requests.add_many(a_request(model) for _ in range(CHUNKS * CHUNK + 1))
            yield requests

    @pytest.fixture
    def states(self, requests: Repository[Request], monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """Whether the collector was on, each time a chunk of rows was made."""
        states: list[bool] = []
        mapping = current(requests._source)
        assert mapping is not None
        make = mapping.make

        def noting(rows: Any) -> list[Request]:
            states.append(gc.isenabled())
            return make(rows)

        monkeypatch.setattr(mapping, "make", noting)
        return states

    def test_is_put_off_for_a_few_chunks_of_a_large_result_at_a_time(
        self, requests: Repository[Request], states: list[bool]
    ) -> None:
        requests.find(limit=CHUNK)
        assert states == [True]
        states.clear()
        before, frozen = collections(), gc.get_freeze_count()
        requests.find()
        assert states[: CHUNKS + 1] == [False] * (CHUNKS + 1)
        assert gc.isenabled()
        # They are more than one of Python's young generations.
        assert collections() >= before + 1
        assert gc.get_freeze_count() == frozen

    def test_finds_garbage_however_often_large_results_are_read(
        self, requests: Repository[Request]
    ) -> None:
        class Garbage:
            itself: Any = None

        alive = []
        for _ in range(50):
            garbage = Garbage()
            garbage.itself = garbage
            alive.append(weakref.ref(garbage))
            del garbage
            requests.find()
        assert sum(each() is not None for each in alive) < 10

    def test_stays_on_when_that_is_asked_for(
        self, requests: Repository[Request], states: list[bool]
    ) -> None:
        on: Any = requests._on
        Repository(Request, on, pause_collector=False).find()
        assert set(states) == {True}

    def test_stays_off_when_it_was_off(self, requests: Repository[Request]) -> None:
        gc.disable()
        try:
            requests.find()
            assert not gc.isenabled()
        finally:
            gc.enable()

    def test_is_on_again_after_an_error(
        self, requests: Repository[Request], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mapping = current(requests._source)

        def failing(rows: Any) -> list[Request]:
            raise RuntimeError

        monkeypatch.setattr(mapping, "make", failing)
        with pytest.raises(RuntimeError):
            requests.find()
        assert gc.isenabled()

    def test_runs_between_the_chunks_of_several_threads(self) -> None:
        inside, leave = threading.Event(), threading.Event()

        def other() -> None:
            with collector.PutOff():
                inside.set()
                leave.wait(30)

        thread = threading.Thread(target=other)
        with collector.PutOff():
            thread.start()
            assert inside.wait(30)
            assert not gc.isenabled()
        assert gc.isenabled()
        leave.set()
        thread.join(30)
        assert gc.isenabled()
        with collector.PutOff():
            assert not gc.isenabled()
