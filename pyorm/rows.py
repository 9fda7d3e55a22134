"""Rows to entities and back: small functions compiled once for an entity and its columns.

    def make(rows):
        try:
            made = list(map(new, repeat(cls, len(rows))))
            for o, (v0, v1, v2) in zip(made, rows):
                o.id = v0
                o.model_id = v1
                o.status = d2[v2]
            return made
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return try_again(rows, error)

It costs one call for many rows instead of a constructor's call for each. A single row gets the same
lines without the loop. An entity whose constructor does more (__post_init__) gets the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, TypeVar
from uuid import UUID

from pyorm.entity import Declaration, DeclaredColumn
from pyorm.errors import MappingError
from pyorm.storage import Storage
from pyorm.values import NAMES, to_uuid

E = TypeVar("E")
Rows = Sequence[tuple[Any, ...]]
Make = Callable[[Rows], list[E]]


def row_maker(
    declared: Declaration[E],
    columns: Sequence[tuple[DeclaredColumn, Storage]],
    *,
    strict: bool = False,
) -> Make[E]:
    """Compile the function that makes entities of rows.

    Args:
        declared: the entity.
        columns: the columns of a row, in order.
        strict: read uuids that are text, because the rows come from SQL of the user's own, where
            no column's type vouches for them.

    Returns:
        The function; it raises MappingError.
    """
    cls = declared.entity
    names: dict[str, Any] = {"new": object.__new__, "repeat": repeat, "cls": cls}
    names["__name__"] = __name__
    values: list[str] = []
    tests: dict[str, str] = {}
    tables: list[tuple[dict[Any, Any], Mapping[Any, Any]]] = []
    for i, (column, storage) in enumerate(columns):
        decode = storage.decode
        if strict and decode is None and column.python is UUID and not column.array:
            decode = to_uuid
        # A table has no null where the field takes no None.
        if not column.nullable and not isinstance(decode, Mapping):
            tests[column.field] = f"if v{i} is None: raise ValueError('null')"
        if decode is None:
            values.append(f"v{i}")
            continue
        names[f"d{i}"] = decode
        if isinstance(decode, Mapping):
            # A plain dict is the fastest table; what it lacks the table may know.
            names[f"d{i}"] = known = dict(decode)
            tables.append((known, decode))
            values.append(f"d{i}[v{i}]")
        elif column.nullable:
            values.append(f"None if v{i} is None else d{i}(v{i})")
        else:
            values.append(f"d{i}(v{i})")

    fields = [column.field for column, _ in columns]
    frozen = cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    row = _commas("v", len(columns))
    # A twin of a class with bases has another layout.
    if hasattr(cls, "__post_init__") or (frozen and cls.__bases__ != (object,)):
        pairs = zip(fields, values, strict=True)
        made_of = ", ".join(f"{field}=({value})" for field, value in pairs)
        each = [*tests.values(), f"made.append(cls({made_of}))"]
        body = ["made = []", f"for {row} in rows:", *_indented(each), "return made"]
    else:
        if frozen:
            # Its twin has the same slots and lets them be filled.
            names["blank"] = type(cls.__name__, (), {"__slots__": cls.__slots__})  # type: ignore[attr-defined]
        blank = "blank" if frozen else "cls"
        each = []
        for field, value in zip(fields, values, strict=True):
            # A value that was just looked at is at hand.
            each += [tests[field]] if field in tests else []
            each.append(f"o.{field} = {value}")
        if frozen:
            each.append("o.__class__ = cls")
        body = [
            "if len(rows) == 1:",
            *_indented([f"{row} = rows[0]", f"o = new({blank})", *each, "return [o]"]),
            f"made = list(map(new, repeat({blank}, len(rows))))",
            f"for o, ({row}) in zip(made, rows):",
            *_indented(each),
            "return made",
        ]

    def try_again(rows: Rows, error: Exception) -> list[E]:
        problem = _explanation(declared, columns, rows, strict)
        if problem is not None:
            raise problem from error
        # The tables read other spellings in any case; each new one comes by here once.
        learned = [known.update(table) for known, table in tables if len(known) < len(table)]
        if not learned:
            raise error
        return make(rows)

    names["try_again"] = try_again
    lines = [
        "def make(rows):",
        "    try:",
        *_indented(_indented(body)),
        "    except (ValueError, TypeError, KeyError, AttributeError) as error:",
        "        return try_again(rows, error)",
    ]
    exec("\n".join(lines), names)
    make: Make[E] = names["make"]
    return make


def _explanation(
    declared: Declaration[Any],
    columns: Sequence[tuple[DeclaredColumn, Storage]],
    rows: Rows,
    strict: bool,
) -> MappingError | None:
    """Find the value that a row maker stumbled over, and its row's key."""
    for row in rows:
        found = dict(zip((column.field for column, _ in columns), row, strict=True))
        key = ", ".join(
            f"{field}={declared.told(field, found[field])}"
            for field in declared.key
            if field in found
        )
        for (column, storage), value in zip(columns, row, strict=True):
            try:
                if value is None and not column.nullable:
                    raise ValueError("null, but the field takes no None")
                if value is None:
                    continue
                if isinstance(storage.decode, Mapping):
                    storage.decode[value]
                elif storage.decode is not None:
                    storage.decode(value)
                elif strict and column.python is UUID and not column.array:
                    to_uuid(value)
            except Exception as reason:
                return mapping_error(declared, column.name, key, value, reason)
    return None


