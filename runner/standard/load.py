"""standard.toml -> dataclasses, with errors that name the file, the line and the way on."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.errors import StandardError
from runner.quoting import Name
from runner.standard.lines import Lines
from runner.standard.model import LONGEST, EnumStandard, JsonPath, Standard, TableStandard
from runner.standard.modules import shared_enums

TABLE_KEYS = {
    *("name", "uuids", "enums", "checks", "columns", "keep_original", "integers", "json", "switch")
}
ENUM_KEYS = {"values", "map", "back"}
_SERVICE_KEYS = {"name", "schema", "enums", "switch"}
_Path = tuple[str, ...]


def load_standard(path: Path) -> Standard:
    """Read a `standard.toml`.

    Args:
        path: the file.

    Returns:
        The standard, its enums read from the module that the file names, which is not run.

    Raises:
        StandardError: the file cannot be read, or says what cannot be.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise StandardError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StandardError(f"{path}: is not TOML: {error}") from error
    return _Reader(path, text).standard(content)


class _Reader:
    """Reads one file and knows where in it a key stands."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = Lines(text)

    def standard(self, content: Mapping[str, Any]) -> Standard:
        self._only(content, {"service", "table", "schema", "enum"}, ())
        service = content.get("service")
        if not isinstance(service, dict):
            raise self._error(("service",), "there is no [service] section")
        self._only(service, _SERVICE_KEYS, ("service",))
        name = self._name(service, "name", ("service",))
        schema = self._name(service, "schema", ("service",), default="public")
        module = service.get("enums")
        if module is not None and (not isinstance(module, str) or not module):
            raise self._error(("service", "enums"), f"enums must be text, not {module!r}")
        enums = self._enums(module, self._paragraphs(content, ("enum",)))
        at_expand = self._switches_at_expand(service, ("service",))
        tables: dict[Name, TableStandard] = {}
        wanted: dict[Name, TableStandard] = {}
        for path, paragraph in self._tables(content):
            place = path[1] if path[0] == "schema" else schema
            table = self._table(Name(place, path[-1]), paragraph, path, enums)
            if at_expand:
                table = replace(table, at_expand=True)
            key = Name(place, table.old)
            if key in tables:
                raise self._error(path, f"the table {key} has two sections")
            tables[key] = table
            other = wanted.setdefault(Name(place, table.name), table)
            if other is not table:
                raise self._error(
                    (*path, "name"),
                    f"tables {other.old} and {table.old} would both get the name {table.name}",
                    hint="Give one of them another name.",
                )
        return Standard(name, schema, tuple(tables.values()))

    def _tables(self, content: Mapping[str, Any]) -> Iterator[tuple[_Path, Mapping[str, Any]]]:
        """The paragraphs of tables: `[table.plans]`, `[schema.billing.plans]`."""
        for old, paragraph in self._paragraphs(content, ("table",)).items():
            yield ("table", old), paragraph
        for schema in self._paragraphs(content, ("schema",)):
            self._require_short(schema, ("schema", schema))
            for old, paragraph in self._paragraphs(content, ("schema", schema)).items():
                yield ("schema", schema, old), paragraph

    def _paragraphs(self, content: Mapping[str, Any], path: _Path) -> Mapping[str, Any]:
        for key in path:
            content = content.get(key, {})
            if not isinstance(content, dict):
                raise self._error(path, f"[{'.'.join(path)}] must hold sections")
        for name, paragraph in content.items():
            if not isinstance(paragraph, dict):
                where = ".".join((*path, name))
                raise self._error((*path, name), f"{where} must be a section, not {paragraph!r}")
            self._require_text(name, (*path, name))
        return content

    # enums

    def _enums(self, module: str | None, listed: Mapping[str, Any]) -> dict[str, EnumStandard]:
        enums = {}
        if module is not None:
            try:
                enums = {e.name: e for e in shared_enums(module)}
            except StandardError as error:
                raise self._error(("service", "enums"), error.message, hint=error.hint) from error
        for name, paragraph in listed.items():
            path = ("enum", name)
            self._only(paragraph, ENUM_KEYS, path)
            known = enums.get(name)
            if known is None and "values" not in paragraph:
                raise self._error(
                    path, f"[enum.{name}] has no values, and the enums module has no {name}"
                )
            if known is not None and "values" not in paragraph:
                self._require_known(known, path)
            values = self._texts(paragraph, "values", path) or (known.values if known else ())
            self._require_values(name, values, (*path, "values"))
            enums[name] = EnumStandard(
                name,
                values,
                self._mapping(paragraph, values, path),
                {v: v for v in values}
                if paragraph.get("back") == "upper"
                else self._pairs(paragraph, "back", path),
            )
            self._require_way_back(enums[name], path)
        return enums

    def _require_values(self, name: str, values: Sequence[str], path: _Path) -> None:
        if not values:
            raise self._error(path, f"{name} has no values")
        for value in values:
            if value != value.upper():
                raise self._error(
                    path,
                    f"{name}: the value {value} is not in upper case",
                    hint=f"The new contract holds {value.upper()}; old values come in any case.",
                    word=value,
                )
            if values.count(value) > 1:
                raise self._error(path, f"{name} has the value {value} twice", word=value)

    def _mapping(
        self, paragraph: Mapping[str, Any], values: Sequence[str], path: _Path
    ) -> dict[str, str]:
        """The new value of each old one in upper case."""
        mapping: dict[str, str] = {}
        for old, new in self._pairs(paragraph, "map", path).items():
            here = (*path, "map", old)
            self._require_value(new, values, here)
            if old.upper() in mapping:
                raise self._error(here, f"map has {old.upper()} twice: case makes no difference")
            if old.upper() == new:
                raise self._error(
                    here,
                    f"map gives {old} itself",
                    hint="Leave it out: a value of the enum stays what it is.",
                )
            mapping[old.upper()] = new
        return mapping

    def _require_way_back(self, enum: EnumStandard, path: _Path) -> None:
        """A value that a new client writes must be the same after a look through the old side."""
        for new, old in enum.back.items():
            self._require_value(new, enum.values, (*path, "back", new))
            found = enum.mapping.get(old.upper(), old.upper())
            if found != new:
                raise self._error(
                    (*path, "back", new),
                    f"back gives {new} the old value {old}, which becomes {found}",
                    hint=f"Name an old value that becomes {new}.",
                )
        for new in enum.values:
            if new in enum.mapping and new not in enum.back:
                raise self._error(
                    (*path, "map", new),
                    f"map turns {new} into {enum.mapping[new]}, but {new} is a value of the enum: "
                    "what a new client writes would change",
                    hint=f"Leave {new} out of values, or say in `back` what the old contract sees.",
                )

    def _require_value(self, value: str, values: Sequence[str], path: _Path) -> None:
        if value not in values:
            raise self._error(
                path,
                f"{value} is not a value of the enum",
                hint=f"Values: {', '.join(values)}.",
                word=value,
            )

    # tables

    def _table(
        self,
        table: Name,
        paragraph: Mapping[str, Any],
        path: _Path,
        enums: Mapping[str, EnumStandard],
    ) -> TableStandard:
        old = table.name
        self._only(paragraph, TABLE_KEYS, path)
        self._require_short(old, path)
        columns = {}
        for column, name in self._pairs(paragraph, "enums", path).items():
            here = (*path, "enums", column)
            columns[column] = self._enum(enums, name, f"{old}.{column}", here)
        found = TableStandard(
            schema=table.schema,
            old=old,
            name=self._name(paragraph, "name", path, default=old),
            uuids=self._texts(paragraph, "uuids", path),
            enums=columns,
            checks=self._names(paragraph, "checks", path),
            columns=self._names(paragraph, "columns", path),
            keep_original=self._names(paragraph, "keep_original", path),
            integers=self._integers(paragraph, path),
            json=self._json(old, paragraph, path, enums),
            at_expand=self._switches_at_expand(paragraph, path),
        )
        self._require_sense(found, path)
        return found

    def _switches_at_expand(self, paragraph: Mapping[str, Any], path: _Path) -> bool:
        if "switch" in paragraph and paragraph["switch"] != "expand":
            raise self._error(
                (*path, "switch"),
                f'switch can be "expand" alone, not {paragraph["switch"]!r}',
                hint="Without it the switch is a phase of its own, after enforce.",
            )
        return "switch" in paragraph

    def _enum(
        self, enums: Mapping[str, EnumStandard], name: object, where: str, path: _Path
    ) -> EnumStandard:
        if not isinstance(name, str) or name not in enums:
            raise self._error(
                path,
                f"{where}: there is no enum {name}",
                hint=f"Known enums: {', '.join(sorted(enums)) or 'none'}.",
                word=str(name),
            )
        # Only now: a module may hold enums that are no business of the database.
        self._require_known(enums[name], path)
        self._require_values(name, enums[name].values, path)
        return enums[name]

    def _require_known(self, enum: EnumStandard, path: _Path) -> None:
        if enum.unknown:
            raise self._error(
                path,
                f"the values of {enum.name} are not all written in its module, which is read and "
                f"not run: {enum.unknown}",
                hint=f"Write each value there, or list them here: [enum.{enum.name}] values = …",
                word=enum.name,
            )

    def _json(
        self,
        old: str,
        paragraph: Mapping[str, Any],
        path: _Path,
        enums: Mapping[str, EnumStandard],
    ) -> dict[str, tuple[JsonPath, ...]]:
        """The paths of JSON columns: tables in tables, as deep as the paths are."""
        found = {}
        given = paragraph.get("json", {})
        if not isinstance(given, dict):
            raise self._error(
                (*path, "json"), f"json must be columns with their paths, not {given!r}"
            )
        for column, inside in given.items():
            here = (*path, "json", column)
            if not isinstance(inside, dict):
                raise self._error(
                    here,
                    f"{old}.{column}: {inside!r} stands where a path should begin",
                    hint=f'Write json.{column}.key = "TheEnum".',
                )
            found[column] = tuple(
                JsonPath(
                    keys, self._enum(enums, name, ".".join((old, column, *keys)), (*here, *keys))
                )
                for keys, name in self._paths(inside, f"{old}.{column}", here)
            )
        return found

    def _paths(
        self, inside: Mapping[str, Any], where: str, path: _Path
    ) -> Iterator[tuple[tuple[str, ...], object]]:
        for key, value in inside.items():
            if key.endswith(("[*]", "[]")) or key == "*":
                raise self._error(
                    (*path, key),
                    f"{where}.{key}: values in every element of an array cannot be converted",
                    hint="Leave the path out, and convert them in a migration of your own.",
                )
            if not isinstance(value, dict):
                yield (key,), value
                continue
            for keys, name in self._paths(value, f"{where}.{key}", (*path, key)):
                yield (key, *keys), name

    def _require_sense(self, table: TableStandard, path: _Path) -> None:
        """What one paragraph says must go together."""
        roles = {
            "uuids": table.uuids,
            "enums": table.enums,
            "columns": table.columns,
            "integers": table.integers,
            "json": table.json,
        }
        first: dict[str, str] = {}
        for key, names in roles.items():
            for column in names:
                if column in first:
                    twice = (
                        f"in {key} twice"
                        if first[column] == key
                        else (f"in {first[column]} and in {key}")
                    )
                    raise self._error(
                        (*path, key, column) if key != "uuids" else (*path, key),
                        f"{table.old}.{column} is {twice}",
                        hint="A column changes in one way only.",
                        word=column,
                    )
                first[column] = key
        for column in table.keep_original:
            if column not in table.enums:
                raise self._error(
                    (*path, "keep_original", column),
                    f"keep_original names {table.old}.{column}, which is not in enums",
                    hint="Only an enum's old value can be kept in another column.",
                )
        for column in table.checks:
            if column not in table.enums and column not in table.integers:
                raise self._error(
                    (*path, "checks", column),
                    f"checks names {table.old}.{column}, which is in neither enums nor integers",
                )
        self._require_own_names(table, path)

    def _require_own_names(self, table: TableStandard, path: _Path) -> None:
        for keys, what in ((("columns", "keep_original"), "column"), (("checks",), "CHECK")):
            pairs = [(k, c, name) for k in keys for c, name in getattr(table, k).items()]
            count = Counter(name for _, _, name in pairs)
            for key, column, name in reversed(pairs):
                if count[name] > 1:
                    raise self._error(
                        (*path, key, column), f"{table.old} would have two {what}s named {name}"
                    )

    def _integers(self, paragraph: Mapping[str, Any], path: _Path) -> dict[str, tuple[int, ...]]:
        found = paragraph.get("integers", {})
        here = (*path, "integers")
        if not isinstance(found, dict):
            raise self._error(here, f"integers must be a table of lists, not {found!r}")
        for column, values in found.items():
            if not isinstance(values, list) or not values or {type(v) for v in values} != {int}:
                raise self._error(
                    (*here, column), f"integers.{column} must be a list of integers, not {values!r}"
                )
            if len({*values}) < len(values):
                raise self._error((*here, column), f"integers.{column} has a value twice")
        return {column: tuple(values) for column, values in found.items()}

    # values

    def _pairs(self, paragraph: Mapping[str, Any], key: str, path: _Path) -> dict[str, str]:
        """A table of texts."""
        pairs = paragraph.get(key, {})
        if not isinstance(pairs, dict):
            raise self._error((*path, key), f"{key} must be a table of texts, not {pairs!r}")
        for name, value in pairs.items():
            if not isinstance(value, str) or not value:
                raise self._error((*path, key, name), f"{key}.{name} must be text, not {value!r}")
        return dict(pairs)

    def _names(self, paragraph: Mapping[str, Any], key: str, path: _Path) -> dict[str, str]:
        """A table of names that PostgreSQL takes."""
        pairs = self._pairs(paragraph, key, path)
        for column, name in pairs.items():
            self._require_short(name, (*path, key, column))
        return pairs

    def _name(self, paragraph: Mapping[str, Any], key: str, path: _Path, default: str = "") -> str:
        value = paragraph.get(key, default)
        if value == "" and key not in paragraph:
            raise self._error(path, f"[{'.'.join(path)}] has no {key}")
        if not isinstance(value, str) or not value:
            raise self._error((*path, key), f"{key} must be text, not {value!r}")
        self._require_short(value, (*path, key))
        return value

    def _require_short(self, name: str, path: _Path) -> None:
        self._require_text(name, path)
        if len(name.encode()) > LONGEST:
            raise self._error(
                path,
                f"the name {name} has {len(name.encode())} bytes",
                hint=f"PostgreSQL keeps {LONGEST} bytes of a name.",
            )

    def _require_text(self, name: str, path: _Path) -> None:
        if not name or "\0" in name:
            raise self._error(path, f"{name!r} is not a name")

    def _texts(self, paragraph: Mapping[str, Any], key: str, path: _Path) -> tuple[str, ...]:
        value = paragraph.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise self._error((*path, key), f"{key} must be a list of texts, not {value!r}")
        return tuple(value)

    def _only(self, paragraph: Mapping[str, Any], known: Iterable[str], path: _Path) -> None:
        for key in paragraph:
            if key not in known:
                where = f"[{'.'.join(path)}]" if path else "the file"
                raise self._error(
                    (*path, key),
                    f"{where} has no key {key}",
                    hint=f"Known keys: {', '.join(sorted(known))}.",
                )

    def _error(self, path: _Path, message: str, *, hint: str = "", word: str = "") -> StandardError:
        return StandardError(f"{self._path}:{self._lines.of(path, word)}: {message}", hint=hint)
