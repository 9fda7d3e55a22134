"""Partial indexes and CHECKs whose values change with the contract."""

from __future__ import annotations

import pytest

from runner.errors import StandardError
from runner.generate.wording.casts import cast_ids
from runner.generate.wording.predicates import (
    Wording,
    calls_function_on,
    convert_literals,
    with_columns,
)
from runner.quoting import quote_ident


def convert(definition: str, **known: object) -> str:
    arguments = {
        "values": {"TODO", "DONE"},
        "native_types": set(),
        "text_columns": set(),
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


def test_an_id_beside_a_text_is_cast_and_one_beside_ids_stays_one() -> None:
    words = {
        "COALESCE(id, ''::character varying)": "COALESCE((id)::text, ''::character varying)",
        "COALESCE(t.id, p.far)": "COALESCE(t.id, p.far)",
        "COALESCE(COALESCE(id, 'x'::text), far)": (
            "COALESCE(COALESCE((id)::text, 'x'::text), (far)::text)"
        ),
        "COALESCE(COALESCE(id, far), name)": "COALESCE((COALESCE(id, far))::text, name)",
        "COALESCE(id, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::text)": (
            "COALESCE(id, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid)"
        ),
        "CASE n WHEN 1 THEN id ELSE NULL::text END": "CASE n WHEN 1 THEN id ELSE NULL::uuid END",
        "CASE WHEN n > 1 THEN id ELSE '?'::text END": (
            "CASE WHEN n > 1 THEN (id)::text ELSE '?'::text END"
        ),
        "CASE id WHEN 'x'::text THEN 1 END": "CASE (id)::text WHEN 'x'::text THEN 1 END",
        "CASE id WHEN far THEN 1 END": "CASE id WHEN far THEN 1 END",
        "(name <> 'COALESCE(id, x)'::text)": "(name <> 'COALESCE(id, x)'::text)",
        "COALESCE('id, '::text, name)": "COALESCE('id, '::text, name)",
        "public.f(n, id, 'a)'::text)": "public.f(n, (id)::text, 'a)'::text)",
        "(id IN ('x', 'it''s'))": "((id)::text IN ('x', 'it''s'))",
    }
    assert {old: cast_ids(old, {"id", "far"}) for old in words} == words


@pytest.mark.parametrize("column", ["state", "order", "Odd one", 'quo"ted'])
def test_a_function_on_a_column_of_any_name_is_found(column: str) -> None:
    named = quote_ident(column)
    call = f"lower(({named})::text)"
    assert calls_function_on(f"USING btree ({call})", column)
    assert not calls_function_on(f"USING btree ({call})", column[:-1])
    wording = Wording("view v", values={"DONE"}, enum_columns={column})
    with pytest.raises(StandardError, match="calls a function on"):
        wording.converted(f" SELECT 1 FROM tasks t WHERE (lower((t.{named})::text) = 'done'::text)")


@pytest.mark.parametrize(
    ("definition", "expected"),
    {
        "USING btree (status, n)": "USING btree (status__old, n)",
        "USING btree (n) WHERE ((status)::text = 'status'::text)": (
            "USING btree (n) WHERE ((status__old)::text = 'status'::text)"
        ),
        "USING btree (lower((status)::text))": "USING btree (lower((status__old)::text))",
        "USING btree (status(n), status)": "USING btree (status(n), status__old)",
        "USING gin ((text)::text, zone)": 'USING gin (("Text old")::text, zone__old)',
        "CHECK (((at)::timestamp with time zone > zone))": (
            "CHECK (((at)::timestamp with time zone > zone__old))"
        ),
        "CHECK ((status COLLATE status > 'a'::public.status))": (
            "CHECK ((status__old COLLATE status > 'a'::public.status))"
        ),
        'PRIMARY KEY ("Id", "a""b") INCLUDE (n)': 'PRIMARY KEY (id__old, "a""c") INCLUDE (n)',
        "USING btree (statuses, a.status)": "USING btree (statuses, a.status)",
    }.items(),
)
def test_a_definition_names_columns_as_they_are_called_now(definition: str, expected: str) -> None:
    names = {
        "status": "status__old",
        "zone": "zone__old",
        "text": "Text old",
        "Id": "id__old",
        'a"b': 'a"c',
    }
    assert with_columns(definition, names) == expected
