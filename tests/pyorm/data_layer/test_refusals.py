"""What a repository refuses, and what it makes of what the database refuses."""

from __future__ import annotations

import json
import warnings
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.transaction import OutOfOrderTransactionNesting

from pyorm import (
    Model,
    ModelStatus,
    Repository,
    Request,
    RequestType,
    not_,
)
from pyorm.entity import declaration
from pyorm.errors import (
    CheckViolation,
    ForeignKeyViolation,
    InvalidValue,
    MappingError,
    NotNullViolation,
    UniqueViolation,
    UnknownEnumValue,
)
from pyorm.violations import violation_of_postgres

from .conftest import Place
from .entities import a_model, a_request

JULY = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC)


class TestWhatIsRefused:
    """Nothing is sent for a value that the field cannot hold, on any backend."""

    @pytest.mark.parametrize(
        "key",
        [
            "not-a-uuid",
            "",
            5,
            None,
            b"x" * 16,
            1.5,
            "\uff11" * 32,
            "1_" * 15 + "11",
            "0x" + "1" * 30,
        ],
    )
    def test_a_key_that_is_no_uuid(self, models: Repository[Model], key: Any) -> None:
        for call in (models.get, models.delete, lambda key: models.get_many([key])):
            with pytest.raises(InvalidValue) as caught:
                call(key)
            assert (caught.value.entity, caught.value.field) == ("Model", "id")
        with pytest.raises(InvalidValue):
            models.update(key, description="x")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("id", "not-a-uuid"),
            ("model_id", None),
            ("model_id", 5),
            ("model_id", "x" * 101),
            ("model_id", "nul\0"),
            ("status", "garbage"),
            ("status", RequestType.CHAT),
            ("status", None),
            ("capabilities", ["garbage"]),
            ("capabilities", "CHAT"),
            ("capabilities", [None]),
            ("max_tokens", 2**31),
            ("max_tokens", "5"),
            ("max_tokens", True),
            ("cost_per_token", "1.0"),
            ("configuration", [1]),
            ("configuration", {"a": object()}),
            ("configuration", {"a": float("nan")}),
            ("created_at", JULY.replace(tzinfo=None)),
            ("created_at", "2026-07-01"),
        ],
    )
    def test_a_value_of_another_type(
        self, models: Repository[Model], field: str, value: Any
    ) -> None:
        with pytest.raises(InvalidValue) as caught:
            models.add(a_model(**{field: value}))
        assert (caught.value.entity, caught.value.field) == ("Model", field)
        assert f"Model.{field}" in str(caught.value)
        with pytest.raises(InvalidValue):
            models.add_many([a_model(), a_model(**{field: value})])
        assert models.count() == 0

    def test_an_enum_literal_in_another_case_warns_and_is_written_in_uppercase(
        self, place: Place, models: Repository[Model]
    ) -> None:
        if place.loop:
            pytest.skip("the fixture's event loop stands between the literal and the call")
        with pytest.warns(DeprecationWarning, match="write 'INACTIVE'") as seen:
            model = models.add(a_model(status="inactive"))
        assert seen[0].filename == __file__
        assert model.status is ModelStatus.INACTIVE

    def test_an_enum_value_of_a_client_is_taken_in_any_case(
        self, models: Repository[Model]
    ) -> None:
        sent = json.loads('{"status": "inactive"}')
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert models.add(a_model(**sent)).status is ModelStatus.INACTIVE
            assert models.count(**sent) == 1

    def test_an_unknown_enum_value_lists_the_valid_ones(self, models: Repository[Model]) -> None:
        with pytest.raises(UnknownEnumValue, match="valid values: ACTIVE, INACTIVE, DEPRECATED"):
            models.find(status="gone")  # type: ignore[arg-type]

    def test_an_unknown_field_names_the_nearest(self, models: Repository[Model]) -> None:
        calls: list[Any] = [models.find, models.count, models.exists, models.one, models.page]
        for call in calls:
            with pytest.raises(InvalidValue, match="no field 'statsu'; did you mean 'status'"):
                call(statsu=1)
        with pytest.raises(InvalidValue, match="did you mean 'created_at'"):
            models.find(order="-createdat")

    def test_a_filter_on_json(self, models: Repository[Model]) -> None:
        models.add(a_model(configuration={"a": 1}))
        assert models.count(configuration=not_(None)) == 1
        assert models.count(configuration=None) == 0
        with pytest.raises(InvalidValue, match=r"Model\.configuration is json"):
            models.find(configuration={"a": 1})


