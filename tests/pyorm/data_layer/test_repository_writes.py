"""What a service writes with a repository: the same on each contract and backend."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from pyorm import (
    Model,
    ModelCapability,
    ModelStatus,
    Repository,
    one_of,
)
from pyorm.errors import (
    InvalidValue,
    NotFound,
    StaleRow,
    UniqueViolation,
)

from .entities import Author, Book, Mood, a_model

JULY = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC)


class TestAddMany:
    def test_adds_all_and_tells_how_many(
        self, models: Repository[Model], authors: Repository[Author]
    ) -> None:
        rows = [a_model(capabilities=[ModelCapability.CHAT], configuration={"n": 1})] * 1
        rows += [a_model() for _ in range(99)]
        assert models.add_many(rows) == 100
        assert models.get_many([row.id for row in rows]) == rows
        written = [Author(name=f"a{i}", moods=[Mood.CALM], picture=b"x") for i in range(3)]
        assert authors.add_many(author for author in written) == 3
        assert authors.get_many([author.id for author in written]) == written

    def test_of_nothing_is_nothing(self, models: Repository[Model]) -> None:
        assert models.add_many([]) == 0

    def test_adds_none_when_one_is_refused(self, models: Repository[Model]) -> None:
        twin = a_model(model_id="twin")
        with pytest.raises(UniqueViolation) as caught:
            models.add_many([a_model(), twin, a_model(model_id="twin")])
        assert caught.value.field == "model_id"
        assert models.count() == 0


class TestUpdate:
    def test_changes_the_given_fields_only(self, models: Repository[Model]) -> None:
        model = models.add(a_model(description="old", max_tokens=1))
        changed = models.update(model.id, description=None, status=ModelStatus.INACTIVE)
        assert (changed.description, changed.status) == (None, ModelStatus.INACTIVE)
        assert (changed.max_tokens, changed.created_at) == (1, model.created_at)
        assert changed.updated_at > model.updated_at
        assert models.get(model.id) == changed

    def test_of_a_row_as_read_is_refused_once_somebody_changed_it(
        self, models: Repository[Model]
    ) -> None:
        read = models.add(a_model())
        models.update(read, description="first")
        with pytest.raises(StaleRow, match="changed or deleted since it had the version"):
            models.update(read, description="second")
        assert models.get(read.id).description == "first"

    def test_of_a_missing_row_is_an_error(self, models: Repository[Model]) -> None:
        with pytest.raises(NotFound):
            models.update(uuid4(), description="x")

    def test_needs_a_field_that_may_change(self, models: Repository[Model]) -> None:
        model = models.add(a_model())
        with pytest.raises(InvalidValue, match="without a field"):
            models.update(model.id)
        with pytest.raises(InvalidValue, match="created_at stays what it was"):
            models.update(model.id, created_at=JULY)
        with pytest.raises(InvalidValue, match=r"one_of\(\) is for filters"):
            models.update(model.id, status=one_of(ModelStatus.ACTIVE))
        with pytest.raises(InvalidValue, match="no field 'limit'"):
            models.update(model.id, limit=3)
        with pytest.raises(InvalidValue, match=r"Model\.status takes no None"):
            models.update(model.id, status=None)  # type: ignore[arg-type]

    def test_of_a_row_as_read_needs_a_version(self, authors: Repository[Author]) -> None:
        author = authors.add(Author(name="Ada"))
        with pytest.raises(InvalidValue, match="nothing tells whether a Author changed"):
            authors.update(author, name="Eve")


class TestUpsert:
    def test_adds_then_changes_what_is_named(self, models: Repository[Model]) -> None:
        first = models.upsert(
            a_model(model_id="gpt-4", max_tokens=1, description="kept"), "model_id", changing=()
        )
        second = models.upsert(
            a_model(model_id="gpt-4", max_tokens=2), "model_id", changing=("max_tokens",)
        )
        assert (second.id, second.created_at) == (first.id, first.created_at)
        assert (second.max_tokens, second.description) == (2, "kept")
        assert second.updated_at > first.updated_at
        assert models.find() == [second]

    def test_with_nothing_to_change_gives_the_row_as_it_is(
        self, models: Repository[Model], books: Repository[Book], authors: Repository[Author]
    ) -> None:
        first = models.add(a_model(model_id="gpt-4", max_tokens=1))
        assert models.upsert(a_model(model_id="gpt-4"), "model_id", changing=()) == first
        author = authors.add(Author(name="Ada"))
        book = books.add(Book(shelf="A", number=1, author_id=author.id, sold="x"))
        again = Book(shelf="A", number=1, author_id=author.id)
        assert books.upsert(again, "shelf", "number", changing=()) == book

    def test_by_the_key(self, models: Repository[Model]) -> None:
        model = models.add(a_model())
        model.description = "changed"
        assert models.upsert(model, "id", changing="description").description == "changed"

    def test_names_the_conflict(self, models: Repository[Model]) -> None:
        with pytest.raises(InvalidValue, match="names no field of the conflict"):
            models.upsert(a_model(), changing=())
        with pytest.raises(InvalidValue, match="did you mean 'model_id'"):
            models.upsert(a_model(), "modelid", changing=())
        for conflict in (("provider",), ("id", "model_id")):
            with pytest.raises(InvalidValue, match="no unique index of Model"):
                models.upsert(a_model(), *conflict, changing=())

    def test_names_what_changes_unless_every_field_was_given(
        self, models: Repository[Model]
    ) -> None:
        with pytest.raises(InvalidValue, match="names no fields to change: display_name"):
            models.upsert(a_model(), "model_id")
        for field in ("created_at", "updated_at", "nothing"):
            with pytest.raises(InvalidValue, match=field):
                models.upsert(a_model(), "model_id", changing=(field,))
        assert models.count() == 0


class TestDelete:
    def test_deletes_one_row(self, models: Repository[Model]) -> None:
        kept, gone = models.add(a_model()), models.add(a_model())
        models.delete(gone.id)
        assert models.find() == [kept]
        with pytest.raises(NotFound):
            models.delete(gone.id)
