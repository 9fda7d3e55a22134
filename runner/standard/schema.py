"""The JSON schema of a standard.toml, for editors that complete and check it."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT}
_VALUE = {**_TEXT, "description": "a value of the enum, in upper case"}
_SWITCH = {
    "const": "expand",
    "description": "the old name becomes a view at expand already, and no table shows more columns",
}


def schema() -> dict[str, Any]:
    """The schema: what can stand where, and what it means."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "trueup: standard.toml",
        "description": "The new contract of one service.",
        "type": "object",
        "required": ["service"],
        "additionalProperties": False,
        "properties": {
            "service": _object(
                {
                    "name": {**_TEXT, "description": "the service's name"},
                    "schema": {
                        **_TEXT,
                        "default": "public",
                        "description": "the schema of the tables that name none",
                    },
                    "enums": {**_TEXT, "description": "a Python module with shared enums"},
                    "switch": _SWITCH,
                },
                required=["name"],
            ),
            "enum": _named("an enum", _enum()),
            "table": _named("a table, by its old name", _table()),
            "schema": _named("another schema", _named("a table, by its old name", _table())),
        },
    }


def _enum() -> dict[str, Any]:
    return _object(
        {
            "values": {
                "type": "array",
                "items": _VALUE,
                "minItems": 1,
                "uniqueItems": True,
                "description": "all of them, in order; needed unless the enums module has them",
            },
            "map": _pairs("the new value of an old one that does not stay what it is"),
            "back": {
                "description": "the old value that stands for a new one; `upper` for the same",
                "oneOf": [{"const": "upper"}, _pairs("the old value of a new one")],
            },
        }
    )


def _table() -> dict[str, Any]:
    return _object(
        {
            "name": {**_TEXT, "description": "its new name; else it keeps the old one"},
            "uuids": {**_TEXTS, "description": "columns that become native uuid"},
            "enums": _pairs("the enum of a column that becomes uppercase text with a CHECK"),
            "checks": _pairs("the name of a column's CHECK, where it is another"),
            "columns": _pairs("the new name of a column that only gets another name"),
            "keep_original": _pairs("the new column that keeps a column's old value"),
            "integers": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "integer"}},
                "description": "the values of an integer column that gets a CHECK",
            },
            "json": {
                "type": "object",
                "additionalProperties": {"type": "object"},
                "description": "by column, paths in it that hold values of an enum",
            },
            "switch": _SWITCH,
        }
    )


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    found = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**found, "required": required} if required else found


def _pairs(meaning: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": _TEXT, "description": meaning}


def _named(meaning: str, what: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": what, "description": meaning}