class TestWhatTheDatabaseRefuses:
    def test_a_value_that_exists(self, models: Repository[Model]) -> None:
        model = models.add(a_model(model_id="gpt-4"))
        with pytest.raises(UniqueViolation, match=r"Model\.model_id 'gpt-4' exists") as caught:
            models.add(a_model(model_id="gpt-4"))
        error = caught.value
        assert (error.entity, error.field, error.value) == ("Model", "model_id", "gpt-4")
        assert error.__cause__ is not None
        with pytest.raises(UniqueViolation) as caught:
            models.add(a_model(id=model.id))
        assert (caught.value.field, caught.value.value) == ("id", model.id)
        other = models.add(a_model())
        with pytest.raises(UniqueViolation) as caught:
            models.update(other.id, model_id="gpt-4")
        assert (caught.value.field, caught.value.value) == ("model_id", "gpt-4")

    def test_a_reference_to_nothing(self, requests: Repository[Request]) -> None:
        missing = a_model()
        with pytest.raises(ForeignKeyViolation) as caught:
            requests.add(a_request(missing))
        error = caught.value
        assert (error.entity, error.field, error.value) == ("Request", "model_id", missing.id)

    def test_deleting_what_is_referred_to(
        self, models: Repository[Model], requests: Repository[Request]
    ) -> None:
        model = models.add(a_model())
        requests.add(a_request(model))
        with pytest.raises(ForeignKeyViolation) as caught:
            models.delete(model.id)
        assert (caught.value.entity, caught.value.field) == ("Model", "id")
        assert str(caught.value.value) == str(model.id)

    def test_a_check(self, place: Place, models: Repository[Model]) -> None:
        if place.is_sqlite or place.loop or place.contract != "new":
            pytest.skip("a CHECK of the test's own, where it can be added")
        check = "model_max_tokens_check"
        place.on.execute(f"ALTER TABLE model ADD CONSTRAINT {check} CHECK (max_tokens > 0)")
        with pytest.raises(CheckViolation) as caught:
            models.add(a_model(max_tokens=0))
        error = caught.value
        assert (error.field, error.value) == ("max_tokens", 0)
        assert error.constraint == check
        place.on.execute(f"ALTER TABLE model DROP CONSTRAINT {check}")

    def test_a_null_that_the_entity_does_not_know_of(
        self, place: Place, models: Repository[Model]
    ) -> None:
        if place.is_sqlite or place.loop or place.contract != "new":
            pytest.skip("a NOT NULL of the test's own, where it can be added")
        place.on.execute("ALTER TABLE model ALTER description SET NOT NULL")
        with pytest.raises(NotNullViolation) as caught:
            models.add(a_model())
        assert (caught.value.field, caught.value.value) == ("description", None)
        place.on.execute("ALTER TABLE model ALTER description DROP NOT NULL")


def test_rows_that_hold_an_unknown_value_name_the_column_and_the_key(
    place: Place, models: Repository[Model]
) -> None:
    if place.loop or place.is_sqlite or place.contract == "new":
        pytest.skip("only a table without a CHECK can hold one")
    good, bad = models.add(a_model()), models.add(a_model())
    place.on.execute("UPDATE models SET status = 'Archived' WHERE id = %s", [str(bad.id)])
    place.on.execute("UPDATE models SET status = 'Active' WHERE id = %s", [str(good.id)])
    assert models.get(good.id).status is ModelStatus.ACTIVE
    with pytest.raises(MappingError) as caught:
        models.find()
    assert f"Model.status of the row with id={bad.id}: 'Archived' is not a ModelStatus" in str(
        caught.value
    )


def test_an_error_of_the_server_stays_the_drivers_own(
    place: Place, models: Repository[Model]
) -> None:
    if place.is_sqlite:
        pytest.skip("a server's error")
    with pytest.raises(psycopg.errors.UndefinedFunction):
        models.query("SELECT {columns} FROM {table} WHERE no_such_function()")


def test_transactions_that_threads_mix_on_one_connection_are_about_no_value() -> None:
    error = OutOfOrderTransactionNesting("transaction commit at the wrong nesting level")
    assert violation_of_postgres(error, declaration(Model), None) is None
