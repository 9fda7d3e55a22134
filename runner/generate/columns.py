"""How a column is converted: its types, its values in both directions, what cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from uuid import UUID

from runner.catalog import Catalog, Column, Relation
from runner.errors import StandardError
from runner.generate.model import ColumnChange, Refusal
from runner.generate.wording.casts import ID, is_one_call
from runner.generate.wording.json_paths import PathChange, json_change
from runner.quoting import Name, quote_ident, quote_literal, quote_name, shorten
from runner.standard.model import EnumStandard, TableStandard

STORAGE = {"p": "PLAIN", "m": "MAIN", "e": "EXTERNAL", "x": "EXTENDED"}
COMPRESSION = {"p": "pglz", "l": "lz4"}


def column_changes(
    table: TableStandard, relation: Relation, catalog: Catalog
) -> tuple[ColumnChange, ...]:
    """The columns of a table that are converted, in its order."""
    changes = []
    for column in relation.columns:
        if column.name in table.json:
            paths = [
                PathChange(p.keys, p.enum, *_text_conversions(p.enum), partial(_new_value, p.enum))
                for p in table.json[column.name]
            ]
            json = json_change(column, relation.qualified, table.name, paths)
            changes.append(replace(json, storage=_storage(column, is_text=True)))
        elif column.name in table.uuids and column.type != "uuid":
            changes.append(_uuid_change(column, relation))
        elif column.name in table.enums:
            check = table.checks.get(column.name) or shorten(
                f"{table.name}_{column.name}", "_check"
            )
            native = catalog.types.get(column.type_name) if column.type_name else None
            labels = native.labels if native else ()
            change = _enum_change(column, table.enums[column.name], check, labels)
            kept = table.keep_original.get(column.name)
            if kept is not None and relation.column(kept) is not None:
                raise StandardError(
                    f"{relation.qualified} has a column {kept} already, which is to keep the old "
                    f"values of {column.name}"
                )
            changes.append(replace(change, kept=kept))
    return tuple(changes)


def spelled_alike(
    columns: Mapping[Name, tuple[ColumnChange, ...]], catalog: Catalog
) -> dict[Name, tuple[ColumnChange, ...]]:
    """Spell uuids without dashes where foreign keys tie them to a column without room for those.

    Args:
        columns: the converted columns of each table, by its old name.
        catalog: the database at the old contract.

    Returns:
        The columns, those that are so tied with another `to_old`.
    """
    ties: dict[tuple[Name, str], list[tuple[Name, str]]] = {}
    for table in columns:
        for key in catalog.relations[table].constraints:
            if key.references is None or key.references not in columns:
                continue
            for here, there in zip(key.columns, key.referenced_columns, strict=True):
                ties.setdefault((table, here), []).append((key.references, there))
                ties.setdefault((key.references, there), []).append((table, here))
    waiting = [
        (t, c.name) for t, changes in columns.items() for c in changes if c.to_old == _DIGITS
    ]
    digits = set(waiting)
    while waiting:
        tied = set(ties.get(waiting.pop(), ())) - digits
        digits |= tied
        waiting += tied
    return {
        table: tuple(
            replace(c, to_old=_DIGITS) if (table, c.name) in digits else c for c in changes
        )
        for table, changes in columns.items()
    }


def _uuid_change(column: Column, relation: Relation) -> ColumnChange:
    name = quote_ident(column.name)
    # uuid's input function does not take the blanks that pad a char(n); text has none.
    to_new = "{}::text::uuid" if column.type.startswith("character(") else "{}::uuid"
    value = to_new.replace("{}", name)
    refusals = [Refusal(f"NOT trueup.is_uuid({name})", "is not a uuid")]
    unique = (i for i in relation.indexes if i.unique and i.columns == (column.name,))
    if next(unique, None):
        refusals.append(
            Refusal(
                f"{value} IN (SELECT {value} FROM {quote_name(relation.qualified)}"
                f" GROUP BY 1 HAVING count(*) > 1)",
                "is the same uuid as another row",
            )
        )
    new_default = None
    if column.default is not None and not column.gives_null:
        new_default = _new_uuid(column.default)
        if new_default is None:
            raise StandardError(
                f"the default of {relation.qualified}.{column.name} is {column.default}: only one "
                "that calls a function for a new uuid can be converted, an md5, or a constant uuid"
            )
    return ColumnChange(
        name=column.name,
        old_name=shorten(column.name, "__old"),
        old_type=short_type(column.type),
        new_type="uuid",
        old_default=column.default,
        new_default=new_default,
        to_new=to_new,
        to_old=_uuid_text(column, relation),
        not_null=column.not_null,
        refusals=tuple(refusals),
        storage=_storage(column, is_text=True),
        old_collation=column.collation,
    )


_DIGITS = "replace({}::text, '-', '')"
_WRAPPED = (
    re.compile(r"\((.*)\)::[\w ]+(?:\(\d+\))?"),
    re.compile(r"(?:lower|upper)\((.*)\)"),
    re.compile(r"replace\((.*), '-'::text, ''::text\)"),
)


def _new_uuid(default: str) -> str | None:
    """The default of a uuid column for that of a text column, None where it may be no uuid."""
    inner = default
    while match := next((m for w in _WRAPPED if (m := w.fullmatch(inner))), None):
        inner = match[1]
    if re.fullmatch(r"(?:\w+\.)?\w*uuid\w*\(\)", inner):
        return inner
    if inner.startswith("md5(") and is_one_call(inner):
        return f"({inner})::uuid"
    literal = re.fullmatch(rf"({ID})::.*", inner)
    return quote_literal(str(UUID(literal[1].strip("'")))) if literal else None


def _uuid_text(column: Column, relation: Relation) -> str:
    """How the old contract spells a uuid of the new one: without dashes where they do not fit."""
    length = re.fullmatch(r"character(?: varying)?\((\d+)\)", column.type)
    if not length or int(length[1]) >= 36:
        return "{}::text"
    if int(length[1]) < 32:
        raise StandardError(
            f"{relation.qualified}.{column.name} is {short_type(column.type)}, too short for a uuid"
            " of the new contract",
            hint="Take it out of uuids, or widen it before: 32 digits, or 36 characters.",
        )
    return _DIGITS


def _enum_change(
    column: Column, enum: EnumStandard, check: str, labels: tuple[str, ...]
) -> ColumnChange:
    name = quote_ident(column.name)
    values = ", ".join(quote_literal(v) for v in enum.values)
    old_type, new_type = short_type(column.type), _enum_type(column, enum)
    is_text = not labels
    as_text = "{}" if is_text and not column.is_array else "{}::text"
    uppercase = any(labels) and all(label == label.upper() for label in labels)
    to_new, to_old = f"upper({as_text})", as_text if uppercase else f"lower({as_text})"
    if enum.mapping:
        if column.is_array:
            raise StandardError(f"{column.name} is an array, and {enum.name} maps values")
        to_new = _case(f"upper({as_text})", enum.mapping, otherwise=f"upper({as_text})")
    back = _values_back(enum, labels, uppercase=uppercase)
    _require_room(column, enum, back)
    if back:
        to_old = _case("{}", back, otherwise=to_old)
    if column.is_array:
        to_new, to_old = f"{to_new}::{new_type}", f"{to_old}::{old_type}"
        check_sql = f"{name} <@ ARRAY[{values}]::{new_type}"
        refused = f"NOT {to_new.replace('{}', name)} <@ ARRAY[{values}]::{new_type}"
    else:
        if not is_text:
            plain = to_old.replace("::text", "")
            to_old = (f"({plain})" if back else plain) + f"::{old_type}"
        check_sql = f"{name} IN ({values})"
        refused = f"{to_new.replace('{}', name)} NOT IN ({values})"
    old_default = column.default
    new_default = None
    if old_default is not None and not column.gives_null:
        literal = re.fullmatch(r"'((?:[^']|'')*)'::(.*)", old_default)
        if not literal:
            raise StandardError(
                f"the default of {column.name} is {old_default}: only a constant can be converted"
            )
        value = enum.mapping.get(literal[1].upper(), literal[1].upper())
        new_default = f"'{value}'" + ("::" + new_type if column.is_array else "")
        if not is_text:
            old_default = f"'{literal[1]}'::{old_type}"
        elif re.sub(r"\(\d+\)", "", column.type) == literal[2].replace("bpchar", "character"):
            old_default = f"'{literal[1]}'"
    return ColumnChange(
        name=column.name,
        old_name=shorten(column.name, "__old"),
        old_type=old_type,
        new_type=new_type,
        to_new=to_new,
        to_old=to_old,
        not_null=column.not_null,
        refusals=(Refusal(refused, f"is not one of {', '.join(enum.values)}"),),
        old_default=old_default,
        new_default=new_default,
        check_name=check,
        check=check_sql,
        values=enum.values,
        mapping=enum.mapping,
        storage=_storage(column, is_text=is_text or column.is_array),
        old_collation=column.collation,
    )


def _text_conversions(enum: EnumStandard) -> tuple[str, str]:
    """SQL for the new text of an old one, and back."""
    to_new, to_old = "upper({})", "lower({})"
    if enum.mapping:
        to_new = _case(to_new, enum.mapping, otherwise=to_new)
    back = _values_back(enum, (), uppercase=False)
    return to_new, _case("{}", back, otherwise=to_old) if back else to_old


def _new_value(enum: EnumStandard, old: str) -> str:
    return enum.mapping.get(old.upper(), old.upper())


def _require_room(column: Column, enum: EnumStandard, back: Mapping[str, str]) -> None:
    """The old column must hold the old spelling of all that a new client may write."""
    length = re.fullmatch(r"character(?: varying)?\((\d+)\)(?:\[\])?", column.type)
    for value in enum.values:
        if length and len(back.get(value, value)) > int(length[1]):
            raise StandardError(
                f"{column.name} is {short_type(column.type)}, and {value} of {enum.name} does not "
                "fit: the old contract could not hold what a new client writes",
                hint="Widen the column before, or give the value a shorter old one by back.",
            )


def _case(value: str, pairs: Mapping[str, str], *, otherwise: str) -> str:
    whens = " ".join(f"WHEN {quote_literal(a)} THEN {quote_literal(b)}" for a, b in pairs.items())
    return f"CASE {value} {whens} ELSE {otherwise} END"


def _values_back(enum: EnumStandard, labels: tuple[str, ...], *, uppercase: bool) -> dict[str, str]:
    """The old value of each new one that is not the same word."""
    back = {}
    for new in enum.values:
        sources = [old for old, mapped in enum.mapping.items() if mapped == new]
        if new in enum.back:
            back[new] = enum.back[new]
        elif sources and new not in {label.upper() for label in labels}:
            back[new] = sources[0] if uppercase else sources[0].lower()
    return back


def integer_checks(table: TableStandard, relation: Relation) -> Iterable[tuple[str, str, str]]:
    """The CHECKs of integer columns that have none yet."""
    for column, values in table.integers.items():
        if not any(k.kind == "c" and k.columns == (column,) for k in relation.constraints):
            name = table.checks.get(column) or shorten(f"{table.name}_{column}", "_check")
            yield column, name, f"{quote_ident(column)} IN ({', '.join(map(str, values))})"


def _storage(column: Column, *, is_text: bool) -> tuple[str, ...]:
    """What a change of type would make PostgreSQL forget about a column."""
    if not is_text:
        return ()
    found = []
    if column.has_own_storage:
        found.append(f"SET STORAGE {STORAGE[column.storage]}")
    if column.compression in COMPRESSION:
        found.append(f"SET COMPRESSION {COMPRESSION[column.compression]}")
    return tuple(found)


def _enum_type(column: Column, enum: EnumStandard) -> str:
    if column.is_array:
        return "varchar[]"
    length = re.fullmatch(r"character varying\((\d+)\)", column.type)
    return f"varchar({max(int(length[1]) if length else 50, *map(len, enum.values))})"


def short_type(type_name: str) -> str:
    """A type as people write it: varchar(36), timestamptz."""
    return type_name.replace("character varying", "varchar").replace(
        "timestamp with time zone", "timestamptz"
    )
