"""SQL of one's own: the entity's names filled in, its values as the table stores them.

    SELECT {r.columns} FROM {table} AS r JOIN {Model} AS m ON m.id = r.model_id WHERE ...

`{table}` is the entity's table, `{columns}` its columns, `{r.columns}` these of the alias r,
`{Model}` the table of another entity, `{Model.status}` a column of it, `{Model.status.ACTIVE}` a
value of an enum, as that column stores it now. Anything else in braces stays as it is.

A literal, `'ACTIVE'`, finds nothing where the other contract still stands: a LiteralWarning says
so, once for each text, and check() at start-up.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import sql

from pyorm.enums import SharedEnum
from pyorm.errors import InvalidValue, LiteralWarning
from pyorm.mapping import POSTGRESQL, SQLITE, TableMapping
from pyorm.queries import Statement
from pyorm.storage import utc_text

Parameters = Mapping[str, Any] | Sequence[Any] | None

NAME = re.compile(r"\{(\w+)(?:\.(\w+))?(?:\.(\w+))?\}")
# Comments and quoted names are passed over; the group is a literal.
LITERAL = re.compile(r"--[^\n]*|/\*.*?\*/|\"[^\"]*\"|'((?:[^']|'')*)'", re.DOTALL)
MARK = re.compile(r"%(?:\((\w+)\))?s|%%")


@cache
def sql_file(path: str | Path) -> str:
    """Read a query from a file, once."""
    return Path(path).read_text(encoding="utf-8")


def own_query(
    mapping: TableMapping[Any],
    others: Sequence[TableMapping[Any]],
    text: str,
    parameters: Parameters,
) -> Statement:
    """The statement of the user's own SQL.

    Args:
        mapping: the entity that comes back.
        others: the mappings of the other entities that the SQL names.
        text: with psycopg's marks, `%s` or `%(name)s`.
        parameters: of the marks; without any, a percent sign is one.
    """
    named = {other.declared.name: other for other in (mapping, *others)}

    def fill(found: re.Match[str]) -> str:
        name, member, value = found.groups()
        part: sql.Composable
        if value:
            part = _enum_value(named, name, member, value)
        elif member == "columns" and name not in named:
            part = mapping.select_list(name)
        elif member and name in named:
            part = named[name].names[named[name].declared.column(member).field]
        elif found[0] == "{columns}":
            part = mapping.selected
        elif found[0] == "{table}":
            part = mapping.relation
        elif name in named and not member:
            part = named[name].relation
        else:
            return found[0]
        filled = part.as_string(None)
        doubled = mapping.backend == POSTGRESQL
        if doubled and parameters is None:
            return filled.replace("%%", "%")
        return filled if doubled or parameters is None else filled.replace("%", "%%")

    def make() -> sql.Composable:
        for problem in literals(text, tuple(named.values())):
            warnings.warn(problem, LiteralWarning, stacklevel=2)
        filled = NAME.sub(fill, text)
        if mapping.backend == SQLITE and parameters is not None:
            filled = MARK.sub(_sqlite_mark, filled)
        return sql.SQL(filled)

    # Of a LiteralString pyorm cannot be sure here; the text is the caller's, the names are quoted.
    shape = ("own", text, tuple(others), parameters is None)
    return mapping.text(shape, make), _adapted(mapping, parameters)


def literals(text: str, mappings: Sequence[TableMapping[Any]], *, every: bool = False) -> list[str]:
    """What is wrong with the literals in a text: values of enums that are stored otherwise.

    Args:
        text: the SQL.
        mappings: of the entities that it names.
        every: tell also of those that are right under this contract, and will not be under another.
    """
    stored: dict[str, tuple[str, str]] = {}
    for mapping in mappings:
        for column, storage in mapping.columns:
            for member in column.enum or ():
                name = f"{{{mapping.declared.name}.{column.field}.{member.name}}}"
                stored.setdefault(member.name, (name, storage.element(member)))
    found = []
    for literal in (match[1] for match in LITERAL.finditer(text) if match[1]):
        words = re.findall(r"\w+", literal) if literal.startswith("{") else [literal]
        for word in words:
            name, value = stored.get(word.upper(), ("", word))
            if name and value == word and every:
                found.append(f"the literal {word!r} holds under one contract only: write {name}")
            elif value != word:
                found.append(f"the literal {word!r} finds nothing, {value!r} does: write {name}")
    return found


def _enum_value(
    named: Mapping[str, TableMapping[Any]], entity: str, field: str, member: str
) -> sql.Composable:
    """A value of an enum as its column stores it."""
    if entity not in named:
        raise InvalidValue(
            f"{{{entity}.{field}.{member}}} names no entity of the query ({', '.join(named)})",
            hint=f"give it: join=[{entity}]",
        )
    mapping = named[entity]
    column = mapping.declared.column(field)
    members = getattr(column.python, "__members__", {})
    if member not in members:
        raise InvalidValue(
            f"{entity}.{field} has no value {member} ({', '.join(members) or 'it is no enum'})",
            entity=entity,
            field=field,
        )
    value = mapping.storages[field].element(members[member])
    if isinstance(value, int):
        return sql.SQL(str(value))
    quoted = value.replace("'", "''").replace("%", "%%")
    return sql.SQL(f"'{quoted}'")


def _sqlite_mark(found: re.Match[str]) -> str:
    if found[0] == "%%":
        return "%"
    return f":{found[1]}" if found[1] else "?"


def _adapted(mapping: TableMapping[Any], parameters: Parameters) -> Any:
    if isinstance(parameters, Mapping):
        return {name: _adapt(mapping, value) for name, value in parameters.items()}
    if parameters is None:
        return None
    return tuple(_adapt(mapping, value) for value in parameters)


def _adapt(mapping: TableMapping[Any], value: Any) -> Any:
    """A parameter as the mapping's columns of its type store it."""
    if isinstance(value, SharedEnum):
        for column, storage in mapping.columns:
            if column.python is type(value):
                return storage.element(value)
        return value.value.lower() if mapping.is_old else value.value
    if isinstance(value, UUID):
        return str(value) if mapping.is_old or mapping.backend == SQLITE else value
    if isinstance(value, list):
        adapted = [_adapt(mapping, item) for item in value]
        return json.dumps(adapted) if mapping.backend == SQLITE else adapted
    if mapping.backend == SQLITE:
        if isinstance(value, datetime):
            return utc_text(value)
        if isinstance(value, Decimal):
            return str(value)
    return value
