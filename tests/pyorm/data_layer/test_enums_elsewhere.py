"""The shared enums and the entities in the libraries that services use them with."""

from __future__ import annotations

import json
import warnings

import msgspec
import pydantic
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from pyorm import Model, ModelProvider, ModelStatus

from .entities import a_model


class Wanted(pydantic.BaseModel):
    status: ModelStatus


class WantedStruct(msgspec.Struct):
    status: ModelStatus


def test_json_writes_the_value() -> None:
    assert json.dumps({"status": ModelStatus.ACTIVE}) == '{"status": "ACTIVE"}'


def test_pydantic_reads_any_case_and_writes_the_value() -> None:
    assert Wanted(status="ACTIVE").status is ModelStatus.ACTIVE  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Wanted.model_validate_json('{"status": "active"}').status is ModelStatus.ACTIVE
    assert Wanted(status=ModelStatus.ACTIVE).model_dump_json() == '{"status":"ACTIVE"}'
    with pytest.raises(pydantic.ValidationError, match="'ACTIVE', 'INACTIVE' or"):
        Wanted(status="gone")  # type: ignore[arg-type]
    schema = Wanted.model_json_schema()["$defs"]["ModelStatus"]
    assert schema["enum"] == ["ACTIVE", "INACTIVE", "DEPRECATED"]


def test_a_literal_given_to_pydantic_warns_at_the_developers_line() -> None:
    with pytest.warns(DeprecationWarning, match="write 'ACTIVE'") as seen:
        assert Wanted(status="active").status is ModelStatus.ACTIVE  # type: ignore[arg-type]
    assert seen[0].filename == __file__


def test_msgspec_reads_any_case_and_writes_the_value() -> None:
    decode = msgspec.json.Decoder(WantedStruct).decode
    assert decode(b'{"status": "ACTIVE"}').status is ModelStatus.ACTIVE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(b'{"status": "active"}').status is ModelStatus.ACTIVE
    with pytest.raises(msgspec.ValidationError, match="gone"):
        decode(b'{"status": "gone"}')
    assert msgspec.json.encode(WantedStruct(ModelStatus.ACTIVE)) == b'{"status":"ACTIVE"}'


def test_fastapi_reads_query_parameters_and_writes_entities() -> None:
    app = FastAPI()
    model = a_model(status=ModelStatus.INACTIVE)

    @app.get("/models")
    def models(status: ModelStatus, provider: ModelProvider | None = None) -> list[Model]:
        return [model] if status is model.status else []

    client = TestClient(app)
    (answer,) = client.get("/models", params={"status": ModelStatus.INACTIVE}).json()
    assert answer["status"] == "INACTIVE"
    assert answer["id"] == str(model.id)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*is deprecated, write")
        assert len(client.get("/models?status=inactive").json()) == 1
    refused = client.get("/models?status=gone")
    assert refused.status_code == 422
    assert "INACTIVE" in refused.text
    values = app.openapi()["components"]["schemas"]["ModelStatus"]["enum"]
    assert values == ["ACTIVE", "INACTIVE", "DEPRECATED"]
