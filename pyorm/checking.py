"""The check at start-up: an entity against the table it is read from, with every difference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pyorm.entity import DeclaredColumn
from pyorm.hints import MODIFIER
from pyorm.mapping import POSTGRESQL, SQLITE, TableMapping
from pyorm.operation import Execute, Operation, Outcome, Step
from pyorm.own_sql import literals
from pyorm.server_made import IDENTITY

# The declared types are read by the server, which knows their other names.
CATALOG = b"""
    SELECT
        a.attname::text,
        format_type(a.atttypid, NULL),
        format_type(to_regtype((%(types)s::jsonb) ->> a.attname::text), NULL),
        nullif(a.atttypmod, -1) - 4,
        a.attnotnull,
        a.attidentity <> '' OR a.attgenerated <> '' OR d.oid IS NOT NULL,
        a.attgenerated <> '',
        ARRAY(
            SELECT pg_get_constraintdef(k.oid) FROM pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]
        ),
        EXISTS (
            SELECT FROM pg_index AS i
            WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
                AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
        ),
        (
            SELECT array_position(k.conkey, a.attnum) FROM pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.contype = 'p'
        ),
        c.relkind IN ('v', 'm')
    FROM pg_class AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.oid = to_regclass(%(relation)s)
    ORDER BY a.attnum
"""
SQLITE_CATALOG = b"""
    SELECT
        name, NULL, NULL, NULL, "notnull", dflt_value IS NOT NULL OR hidden IN (2, 3),
        hidden IN (2, 3), '[]', NULL, nullif(pk, 0), false
    FROM pragma_table_xinfo(:relation)
