"""Writes of many rows, writes that leave alone what is there, and locks of rows."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from pyorm import Database, Model, ModelStatus, Repository, given, one_of
from pyorm.errors import InvalidValue, NotFound, UniqueViolation

from .conftest import Place
from .entities import a_model


class TestWhere:
    def test_changes_all_rows_that_match(self, models: Repository[Model]) -> None:
        first = models.add(a_model(max_tokens=1))
        second = models.add(a_model(max_tokens=2, status=ModelStatus.INACTIVE))
        active = models.where(status=ModelStatus.ACTIVE)
        assert models.update_where(active, description="x", max_tokens=9) == 1
        changed = models.get(first.id)
        assert (changed.description, changed.max_tokens) == ("x", 9)
        assert changed.updated_at >= first.updated_at
        assert models.get(second.id) == second
        assert models.update_where(models.where(id=second.id), status=ModelStatus.ACTIVE) == 1
        assert models.count(status=ModelStatus.ACTIVE) == 2

    def test_deletes_all_rows_that_match(self, models: Repository[Model]) -> None:
        models.add_many([a_model(max_tokens=n) for n in range(4)])
        assert models.delete_where(max_tokens=one_of(1, 2)) == 2
        assert models.delete_where(max_tokens=7) == 0
        assert sorted(m.max_tokens or 0 for m in models.find()) == [0, 3]

    def test_never_means_every_row(self, models: Repository[Model]) -> None:
        models.add(a_model())
        status = None
        for fail in (
            lambda: models.delete_where(),
            lambda: models.delete_where(status=given(status)),
            lambda: models.update_where(models.where(), description="x"),
            lambda: models.delete_where(limit=1),
            lambda: models.delete_where(status=ModelStatus.ACTIVE, order="id"),
            lambda: models.update_where(models.where(description=None)),
            lambda: models.update_where(models.where(description=None), sate=1),  # type: ignore[call-arg]
            lambda: models.update_where({"description": None}, description="x"),  # type: ignore[arg-type]
        ):
            with pytest.raises(InvalidValue):
                fail()  # type: ignore[no-untyped-call]
        assert models.count(description=None) == 1


class TestConflicts:
    def test_a_missing_row_is_added_and_one_that_is_there_left_alone(
        self, models: Repository[Model]
    ) -> None:
        first = models.add_missing(a_model(model_id="m", max_tokens=1), "model_id")
        assert first is not None
        assert models.add_missing(a_model(model_id="m", max_tokens=2), "model_id") is None
        assert models.find() == [first]

    def test_many_rows_change_what_is_named(self, models: Repository[Model]) -> None:
        kept = models.add(a_model(model_id="m0", max_tokens=1, description="kept"))
        rows = [a_model(model_id=f"m{n}", max_tokens=50 + n) for n in range(3)]
        assert models.upsert_many(iter(rows), "model_id", changing="max_tokens") == 3
        found = models.find(order="model_id")
        assert [model.max_tokens for model in found] == [50, 51, 52]
        assert (found[0].id, found[0].description) == (kept.id, "kept")
        assert (
            models.upsert_many([a_model(model_id="m0", max_tokens=7)], "model_id", changing=()) == 0
        )
        assert models.get(kept.id).max_tokens == 50
        assert models.upsert_many([], "model_id", changing=()) == 0

    def test_are_written_all_or_none(self, models: Repository[Model]) -> None:
        there = models.add(a_model(model_id="there"))
        rows = [a_model(model_id="a"), a_model(id=there.id, model_id="b")]
        with pytest.raises(UniqueViolation):
            models.upsert_many(rows, "model_id", changing="max_tokens")
        assert models.count() == 1

    def test_over_no_index_are_refused(self, models: Repository[Model]) -> None:
        with pytest.raises(InvalidValue, match="no unique index"):
            models.add_missing(a_model(), "provider")
        with pytest.raises(InvalidValue, match="names no field"):
            models.add_missing(a_model())


class TestLocks:
    @pytest.fixture
    def dsn(self, new_contract: str) -> str:
        return new_contract

    def test_hold_a_row_until_the_end_of_the_transaction(self, dsn: str) -> None:
        with ConnectionPool(dsn, min_size=2, max_size=2) as pool, psycopg.connect(dsn) as other:
            db, elsewhere = Database(pool), Repository(Model, other)
            first, second = (db[Model].add(a_model(model_id=name)) for name in "ab")
            with db.transaction() as tx:
                assert tx[Model].get(first.id, lock="update") == first
                found = elsewhere.find(order="model_id", limit=1, lock="update skip locked")
                assert found == [second]
                with pytest.raises(NotFound, match="no unlocked Model"):
                    elsewhere.get(first.id, lock="update skip locked")
                other.rollback()
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    elsewhere.get(first.id, lock="share nowait")
                other.rollback()
            assert elsewhere.get(first.id, lock="no key update") == first

    def test_without_a_transaction_are_refused(self, dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            models = Repository(Model, connection)
            model = models.add(a_model())
            for fail in (
                lambda: models.get(model.id, lock="update"),
                lambda: models.find(lock="share"),
            ):
                with pytest.raises(InvalidValue, match="none is open"):
                    fail()
            with connection.transaction():
                assert models.find(lock="share") == [model]
        with ConnectionPool(dsn) as pool, pytest.raises(InvalidValue, match="none is open"):
            Repository(Model, pool).find(lock="update")

    def test_are_known_by_name(self, place: Place, models: Repository[Model]) -> None:
        wrong: Any
        for wrong in ("UPDATE", "update; DROP TABLE model", True, 5):
            with pytest.raises(InvalidValue, match="a lock is one of"):
                models.find(lock=wrong)
            with pytest.raises(InvalidValue, match="a lock is one of"):
                models.get("00000000-0000-0000-0000-000000000000", lock=wrong)
        for call in (models.count, models.exists, models.page):
            with pytest.raises(InvalidValue):
                call(lock="update")
