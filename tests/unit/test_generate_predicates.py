"""Partial indexes and CHECKs whose values change with the contract."""

from __future__ import annotations

import pytest

from runner.errors import StandardError
from runner.generate.predicates import convert_literals


def convert(definition: str, **known: object) -> str:
    arguments = {
        "values": {"TODO", "DONE"},
        "native_types": set(),
        "text_columns": set(),
        "uuid_columns": set(),
        **known,
    }
    return convert_literals(definition, what="index tasks_open_idx", **arguments)  # type: ignore[arg-type]


def test_a_text_value_becomes_uppercase() -> None:
    before = "USING btree (phase_id) WHERE ((state)::text <> 'done'::text)"
    assert convert(before) == "USING btree (phase_id) WHERE ((state)::text <> 'DONE'::text)"


def test_a_value_of_a_native_type_loses_its_cast() -> None:
    before = "USING btree (phase_id) WHERE (state <> 'done'::public.task_state)"
    after = convert(before, native_types={"public.task_state"})
    assert after == "USING btree (phase_id) WHERE (state <> 'DONE')"


def test_a_list_of_values_becomes_uppercase() -> None:
    before = (
        "WHERE ((state)::text = ANY ((ARRAY['todo'::character varying, "
        "'done'::character varying])::text[]))"
    )
    assert "'TODO'::character varying, 'DONE'::character varying" in convert(before)


def test_values_that_are_not_of_the_enum_stay() -> None:
    before = "WHERE ((title)::text <> 'draft'::text)"
    assert convert(before, text_columns={"title"}) == before


def test_a_value_that_may_be_of_another_column_is_refused() -> None:
    before = "WHERE (((title)::text = 'done'::text) AND ((state)::text = 'done'::text))"
    with pytest.raises(StandardError, match=r"tasks_open_idx.*may be a value of title"):
        convert(before, text_columns={"title"})


def test_a_uuid_that_is_used_as_text_is_refused() -> None:
    with pytest.raises(StandardError, match="uses id as text"):
        convert("USING btree (lower((id)::text))", uuid_columns={"id"})