"""
# One value of each type, to see what the connection's loaders make of it.
SAMPLES: dict[type[Any], str] = {
    UUID: "'00000000-0000-0000-0000-000000000000'::uuid",
    str: "'a'::varchar",
    int: "1",
    float: "1::float8",
    bool: "true",
    datetime: "current_timestamp",
    date: "current_date",
    time: "localtime",
    timedelta: "interval '1 s'",
    Decimal: "1.5",
    bytes: "'a'::bytea",
    dict: "'{}'::jsonb",
}
TEXTS = ("text", "character varying", "character")
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
# While both contracts are live, a trigger fills the columns of the other one.
_OTHER_SIDE = ("__new", "__old")


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """A column as the catalog has it.

    Args:
        name: its name.
        type: its type; None where that is not known.
        declared: the type that the entity declares, in the server's words.
        length: the most characters, None for any number.
        not_null: whether it is NOT NULL.
        is_made: whether the server makes a value when none is given.
        is_generated: whether nobody else may.
        checks: the CHECKs on it alone.
        is_unique: whether it alone is unique, None when that is not known.
        key_position: its place in the primary key, None when it has none.
        of_view: whether it is a view's, which has no constraints.
    """

    name: str
    type: str | None
    declared: str | None
    length: int | None
    not_null: bool
    is_made: bool
    is_generated: bool
    checks: list[str]
    is_unique: bool | None
    key_position: int | None
    of_view: bool


def check(texts: Iterable[str], *, follows: bool) -> Operation[list[str]]:
    """Compare an entity with its table, and the literals in SQL with how its enums are stored.

    Args:
        texts: SQL of the user's own.
        follows: whether the contract may change while the service runs.
    """
    used: list[TableMapping[Any]] = []

    def step(mapping: TableMapping[Any]) -> Step:
        used[:] = [mapping]
        if mapping.backend == SQLITE:
            return Execute(SQLITE_CATALOG, {"relation": mapping.declared.table})
        types = {
            column.name: MODIFIER.sub("", column.sql_type) + ("[]" if column.array else "")
            for column in mapping.declared.columns
        }
        relation = mapping.relation.as_string(None).replace("%%", "%")
        return Execute(CATALOG, {"types": json.dumps(types), "relation": relation})

    def finish(outcome: Outcome) -> list[str]:
        (mapping,) = used
        found = [FoundColumn(*row) for row in outcome.items]
        told = list(_differences(mapping, found))
        for text in texts:
            told += [
                f"{' '.join(text.split())[:60]}: {problem}"
                for problem in literals(text, (mapping,), every=follows)
            ]
        return told

    return Operation(step, finish)


def check_loaders() -> Operation[list[str]]:
    """Read one value of each type, as the service may have registered loaders that make others."""
    text = f"SELECT {', '.join(SAMPLES.values())}".encode()

    def finish(outcome: Outcome) -> list[str]:
        return [
            f"the connection reads {sample} as {type(value).__name__}, not {python.__name__}: "
            "a loader that is registered on it or in psycopg.adapters is pyorm's too"
            for (python, sample), value in zip(SAMPLES.items(), outcome.items[0], strict=True)
            if not isinstance(value, python)
        ]

    return Operation(lambda mapping: Execute(text, ()), finish)


def _differences(mapping: TableMapping[Any], found: list[FoundColumn]) -> Iterator[str]:
    declared = mapping.declared
    table = mapping.relation.as_string(None).replace("%%", "%")
    if not found:
        yield f"{declared.name}: there is no table {table}"
        return
    by_name = {column.name: column for column in found}
    for column in declared.columns:
        there = by_name.pop(column.name, None)
        if there is None:
            yield f"{declared.name}.{column.field}: {table} has no column {column.name}"
            continue
        for difference in _of_column(mapping, column, there):
            yield f"{declared.name}.{column.field}: {difference}"
    for other in by_name.values():
        if other.not_null and not other.is_made and not other.name.endswith(_OTHER_SIDE):
            yield (
                f"{declared.name}: {table}.{other.name} is NOT NULL without a default, "
                f"and the entity has no field for it"
            )
    if not found[0].of_view:
        # The old key stays the table's until contract; the new one is unique beside it.
        placed = sorted(
            (c.key_position, c.name.removesuffix("__old"))
            for c in found
            if c.key_position is not None
        )
        key = [declared.column(field).name for field in declared.key]
        if {name for _, name in placed} != set(key):
            keyed = ", ".join(name for _, name in placed) or "nothing"
            yield f"{declared.name}: its key is {', '.join(key)}, the primary key is {keyed}"


def _of_column(
    mapping: TableMapping[Any], column: DeclaredColumn, there: FoundColumn
) -> Iterator[str]:
    if not (mapping.is_old and (column.sql_type == "uuid" or column.enum)):
        yield from _of_type(column, there)
    if there.of_view:
        return
    if column.nullable and there.not_null and not there.is_made:
        yield "it may be None, the column is NOT NULL"
    if not column.nullable and not there.not_null and there.key_position is None:
        yield "it is never None, the column may be null"
    if column.unique and there.is_unique is False:
        yield "it is unique, no unique index says so"
    if column.server and not there.is_made and not _counts(mapping, column):
        yield f"the server makes its value ({column.server.kind}), the column has no default"
    if column.is_generated != there.is_generated:
        yield f"the column is {'' if there.is_generated else 'not '}GENERATED ALWAYS"
    if column.enum and mapping.backend == POSTGRESQL:
        yield from (_of_old_check if mapping.is_old else _of_check)(column, there)


def _counts(mapping: TableMapping[Any], column: DeclaredColumn) -> bool:
    """Whether SQLite counts it, which needs no default."""
    made = column.server
    return mapping.backend == SQLITE and made is not None and made.kind == IDENTITY


def _of_type(column: DeclaredColumn, there: FoundColumn) -> Iterator[str]:
    if there.type is None:
        return
    wanted = there.declared or column.sql_type
    bare = there.type.removesuffix("[]"), wanted.removesuffix("[]")
    arrays = there.type.endswith("[]") == wanted.endswith("[]")
    if there.type != wanted and not (arrays and bare[0] in TEXTS and bare[1] in TEXTS):
        yield f"it is {wanted}, the column is {there.type}"
    elif column.length and there.length is not None and there.length < column.length:
        yield f"it holds {column.length} characters, the column {there.length}"


def _of_old_check(column: DeclaredColumn, there: FoundColumn) -> Iterator[str]:
    """What the old contract's texts say otherwise than pyorm writes them there."""
    assert column.enum is not None
    known = {member.value for member in column.enum}
    listed = {text for check in there.checks for text in _LITERAL.findall(check)}
    odd = sorted(t for t in listed if t.upper() in known and t.lower() not in listed)
    if odd:
        yield (
            f"the old contract spells it {', '.join(odd)}, and there pyorm knows lowercase alone: "
            'use contract="new", from enforce on'
        )


def _of_check(column: DeclaredColumn, there: FoundColumn) -> Iterator[str]:
    assert column.enum is not None
    members = {member.value for member in column.enum}
    allowed = [set(_LITERAL.findall(text)) for text in there.checks]
    if members in allowed:
        return
    if not there.checks:
        yield f"no CHECK holds the column to the values of {column.enum.__name__}"
        return
    values = set.intersection(*allowed)
    missing, more = sorted(members - values), sorted(values - members)
    told = [f"not {', '.join(missing)}"] if missing else []
    told += [f"also {', '.join(more)}"] if more else []
    yield f"its CHECK allows {' and '.join(told)}, as {column.enum.__name__} has it"
