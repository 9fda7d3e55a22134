"""standard.toml -> dataclasses, with errors that name the file, the line and the way on."""

from __future__ import annotations

import enum
import importlib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.errors import StandardError
from runner.standard.model import EnumStandard, JsonPath, Standard, TableStandard

_TABLE_KEYS = {"name", "uuids", "enums", "checks", "columns", "keep_original", "integers", "json"}
_SERVICE_KEYS = {"name", "schema", "enums"}


def load_standard(path: Path) -> Standard:
    """Read a `standard.toml`.

    Args:
        path: the file.

    Returns:
        The standard, its enums looked up in the module that the file names.

    Raises:
        StandardError: the file cannot be read, or says what cannot be.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise StandardError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StandardError(f"{path}: is no TOML: {error}") from error
    return _Reader(path, text).standard(content)


def shared_enums(module: str) -> list[EnumStandard]:
    """The enums that a module defines.

    Args:
        module: its dotted name.

    Raises:
        StandardError: it cannot be imported.
    """
    try:
        found = vars(importlib.import_module(module))
    except Exception as error:
        raise StandardError(
            f"the enums module {module} cannot be imported: {error}",
            hint="Run trueup where the service's code can be imported.",
        ) from error
    return [
        EnumStandard(name, tuple(str(member.value) for member in value))
        for name, value in found.items()
        if isinstance(value, type) and issubclass(value, enum.Enum) and len(value)
    ]


class _Reader:
    """Reads one file and knows where in it a name stands."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()

    def standard(self, content: Mapping[str, Any]) -> Standard:
        self._only(content, {"service", "table", "enum"}, "the file")
        service = content.get("service")
        if not isinstance(service, dict):
            raise self._error("service", "there is no [service] paragraph")
        self._only(service, _SERVICE_KEYS, "[service]")
        schema = self._text(service, "schema", default="public")
        enums = self._enums(service.get("enums"), content.get("enum", {}))
        tables = tuple(
            self._table(schema, old, paragraph, enums)
            for old, paragraph in content.get("table", {}).items()
        )
        names: dict[str, str] = {}
        for table in tables:
            if table.name in names:
                raise self._error(
                    table.name,
                    f"tables {names[table.name]} and {table.old} both want the name {table.name}",
                )
            names[table.name] = table.old
        return Standard(self._text(service, "name"), schema, tables)

    def _enums(self, module: object, listed: Mapping[str, Any]) -> dict[str, EnumStandard]:
        enums = {}
        if isinstance(module, str):
            try:
                enums = {e.name: e for e in shared_enums(module)}
            except StandardError as error:
                raise self._error(module, error.message, hint=error.hint) from error
        for name, paragraph in listed.items():
            self._only(paragraph, {"values", "map", "back"}, f"[enum.{name}]")
            known = enums.get(name)
            if known is None and "values" not in paragraph:
                raise self._error(
                    f"enum.{name}",
                    f"[enum.{name}] has no values, and the enums module has no {name}",
                )
            values = self._texts(paragraph, "values") or (known.values if known else ())
            mapping = {
                old.upper(): new for old, new in self._pairs(paragraph, "map", values).items()
            }
            back = {
                new: old
                for new, old in self._pairs(paragraph, "back", None).items()
                if self._is_value(new, values)
            }
            enums[name] = EnumStandard(name, values, mapping, back)
        return enums

    def _table(
        self, schema: str, old: str, paragraph: Mapping[str, Any], enums: Mapping[str, EnumStandard]
    ) -> TableStandard:
        self._only(paragraph, _TABLE_KEYS, f"[table.{old}]")
        columns = {
            column: self._enum(enums, name, f"{old}.{column}")
            for column, name in paragraph.get("enums", {}).items()
        }
        return TableStandard(
            schema=schema,
            old=old,
            name=self._text(paragraph, "name", default=old),
            uuids=self._texts(paragraph, "uuids"),
            enums=columns,
            checks=self._pairs(paragraph, "checks", None),
            columns=self._pairs(paragraph, "columns", None),
            keep_original=self._pairs(paragraph, "keep_original", None),
            integers=self._integers(paragraph),
            json=self._json(old, paragraph, enums),
        )

    def _enum(self, enums: Mapping[str, EnumStandard], name: object, where: str) -> EnumStandard:
        if not isinstance(name, str) or name not in enums:
            raise self._error(
                str(name),
                f"{where}: there is no enum {name}",
                hint=f"Known enums: {', '.join(sorted(enums)) or 'none'}.",
            )
        return enums[name]

    def _json(
        self, old: str, paragraph: Mapping[str, Any], enums: Mapping[str, EnumStandard]
    ) -> dict[str, tuple[JsonPath, ...]]:
        """The paths of JSON columns: tables in tables, as deep as the paths are."""
        found = {}
        given = paragraph.get("json", {})
        if not isinstance(given, dict):
            raise self._error("json", f"json must be columns with their paths, not {given!r}")
        for column, inside in given.items():
            where = f"{old}.{column}"
            if not isinstance(inside, dict):
                raise self._error(
                    f"json.{column}",
                    f"{where}: {inside!r} stands where a path should begin",
                    hint=f'Write json.{column}.key = "TheEnum".',
                )
            elsewhere = ("uuids", "enums", "columns", "keep_original", "integers")
            if other := [key for key in elsewhere if column in paragraph.get(key, ())]:
                raise self._error(
                    f"json.{column}", f"{where} is named under json and under {other[0]}"
                )
            found[column] = tuple(
                JsonPath(keys, self._enum(enums, name, ".".join((where, *keys))))
                for keys, name in self._paths(inside, where)
            )
        return found

    def _paths(
        self, inside: Mapping[str, Any], where: str
    ) -> Iterator[tuple[tuple[str, ...], object]]:
        for key, value in inside.items():
            if key.endswith(("[*]", "[]")) or key == "*":
                raise self._error(
                    key,
                    f"{where}.{key}: values in every element of an array cannot be converted",
                    hint="Leave the path out, and convert them in a migration of your own.",
                )
            if not isinstance(value, dict):
                yield (key,), value
                continue
            for keys, name in self._paths(value, f"{where}.{key}"):
                yield (key, *keys), name

    def _pairs(
        self, paragraph: Mapping[str, Any], key: str, values: tuple[str, ...] | None
    ) -> dict[str, str]:
        """A table of texts, whose values must be among those given."""
        pairs = paragraph.get(key, {})
        if not isinstance(pairs, dict) or not all(isinstance(v, str) for v in pairs.values()):
            raise self._error(key, f"{key} must be a table of texts, not {pairs!r}")
        if values is not None:
            for value in pairs.values():
                self._is_value(value, values)
        return dict(pairs)

    def _is_value(self, value: str, values: tuple[str, ...]) -> bool:
        if value not in values:
            raise self._error(
                value, f"{value} is not a value of the enum", hint=f"Values: {', '.join(values)}."
            )
        return True

    def _integers(self, paragraph: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        found = paragraph.get("integers", {})
        if not isinstance(found, dict) or not all(
            isinstance(v, list) and v and all(type(i) is int for i in v) for v in found.values()
        ):
            raise self._error("integers", f"integers must be lists of integers, not {found!r}")
        return {column: tuple(values) for column, values in found.items()}

    def _text(self, paragraph: Mapping[str, Any], key: str, default: str = "") -> str:
        value = paragraph.get(key, default)
        if not isinstance(value, str) or not value:
            raise self._error(key, f"{key} must be text, not {value!r}")
        return value

    def _texts(self, paragraph: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = paragraph.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise self._error(key, f"{key} must be a list of texts, not {value!r}")
        return tuple(value)

    def _only(self, paragraph: object, known: set[str], where: str) -> None:
        if not isinstance(paragraph, dict):
            raise self._error(where, f"{where} must be a paragraph, not {paragraph!r}")
        for key in paragraph:
            if key not in known:
                raise self._error(
                    key,
                    f"{where} has no key {key}",
                    hint=f"Known keys: {', '.join(sorted(known))}.",
                )

    def _error(self, text: str, message: str, *, hint: str = "") -> StandardError:
        line = next((i for i, line in enumerate(self._lines, 1) if text in line), 1)
        return StandardError(f"{self._path}:{line}: {message}", hint=hint)
