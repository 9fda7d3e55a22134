"""What a service does with a repository: the same on each contract and backend, sync and async."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from pyorm import (
    Model,
    ModelCapability,
    ModelProvider,
    ModelStatus,
    Repository,
    Request,
    above,
    at_least,
    at_most,
    below,
    between,
    contains,
    not_,
    one_of,
)
from pyorm.errors import (
    InvalidCursor,
    InvalidValue,
    MappingError,
    MultipleFound,
    NotFound,
)

from .conftest import Place
from .entities import Address, Author, Book, Mood, Street, a_model, a_request

JULY = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC)


class TestAddAndGet:
    def test_what_was_added_comes_back_equal(self, models: Repository[Model]) -> None:
        model = a_model(
            capabilities=[ModelCapability.CHAT, ModelCapability.EMBEDDING],
            status=ModelStatus.DEPRECATED,
            configuration={"temperature": 0.5, "stop": ["\n", "ß"], "nested": {"a": None}},
            cost_per_token=0.000002,
            created_at=JULY,
        )
        assert models.add(model) == model
        assert models.get(model.id) == model

    def test_every_type_comes_back_as_itself(self, authors: Repository[Author]) -> None:
        author = Author(
            name="Ada",
            born=date(1815, 12, 10),
            balance=Decimal("12345678901234567890.10"),
            address=Address(Street("Rue d'Alger", 7), date(1840, 1, 2), uuid4(), Mood.CROSS),
            tags=["a", 'quote"', "comma, {brace}", ""],
            moods=[Mood.CROSS, Mood.CALM],
            scans=2**40,
            picture=b"\x00\xff",
            active=False,
            rating=4.5,
            since=JULY,
        )
        authors.add(author)
        found = authors.get(author.id)
        assert found == author
        for field in Author.__slots__:  # type: ignore[attr-defined]
            assert type(getattr(found, field)) is type(getattr(author, field)), field
        assert str(found.balance) == str(author.balance)

    def test_decimals_are_compared_as_numbers(self, authors: Repository[Author]) -> None:
        for balance in ("10.0", "9.5", "2.50"):
            authors.add(Author(name=balance, balance=Decimal(balance)))
        assert [author.name for author in authors.find(order="balance")] == ["2.50", "9.5", "10.0"]
        assert authors.one(balance=Decimal("2.5")).name == "2.50"
        assert authors.one(balance=one_of(Decimal("10"))).name == "10.0"
        assert authors.one(balance=above(Decimal("9.5"))).name == "10.0"

    def test_what_may_be_none_may_be_none(self, authors: Repository[Author]) -> None:
        author = authors.add(Author(name="Nobody"))
        assert authors.get(author.id) == author
        assert (author.born, author.balance, author.moods, author.picture) == (None,) * 4

    def test_a_uuid_goes_in_as_uuid_or_text_and_comes_out_as_uuid(
        self, models: Repository[Model], requests: Repository[Request]
    ) -> None:
        id_ = uuid4()
        model = a_model(id=str(id_))
        models.add(model)
        assert models.get(str(id_).upper()).id == models.get(id_.hex).id == id_
        request = requests.add(a_request(model))
        assert type(request.model_id) is UUID
        assert request.model_id == models.one(id=str(id_)).id == id_

    def test_a_time_comes_back_with_a_zone(self, models: Repository[Model]) -> None:
        there = JULY.astimezone(timezone(timedelta(hours=5, minutes=30)))
        model = models.add(a_model(created_at=there))
        assert model.created_at == JULY
        assert model.created_at.utcoffset() is not None

    def test_a_key_of_several_fields_is_a_tuple(
        self, books: Repository[Book], authors: Repository[Author]
    ) -> None:
        author = authors.add(Author(name="Ada"))
        book = books.add(Book(shelf="A", number=1, author_id=author.id, sold="50%"))
        assert books.get(("A", 1)) == book
        assert books.update(("A", 1), sold=None).sold is None
        books.delete(("A", 1))
        with pytest.raises(NotFound, match=r"no Book has the key \('A', 1\)"):
            books.get(("A", 1))
        with pytest.raises(InvalidValue, match=r"the key of Book is \(shelf, number\)"):
            books.get("A")

    def test_several_keys_keep_their_order(self, models: Repository[Model]) -> None:
        first, _, third = (models.add(a_model()) for _ in range(3))
        found = models.get_many([third.id, uuid4(), str(first.id)])
        assert found == [third, first]
        assert models.get_many([]) == []

    def test_a_key_without_a_row_is_an_error(self, models: Repository[Model]) -> None:
        missing = uuid4()
        with pytest.raises(NotFound, match=f"no Model has the id {missing}") as caught:
            models.get(missing)
        assert (caught.value.entity, caught.value.field, caught.value.value) == (
            "Model",
            "id",
            missing,
        )


class TestFind:
    @pytest.fixture(autouse=True)
    def rows(self, models: Repository[Model]) -> None:
        for number in range(1, 6):
            models.add(
                a_model(
                    model_id=f"m{number}",
                    max_tokens=number * 10 if number < 5 else None,
                    status=ModelStatus.ACTIVE if number % 2 else ModelStatus.INACTIVE,
                    capabilities=[ModelCapability.CHAT, ModelCapability.EMBEDDING][: number % 3],
                    created_at=JULY + timedelta(days=number),
                )
            )

    @pytest.mark.parametrize(
        ("wanted", "names"),
        [
            ({}, "m1 m2 m3 m4 m5"),
            ({"status": ModelStatus.ACTIVE}, "m1 m3 m5"),
            ({"status": ModelStatus.ACTIVE, "max_tokens": 10}, "m1"),
            ({"status": one_of(ModelStatus.ACTIVE, ModelStatus.INACTIVE)}, "m1 m2 m3 m4 m5"),
            ({"status": one_of()}, ""),
            ({"status": not_(ModelStatus.ACTIVE)}, "m2 m4"),
            ({"model_id": one_of("m1", "m4", "m9")}, "m1 m4"),
            ({"max_tokens": None}, "m5"),
            ({"max_tokens": not_(None)}, "m1 m2 m3 m4"),
            ({"max_tokens": not_(10)}, "m2 m3 m4 m5"),
            ({"max_tokens": at_least(30)}, "m3 m4"),
            ({"max_tokens": above(30)}, "m4"),
            ({"max_tokens": at_most(20)}, "m1 m2"),
            ({"max_tokens": below(20)}, "m1"),
            ({"max_tokens": between(20, 30)}, "m2 m3"),
            ({"created_at": above(JULY + timedelta(days=3))}, "m4 m5"),
            ({"capabilities": contains(ModelCapability.CHAT)}, "m1 m2 m4 m5"),
            ({"capabilities": contains(ModelCapability.EMBEDDING, ModelCapability.CHAT)}, "m2 m5"),
            ({"capabilities": []}, "m3"),
            ({"capabilities": [ModelCapability.CHAT]}, "m1 m4"),
            ({"capabilities": not_([ModelCapability.CHAT])}, "m2 m3 m5"),
        ],
    )
    def test_by_its_fields(
        self, models: Repository[Model], wanted: dict[str, Any], names: str
    ) -> None:
        found = models.find(**wanted)
        assert sorted(model.model_id for model in found) == names.split()
        assert models.count(**wanted) == len(found)
        assert models.exists(**wanted) is bool(found)

    @pytest.mark.parametrize(
        ("order", "names"),
        [
            ("model_id", "m1 m2 m3 m4 m5"),
            ("-created_at", "m5 m4 m3 m2 m1"),
            ("max_tokens", "m1 m2 m3 m4 m5"),
            ("-max_tokens", "m5 m4 m3 m2 m1"),
            (("status", "-model_id"), "m5 m3 m1 m4 m2"),
        ],
    )
    def test_in_order(self, models: Repository[Model], order: Any, names: str) -> None:
        assert [model.model_id for model in models.find(order=order)] == names.split()
        first = models.find(order=order, limit=2)
        assert [model.model_id for model in first] == names.split()[:2]

    def test_a_limit_is_a_number(self, models: Repository[Model]) -> None:
        assert models.find(limit=0) == []
        for limit in (-1, "5", 1.5, True):
            with pytest.raises(InvalidValue, match="a limit is a number of rows"):
                models.find(limit=limit)  # type: ignore[arg-type]

    def test_none_has_no_place_in_a_condition(self, models: Repository[Model]) -> None:
        with pytest.raises(InvalidValue, match=r"one_of\(\) takes no None"):
            models.find(max_tokens=one_of(1, None))

    def test_exactly_one(self, models: Repository[Model]) -> None:
        assert models.one(model_id="m1").model_id == "m1"
        with pytest.raises(NotFound, match="no Model has model_id='m9'"):
            models.one(model_id="m9")
        with pytest.raises(MultipleFound, match="several rows of Model"):
            models.one(status=ModelStatus.ACTIVE)

    def test_streamed(self, models: Repository[Model]) -> None:
        streamed = models.stream(order="-model_id", status=ModelStatus.ACTIVE)
        assert [model.model_id for model in streamed] == ["m5", "m3", "m1"]

    def test_a_stream_may_be_left(self, models: Repository[Model]) -> None:
        for model in models.stream(order="model_id"):
            assert model.model_id == "m1"
            break
        assert models.count() == 5


class TestPages:
    @pytest.mark.parametrize(
        "order",
        ["model_id", "-created_at", ("status", "-created_at"), ("-status", "model_id"), ()],
    )
    def test_every_row_is_on_one_page(self, models: Repository[Model], order: Any) -> None:
        for number in range(13):
            status = ModelStatus.ACTIVE if number % 2 else ModelStatus.INACTIVE
            created_at = JULY + timedelta(minutes=number // 3)
            models.add(a_model(model_id=f"m{number:02}", status=status, created_at=created_at))
        seen: list[Model] = []
        after = None
        while True:
            page = models.page(after, order=order, limit=4)
            seen += page.items
            after = page.next
            if after is None:
                break
            assert len(page.items) == 4
        expected = models.find(order=(*([order] if isinstance(order, str) else order),))
        assert len({model.id for model in seen}) == 13
        if order:
            key = [(m.status, m.created_at) if order[0] == "status" else None for m in expected]
            assert [(m.status, m.created_at) if order[0] == "status" else None for m in seen] == key

    def test_rows_added_meanwhile_move_nothing(self, models: Repository[Model]) -> None:
        for number in range(0, 20, 2):
            models.add(a_model(model_id=f"m{number:02}"))
        first = models.page(order="model_id", limit=5)
        models.add(a_model(model_id="m01"))
        second = models.page(first.next, order="model_id", limit=5)
        assert [model.model_id for model in second.items] == ["m10", "m12", "m14", "m16", "m18"]
        assert second.next is None

    def test_a_filter_stays(self, models: Repository[Model]) -> None:
        for number in range(6):
            models.add(a_model(max_tokens=number))
        page = models.page(max_tokens=at_least(2), limit=3)
        rest = models.page(page.next, max_tokens=at_least(2), limit=3)
        assert len(page.items) == 3
        assert len(rest.items) == 1

    def test_a_damaged_cursor_or_another_querys_is_refused(self, models: Repository[Model]) -> None:
        for _ in range(3):
            models.add(a_model())
        cursor = models.page(order="model_id", limit=1).next
        assert cursor is not None
        for wrong in ("x", "", cursor[:-2], cursor + "AAAA", "ä"):
            with pytest.raises(InvalidCursor, match="is not a cursor of this query"):
                models.page(wrong, order="model_id", limit=1)
        with pytest.raises(InvalidCursor):
            models.page(cursor, order="-model_id", limit=1)
        with pytest.raises(InvalidCursor):
            models.page(cursor, order="model_id", limit=1, description=None)

    def test_what_may_be_null_orders_no_pages(self, models: Repository[Model]) -> None:
        with pytest.raises(InvalidValue, match="which may be null"):
            models.page(order="max_tokens")

    def test_an_empty_table_has_one_empty_page(self, models: Repository[Model]) -> None:
        page = models.page()
        assert (page.items, page.next) == ([], None)


class TestOwnSql:
    def test_gives_entities(self, models: Repository[Model], requests: Repository[Request]) -> None:
        model = models.add(a_model(status=ModelStatus.INACTIVE))
        request = requests.add(a_request(model, created_at=JULY))
        requests.add(a_request(models.add(a_model())))
        found = requests.query(
            "SELECT {r.columns} FROM {table} AS r JOIN {Model} AS m ON m.id = r.model_id "
            "WHERE m.status = %(status)s AND m.id = %(id)s AND r.created_at <= %(time)s",
            {"status": ModelStatus.INACTIVE, "id": model.id, "time": JULY},
            join=[Model],
        )
        assert found == [request]

    def test_marks_by_position_and_without_any(self, models: Repository[Model]) -> None:
        model = models.add(a_model(model_id="50%"))
        by_name = "SELECT {columns} FROM {table} WHERE model_id = %s"
        assert models.query(by_name, ("50%",)) == [model]
        assert models.query("SELECT {columns} FROM {table} WHERE model_id LIKE '50%'") == [model]
        with_mark = "SELECT {columns} FROM {table} WHERE model_id LIKE '5%%' AND provider = %s"
        assert models.query(with_mark, [ModelProvider.OPENAI]) == [model]

    def test_names_with_a_percent_sign(
        self, books: Repository[Book], authors: Repository[Author]
    ) -> None:
        author = authors.add(Author(name="Ada"))
        book = books.add(Book(shelf="A", number=1, author_id=author.id, sold="9%"))
        assert books.query("SELECT {columns} FROM {table}") == [book]
        assert books.query("SELECT {columns} FROM {table} WHERE number = %s", [1]) == [book]

    def test_ids_may_be_text(self, books: Repository[Book]) -> None:
        sql = "SELECT 'A' AS shelf, 1 AS number, %s AS author_id, NULL AS \"100%%\""
        (found,) = books.query(sql, [str(uuid4())])
        assert type(found.author_id) is UUID

    def test_columns_that_are_not_the_entitys_are_refused(self, models: Repository[Model]) -> None:
        for columns in ("id", "{columns}, 1 AS one", "{columns}, id"):
            with pytest.raises(InvalidValue, match="the query gives the columns"):
                models.query(f"SELECT {columns} FROM {{table}}")

    def test_no_value_is_made_up_for_a_column_that_is_left_out(
        self, models: Repository[Model]
    ) -> None:
        models.add(a_model(status=ModelStatus.INACTIVE))
        with pytest.raises(InvalidValue, match="the query gives the columns"):
            models.query("SELECT id, model_id, provider, capabilities FROM {table}")

    def test_what_is_refused_has_written_nothing(
        self, place: Place, models: Repository[Model]
    ) -> None:
        kept = models.add(a_model())
        for sql in (
            "DELETE FROM {table} RETURNING id",
            "UPDATE {table} SET description = 'x' RETURNING id, model_id",
            "WITH gone AS (DELETE FROM {table} RETURNING id) SELECT id FROM gone",
        ):
            if sql.startswith("WITH") and place.is_sqlite:
                continue
            for _ in range(2):
                with pytest.raises(InvalidValue, match="the query gives the columns id"):
                    models.query(sql)
        with pytest.raises(InvalidValue):
            models.query("DELETE FROM {table} WHERE id = %(id)s RETURNING id", {"id": kept.id})
        assert models.find() == [kept]

    def test_a_value_the_entity_cannot_hold_names_its_column_and_row(
        self, books: Repository[Book]
    ) -> None:
        sql = "SELECT 'A' AS shelf, 7 AS number, 'nonsense' AS author_id, NULL AS \"100%\""
        with pytest.raises(
            MappingError, match=r"Book\.author_id of the row with shelf=A, number=7"
        ):
            books.query(sql)
        with pytest.raises(MappingError, match=r"Book\.shelf .*null"):
            books.query(sql.replace("'A'", "NULL"))
