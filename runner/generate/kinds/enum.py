"""A column of an enum's values: they become upper case, in a text guarded by a CHECK."""

from __future__ import annotations

import re
from collections.abc import Mapping

from runner.catalog import Column
from runner.errors import StandardError
from runner.generate.column_change import ColumnChange, Refusal
from runner.generate.wording.casing import lower, upper
from runner.generate.wording.types import short_type, storage_clauses
from runner.quoting import quote_ident, quote_literal, quote_without_holes, shorten, unquote_literal
from runner.standard.model import EnumStandard


def change(column: Column, enum: EnumStandard, check: str, labels: tuple[str, ...]) -> ColumnChange:
    """What becomes of the column.

    Args:
        column: the column.
        enum: what its values are.
        check: the name of its CHECK.
        labels: of its native type; empty for a text.

    Raises:
        StandardError: its default or its width is in the way.
    """
    name = quote_ident(column.name)
    values = ", ".join(map(quote_literal, enum.values))
    old_type, new_type = short_type(column.type), _enum_type(column, enum)
    is_text = not labels
    as_text = "{}" if is_text and not column.is_array else "{}::text"
    uppercase = any(labels) and all(label == label.upper() for label in labels)
    words = (*_words(enum), *labels)
    to_new = upper(as_text, words)
    was = as_text if column.is_array else "{}"
    to_old = was if uppercase else lower(was, words)
    if enum.mapping:
        if column.is_array:
            raise StandardError(f"{column.name} is an array, and {enum.name} maps values")
        to_new = _case(to_new, enum.mapping, otherwise=to_new)
    back = _values_back(enum, labels, uppercase=uppercase)
    _require_room(column, enum, back)
    _require_labels(column, enum, back, labels, uppercase=uppercase)
    if back:
        to_old = _case("{}", back, otherwise=to_old)
    if column.is_array:
        to_new, to_old = f"{to_new}::{new_type}", f"{to_old}::{old_type}"
        check_sql = f"{name} <@ ARRAY[{values}]::{new_type}"
        refused = f"NOT {to_new.replace('{}', name)} <@ ARRAY[{values}]::{new_type}"
    else:
        if not is_text:
            to_old = (f"({to_old})" if back else to_old) + f"::{old_type}"
        check_sql = f"{name} IN ({values})"
        refused = f"{to_new.replace('{}', name)} NOT IN ({values})"
    # Of ASCII, lower case says the same whether upper case was between or not.
    is_plain = is_text and not (back or enum.mapping) and "".join(words).isascii()
    old_default = column.default
    new_default = None
    if column.given is not None and not column.gives_null:
        literal = re.fullmatch(
            r"(E?'(?:[^']|'')*')::(.*)", _without_constructor(column.given), re.DOTALL
        )
        if not literal:
            raise StandardError(
                f"the default of {column.name} is {column.given}: only a constant can be converted"
            )
        value = quote_literal(new_value(enum, unquote_literal(literal[1])))
        new_default = value + ("::" + new_type if column.is_array else "")
        given = quote_literal(unquote_literal(literal[1]))
        if old_default is None or literal.string != column.given:
            pass  # its domain gives it, or it stays as it is
        elif not is_text:
            old_default = f"{given}::{old_type}"
        elif re.sub(r"\(\d+\)", "", column.type) == literal[2].replace("bpchar", "character"):
            old_default = given
        else:
            old_default = f"{given}::{literal[2]}"
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
        labels={label: new_value(enum, label) for label in labels},
        storage=storage_clauses(column, is_text=is_text or column.is_array),
        old_collation=column.collation,
        to_old_again=to_old if is_plain else None,
    )


_ITEM = r"(E?'(?:[^']|'')*')::[^',\[\]]+"


def _without_constructor(default: str) -> str:
    """`'{a,b}'::text[]` for `ARRAY['a'::text, 'b'::text]`; what is no such constant as it is."""
    found = re.fullmatch(
        rf"\(*ARRAY\[((?:{_ITEM}(?:, )?)*)\](?:\)?::(?P<type>[^'\[\]]+\[\]))*", default
    )
    if found is None:
        return default
    items = [unquote_literal(item) for item in re.findall(_ITEM, found[1])]
    quoted = ('"' + re.sub(r'(["\\])', r"\\\1", item) + '"' for item in items)
    return f"{quote_literal('{' + ','.join(quoted) + '}')}::{found['type'] or 'text[]'}"


def text_conversions(enum: EnumStandard) -> tuple[str, str]:
    """SQL for the new text of an old one, and back."""
    words = _words(enum)
    to_new, to_old = upper("({})", words), lower("({})", words)
    if enum.mapping:
        to_new = _case(to_new, enum.mapping, otherwise=to_new)
    back = _values_back(enum, (), uppercase=False)
    return to_new, _case("{}", back, otherwise=to_old) if back else to_old


def new_value(enum: EnumStandard, old: str) -> str:
    """What an old value becomes."""
    return enum.mapping.get(old.upper(), old.upper())


def _words(enum: EnumStandard) -> tuple[str, ...]:
    """All that its values are called, old and new."""
    return (*enum.values, *enum.mapping, *enum.back.values())


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


def _require_labels(
    column: Column,
    enum: EnumStandard,
    back: Mapping[str, str],
    labels: tuple[str, ...],
    *,
    uppercase: bool,
) -> None:
    """The old column must know the old spelling of all that a new client may write."""
    if column.is_array and back:
        raise StandardError(
            f"{column.name} is an array, and its old value {next(iter(back.values()))} could not "
            f"be restored from {enum.name}: in an array, old values must be all in lower or all in "
            "upper case",
            hint="Give its rows one case first, or take it out of enums.",
        )
    for value in enum.values:
        old = back.get(value, value if uppercase else value.lower())
        if labels and old not in labels:
            raise StandardError(
                f"{column.name} is {column.type}, and {value} of {enum.name} would be {old} there, "
                "which is none of its labels: the old contract could not hold what a new client "
                "writes",
                hint=f"ALTER TYPE {column.type} ADD VALUE before, say by back which label it is, "
                "or take it out of values.",
            )


def _case(value: str, pairs: Mapping[str, str], *, otherwise: str) -> str:
    whens = " ".join(
        f"WHEN {quote_without_holes(a)} THEN {quote_without_holes(b)}" for a, b in pairs.items()
    )
    return f"CASE {value} {whens} ELSE {otherwise} END"


def _values_back(enum: EnumStandard, labels: tuple[str, ...], *, uppercase: bool) -> dict[str, str]:
    """The old value of each new one that is not the same word."""
    back = {}
    for new in enum.values:
        sources = [old for old, mapped in enum.mapping.items() if mapped == new]
        own = [label for label in labels if new_value(enum, label) == new]
        if new in enum.back:
            back[new] = enum.back[new]
        elif own:
            same = [label for label in own if label.upper() == new] or own
            if same[0] != (new if uppercase else new.lower()):
                back[new] = same[0]
        elif sources:
            back[new] = sources[0] if uppercase else sources[0].lower()
    return back


def _enum_type(column: Column, enum: EnumStandard) -> str:
    if column.is_array:
        return "varchar[]"
    length = re.fullmatch(r"character varying\((\d+)\)", column.type)
    return f"varchar({max(int(length[1]) if length else 50, *map(len, enum.values))})"
