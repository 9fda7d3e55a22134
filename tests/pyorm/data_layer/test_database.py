"""Database: repositories by entity, transactions, and SQL whose rows are of a type of one's own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from pyorm import AsyncDatabase, Database, Model, ModelProvider, ModelStatus, Request
from pyorm.errors import ContractChanged, InvalidValue, LiteralWarning, MappingError, NotFound

from .conftest import Place
from .entities import a_model, a_request


@pytest.fixture
def db(place: Place) -> Database:
    if place.loop:
        pytest.skip("the sync one; the async one makes it")
    return Database(place.on, contract=place.contract)


@pytest.fixture
def dsn(new_contract: str) -> str:
    return new_contract


def add_and_fail(tx: Database, joins: Database | None = None) -> None:
    tx[Model].add(a_model())
    assert joins is None or joins[Model].count() == 1
    raise RuntimeError


class TestRepositories:
    def test_are_there_by_their_entity(self, db: Database) -> None:
        model = db[Model].add(a_model())
        assert db[Model].get(model.id) == model
        assert db[Model] is db[Model]


class TestTransactions:
    def test_commit_at_the_end_and_undo_what_failed(self, db: Database) -> None:
        with db.transaction() as tx:
            kept = tx[Model].add(a_model())
        with pytest.raises(RuntimeError), db.transaction() as tx:
            add_and_fail(tx)
        assert db[Model].find() == [kept]

    def test_within_another_one_are_undone_alone(self, db: Database) -> None:
        with db.transaction() as tx:
            kept = tx[Model].add(a_model())
            with pytest.raises(RuntimeError), tx.transaction() as part:
                add_and_fail(part)
        assert db[Model].find() == [kept]

    def test_are_left_quietly_by_a_rollback(self, db: Database) -> None:
        calls = []

        def give_up(tx: Database) -> int:
            calls.append(tx[Model].add(a_model()))
            raise psycopg.Rollback

        with db.transaction() as tx:
            kept = tx[Model].add(a_model())
            with tx.transaction() as part:
                part[Model].add(a_model())
                raise psycopg.Rollback
            assert tx.transaction().run(give_up) is None
        assert db.transaction(retry=3).run(give_up) is None
        assert len(calls) == 2
        assert db[Model].find() == [kept]

    def test_are_begun_once_at_a_time(self, db: Database) -> None:
        twice = db.transaction()
        with twice as tx, pytest.raises(InvalidValue, match="open already"), twice:
            pass
        with pytest.raises(RuntimeError), twice as tx:
            add_and_fail(tx)
        assert db[Model].count() == 0
        with twice as tx:
            tx[Model].add(a_model())
        assert db[Model].count() == 1

    def test_on_a_pool_use_one_connection_which_its_repositories_join(self, dsn: str) -> None:
        with ConnectionPool(dsn, min_size=1, max_size=1, timeout=5) as pool:
            db = Database(pool)
            with pytest.raises(RuntimeError), db.transaction() as tx:
                add_and_fail(tx, db)
            assert db[Model].count() == 0

    def test_have_the_isolation_and_the_mode_that_are_asked_for(self, dsn: str) -> None:
        with ConnectionPool(dsn, min_size=1) as pool:
            db = Database(pool)
            for isolation in ("read committed", "repeatable read", "serializable"):
                with db.transaction(isolation=isolation) as tx:
                    shown = tx.scalars(str, "SELECT current_setting('transaction_isolation')")
                    assert shown == [isolation]
            with (
                pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
                db.transaction(read_only=True) as tx,
            ):
                tx[Model].add(a_model())
            with (
                db.transaction() as tx,
                pytest.raises(InvalidValue, match="open already"),
                tx.transaction(isolation="serializable"),
            ):
                pass
            for wrong in ("snapshot", "serializable; DROP TABLE model", 5):
                with pytest.raises(InvalidValue, match="an isolation is one of"):
                    db.transaction(isolation=wrong)  # type: ignore[arg-type]

    def test_a_block_is_never_run_again(self, db: Database) -> None:
        with (
            pytest.raises(InvalidValue, match="a block cannot be run again"),
            db.transaction(retry=3),
        ):
            pass

    @pytest.mark.parametrize("wrong", [-1, True, "3"])
    def test_retry_is_a_number(self, db: Database, wrong: Any) -> None:
        with pytest.raises(InvalidValue, match="retry is a number"):
            db.transaction(retry=wrong)


class TestAFunction:
    @pytest.fixture
    def counters(self, dsn: str) -> Iterator[tuple[Database, UUID]]:
        with ConnectionPool(dsn, min_size=4, max_size=4) as pool:
            db = Database(pool)
            yield db, db[Model].add(a_model(max_tokens=0)).id

    def test_is_run_again_when_its_transaction_lost(self, counters: tuple[Database, UUID]) -> None:
        db, key = counters
        lost: list[str] = []

        def count_up(tx: Database) -> None:
            try:
                model = tx[Model].get(key)
                tx[Model].update(key, max_tokens=(model.max_tokens or 0) + 1)
            except psycopg.errors.SerializationFailure as error:
                lost.append(str(error.sqlstate))
                raise

        def many() -> None:
            for _ in range(10):
                db.transaction(isolation="serializable", retry=1_000).run(count_up)

        threads = [threading.Thread(target=many) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert db[Model].get(key).max_tokens == 40

    def test_is_run_again_so_often_and_no_more(self, counters: tuple[Database, UUID]) -> None:
        db, _ = counters
        calls = []

        def fail(tx: Database) -> None:
            calls.append(tx)
            tx.execute("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$")

        with pytest.raises(psycopg.errors.DeadlockDetected):
            db.transaction(retry=2).run(fail)
        assert len(calls) == 3
        calls.clear()
        with pytest.raises(psycopg.errors.DeadlockDetected):
            db.transaction().run(fail)
        assert len(calls) == 1

    def test_is_not_run_again_for_another_error(self, counters: tuple[Database, UUID]) -> None:
        db, _ = counters
        calls = []

        def fail(tx: Database) -> None:
            calls.append(tx)
            tx[Model].get(UUID(int=0))

        with pytest.raises(NotFound):
            db.transaction(retry=5).run(fail)
        assert len(calls) == 1

    def test_within_another_transaction_is_not_run_again(
        self, counters: tuple[Database, UUID]
    ) -> None:
        db, _ = counters
        calls = []

        def fail(tx: Database) -> None:
            calls.append(tx)
            tx.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

        with pytest.raises(psycopg.errors.SerializationFailure), db.transaction() as tx:
            tx.transaction(retry=5).run(fail)
        assert len(calls) == 1

    def test_is_run_again_when_the_contract_moved(self, db: Database) -> None:
        calls = []

        def moved(tx: Database) -> int:
            calls.append(tx)
            if len(calls) < 3:
                raise ContractChanged("moved")
            return len(calls)

        assert db.transaction().run(moved) == 3

    def test_async(self, dsn: str) -> None:
        async def use() -> int:
            async with AsyncConnectionPool(dsn, open=False) as pool:
                db = AsyncDatabase(pool)

                async def work(tx: AsyncDatabase) -> int:
                    await tx[Model].add(a_model())
                    return await tx[Model].count()

                async with db.transaction(isolation="serializable") as tx:
                    await tx[Model].add(a_model())
                return await db.transaction(retry=2).run(work)

        assert asyncio.run(use()) == 2


@dataclass
class Usage:
    provider: ModelProvider
    models: int
    tokens: int | None = None
    mean: Decimal | None = None
    ids: list[UUID] | None = None


class TestSqlOfOnesOwn:
    @pytest.fixture(autouse=True)
    def some(self, db: Database) -> None:
        for number in range(3):
            status = ModelStatus.ACTIVE if number else ModelStatus.INACTIVE
            model = db[Model].add(a_model(max_tokens=number, status=status))
            db[Request].add(a_request(model, total_tokens=number))

    def test_rows_are_of_a_type_of_ones_own(self, db: Database) -> None:
        rows = db.rows(
            Usage,
            "SELECT m.provider, count(*) AS models, sum(r.total_tokens) AS tokens "
            "FROM {Model} AS m JOIN {Request} AS r ON r.model_id = m.id "
            "WHERE m.status = {Model.status.ACTIVE} GROUP BY m.provider",
            join=[Model, Request],
        )
        assert rows == [Usage(ModelProvider.OPENAI, 2, 3)]

    def test_a_repository_has_its_table_too(self, db: Database) -> None:
        found = db[Model].rows(
            Usage,
            "SELECT provider, count(*) AS models FROM {table} WHERE {Model.status} = %s GROUP BY 1",
            [ModelStatus.INACTIVE],
        )
        assert found == [Usage(ModelProvider.OPENAI, 1)]

    def test_scalars_and_counts(self, db: Database) -> None:
        ids = db[Model].scalars(UUID, "SELECT id FROM {table} ORDER BY max_tokens")
        assert ids == [model.id for model in db[Model].find(order="max_tokens")]
        statuses = db[Model].scalars(ModelStatus, "SELECT status FROM {table}")
        assert sorted(statuses) == ["ACTIVE", "ACTIVE", "INACTIVE"]
        changed = db[Model].execute(
            "UPDATE {table} SET max_tokens = 9 WHERE status = {Model.status.ACTIVE}"
        )
        assert changed == 2
        assert db.scalars(int, "SELECT 1 + 1") == [2]
        assert db.execute("DELETE FROM {Request}", join=[Request]) == 3

    def test_a_type_that_the_columns_are_not_is_refused(self, db: Database) -> None:
        for text in (
            "SELECT provider FROM {table}",
            "SELECT provider, 1 AS models, 2 AS other FROM {table}",
            "UPDATE {table} SET max_tokens = 77 RETURNING provider",
        ):
            with pytest.raises(InvalidValue, match="the query gives the columns"):
                db[Model].rows(Usage, text)
        with pytest.raises(InvalidValue, match="of one column"):
            db[Model].scalars(int, "SELECT 1, 2")
        with pytest.raises(MappingError, match=r"Usage\.models"):
            db[Model].rows(Usage, "SELECT provider, model_id AS models FROM {table}")
        assert db[Model].count(max_tokens=77) == 0

    def test_a_value_that_no_enum_has_is_refused(self, db: Database) -> None:
        for text in ("{Model.status.ACTIV}", "{Model.model_id.X}", "{Request.provider.OPENAI}"):
            with pytest.raises(InvalidValue):
                db[Model].scalars(int, f"SELECT 1 FROM {{table}} WHERE '' = {text}")

    def test_a_literal_that_finds_nothing_is_told_once(
        self, db: Database, recwarn: pytest.WarningsRecorder
    ) -> None:
        old = db._contract != "new"
        text = "SELECT count(*) FROM {table} WHERE status = 'ACTIVE' -- 'INACTIVE' {}"
        text = text.replace("{}", db._contract)
        for _ in range(2):
            assert db[Model].scalars(int, text) == [0 if old else 2]
        told = [warning for warning in recwarn if warning.category is LiteralWarning]
        assert len(told) == (1 if old else 0)
        if old:
            assert "'ACTIVE' finds nothing, 'active' does: write {Model.status.ACTIVE}" in str(
                told[0].message
            )

    def test_without_an_entity_nobody_knows_how_an_enum_is_stored(self, db: Database) -> None:
        if db._contract == "new":
            return
        with pytest.raises(InvalidValue, match="names none"):
            db.scalars(str, "SELECT %s", [ModelStatus.ACTIVE])