def mapping_error(
    declared: Declaration[Any], name: str, key: str, value: Any, reason: object
) -> MappingError:
    """The error of a value that the entity cannot hold.

    Args:
        declared: the entity.
        name: the column's name.
        key: the row's key as `field=value`, empty when the row has none.
        value: what the driver gave, None when it could not.
        reason: why.
    """
    fields = [column.field for column in declared.columns if column.name == name]
    field = fields[0] if fields else name
    if fields and declared.column(field).secret:
        value, reason = None, "the value is a secret"
    where = f" of the row with {key}" if key else ""
    return MappingError(
        f"{declared.name}.{field}{where}: {reason}",
        hint=f"the column {name} holds what the entity cannot",
        entity=declared.name,
        field=field,
        value=value,
    )


def entity_encoder(
    columns: Sequence[tuple[DeclaredColumn, Storage]],
) -> Callable[[Any], tuple[Any, ...]]:
    """Compile the function that gives what the driver takes for an entity's columns.

    Args:
        columns: in the order of the parameters.

    Returns:
        The function; it raises InvalidValue.
    """
    names: dict[str, Any] = {"__name__": __name__, **NAMES}
    lines = []
    for i, (column, storage) in enumerate(columns):
        names[f"e{i}"] = storage.encode
        stored = f"e{i}(v)"
        if values := storage.inline:
            names[f"t{i}"] = values.python
            stored = f"{values.stored} if type(v) is t{i} and {values.test} else e{i}(v)"
        if column.nullable:
            stored = f"None if v is None else {stored}"
        lines += [f"v = o.{column.field}", f"p{i} = {stored}"]
    body = "\n    ".join(lines)
    exec(f"def encode(o):\n    {body}\n    return ({_commas('p', len(columns))})\n", names)
    encode: Callable[[Any], tuple[Any, ...]] = names["encode"]
    return encode


Encode = Callable[[Any], tuple[Any, ...]]


def batch_encoder(
    columns: Sequence[tuple[DeclaredColumn, Storage]], encode: Encode
) -> Callable[[list[Any]], Iterable[tuple[Any, ...]]]:
    """Compile the function that gives what the driver takes for several entities at once.

    It looks at a column's values together; a batch that has an uncommon one goes one by one.

    Args:
        columns: in the order of the parameters.
        encode: gives it for one entity; it raises InvalidValue.

    Returns:
        The function; it raises InvalidValue.
    """
    names: dict[str, Any] = {"__name__": __name__, "encode": encode, "none": type(None), **NAMES}
    lines = []
    for i, (column, storage) in enumerate(columns):
        field, values = column.field, storage.inline
        if values is None:
            names[f"e{i}"] = storage.encode
            lines.append(f"p{i} = [e{i}(o.{field}) for o in batch]")
            continue
        names[f"t{i}"] = values.python
        lines += [f"p{i} = [o.{field} for o in batch]", f"kinds = set(map(type, p{i}))"]
        if column.nullable:
            lines += [
                "has_none = none in kinds",
                "kinds.discard(none)",
                f"vs = [v for v in p{i} if v is not None] if has_none else p{i}",
            ]
        else:
            lines.append(f"vs = p{i}")
        lines.append(f"if kinds and not (kinds == {{t{i}}} and {values.all}): return one_by_one()")
        if values.stored != "v":
            stored = f"None if v is None else {values.stored}" if column.nullable else values.stored
            lines.append(f"p{i} = [{stored} for v in p{i}]")
    body = "\n        ".join(lines)
    exec(
        f"def encode_batch(batch):\n"
        f"    one_by_one = lambda: map(encode, batch)\n"
        f"    try:\n"
        f"        {body}\n"
        f"    except (TypeError, ValueError, AttributeError):\n"
        f"        return one_by_one()\n"
        f"    return zip({_commas('p', len(columns))})\n",
        names,
    )
    made: Callable[[list[Any]], Iterable[tuple[Any, ...]]] = names["encode_batch"]
    return made


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _commas(letter: str, count: int) -> str:
    return "".join(f"{letter}{i}, " for i in range(count))
