"""Reading and printing the shared enums."""

from __future__ import annotations

import inspect
import json
import pickle
import warnings
from typing import Any

import pytest

from pyorm.enums import (
    ModelCapability,
    ModelProvider,
    ModelStatus,
    RequestType,
    SharedEnum,
    check_constraint,
)
from pyorm.errors import DeclarationError, UnknownEnumValue


@pytest.mark.parametrize("enum", [ModelStatus, ModelProvider, ModelCapability, RequestType])
def test_every_value_is_its_name_in_uppercase(enum: type[SharedEnum]) -> None:
    assert [member.value for member in enum] == [member.name.upper() for member in enum]


def test_the_exact_value_is_read_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ModelStatus.parse("ACTIVE") is ModelStatus.ACTIVE
        assert ModelStatus("ACTIVE") is ModelStatus.ACTIVE
        assert ModelStatus.parse(ModelStatus.ACTIVE) is ModelStatus.ACTIVE


@pytest.mark.parametrize("text", ["active", "Active", "aCTIVE"])
@pytest.mark.parametrize("read", [ModelStatus.parse, ModelStatus], ids=["parse", "constructor"])
def test_what_a_client_sends_is_read_in_any_case(read: Any, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(text) is ModelStatus.ACTIVE


@pytest.mark.parametrize("read", [ModelStatus.parse, ModelStatus], ids=["parse", "constructor"])
def test_what_a_developer_wrote_warns_at_the_line(read: Any) -> None:
    with pytest.warns(DeprecationWarning, match="'active' is deprecated, write 'ACTIVE'") as seen:
        member, line = read("active"), inspect.stack(0)[0].lineno
    assert member is ModelStatus.ACTIVE
    assert (seen[0].filename, seen[0].lineno) == (__file__, line)


def test_a_warning_turned_into_an_error_reaches_the_developer() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeprecationWarning):
            ModelStatus.parse("active")


def test_an_unknown_value_lists_the_valid_ones_and_the_nearest() -> None:
    with pytest.raises(UnknownEnumValue) as caught:
        ModelStatus.parse("actve")
    assert caught.value.valid == ("ACTIVE", "INACTIVE", "DEPRECATED")
    assert caught.value.nearest == "ACTIVE"
    assert caught.value.value == "actve"
    assert str(caught.value) == (
        "'actve' is not a ModelStatus; did you mean 'ACTIVE'? "
        "(valid values: ACTIVE, INACTIVE, DEPRECATED)"
    )


@pytest.mark.parametrize(
    "value", ["", " ACTIVE", "ACTIVE\n", "act\N{LATIN SMALL LETTER DOTLESS I}ve"]
)
def test_what_is_not_the_value_in_another_case_is_refused(value: str) -> None:
    with pytest.raises(UnknownEnumValue):
        ModelStatus.parse(value)


@pytest.mark.parametrize("value", [None, 1, True, b"ACTIVE", ["ACTIVE"], RequestType])
@pytest.mark.parametrize("read", [ModelStatus.parse, ModelStatus], ids=["parse", "constructor"])
def test_what_is_no_text_is_refused_by_type(read: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="ModelStatus is read from text, not from"):
        read(value)


def test_a_member_is_its_text() -> None:
    assert f"{ModelStatus.ACTIVE}" == str(ModelStatus.ACTIVE) == "ACTIVE"
    assert json.dumps({"status": ModelStatus.ACTIVE}) == '{"status": "ACTIVE"}'
    assert {"ACTIVE": 1}[ModelStatus.ACTIVE] == 1
    assert pickle.loads(pickle.dumps(ModelStatus.ACTIVE)) is ModelStatus.ACTIVE


def test_a_shared_enum_whose_value_is_not_its_name_is_refused() -> None:
    with pytest.raises(DeclarationError, match="Priority\\.HIGH has the value 'high'"):

        class Priority(SharedEnum):
            HIGH = "high"


def test_the_check_of_an_enum_can_be_printed() -> None:
    assert check_constraint("status", ModelStatus) == (
        "CHECK (status IN ('ACTIVE', 'INACTIVE', 'DEPRECATED'))"
    )
    assert check_constraint('"order"', ModelProvider, array=True) == (
        "CHECK (\"order\" <@ ARRAY['OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM']::varchar[])"
    )
