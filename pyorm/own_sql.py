"""SQL of one's own: the entity's names filled in, its values as the table stores them.

    SELECT {r.columns} FROM {table} AS r JOIN {Model} AS m ON m.id = r.model_id WHERE ...

`{table}` is the entity's table, `{columns}` its columns, `{r.columns}` these of the alias r, and
`{Model}` the table of another entity. Anything else in braces stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import sql

from pyorm.enums import SharedEnum
from pyorm.mapping import POSTGRESQL, SQLITE, TableMapping
from pyorm.queries import Statement
from pyorm.storage import utc_text

Parameters = Mapping[str, Any] | Sequence[Any] | None

NAME = re.compile(r"\{(\w+)(?:\.(columns))?\}")
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
    tables = {other.declared.name: other.relation for other in (mapping, *others)}
    tables["table"] = mapping.relation

    def fill(found: re.Match[str]) -> str:
        name, columns = found.groups()
        part: sql.Composable
        if columns:
            part = mapping.select_list(name)
        elif name == "columns":
            part = mapping.selected
        elif name in tables:
            part = tables[name]
        else:
            return found[0]
        filled = part.as_string(None)
        doubled = mapping.backend == POSTGRESQL
        if doubled and parameters is None:
            return filled.replace("%%", "%")
        return filled if doubled or parameters is None else filled.replace("%", "%%")

    def make() -> sql.Composable:
        filled = NAME.sub(fill, text)
        if mapping.backend == SQLITE and parameters is not None:
            filled = MARK.sub(_sqlite_mark, filled)
        return sql.SQL(filled)

    # Of a LiteralString pyorm cannot be sure here; the text is the caller's, the names are quoted.
    shape = ("own", text, tuple(others), parameters is None)
    return mapping.text(shape, make), _adapted(mapping, parameters)


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
