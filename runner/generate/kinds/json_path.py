"""A JSON column of which some paths hold enum values: how the values in it are converted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from runner.catalog import Column
from runner.errors import StandardError
from runner.generate.column_change import ColumnChange, Refusal
from runner.generate.kinds import enum
from runner.generate.wording.json_paths import path_sql
from runner.generate.wording.types import storage_clauses
from runner.quoting import Name, quote_ident, quote_literal, shorten
from runner.standard.model import EnumStandard, JsonPath

UNKNOWN_TO_JSONB = "holds \\u0000, unknown to jsonb"
MOST_PATHS = 4  # each doubles the length of the SQL


@dataclass(frozen=True, slots=True)
class PathChange:
    """One path of a column.

    Args:
        keys: from the outermost to the innermost.
        enum: what stands there.
        to_new, to_old: SQL for the text in which `{}` stands for the text of the other contract.
        new_text: the same as `to_new` for one text.
    """

    keys: tuple[str, ...]
    enum: EnumStandard
    to_new: str
    to_old: str
    new_text: Callable[[str], str]


def change(column: Column, table: Name, new_name: str, named: Sequence[JsonPath]) -> ColumnChange:
    """Convert the values at some paths of a json or jsonb column.

    The column keeps its type. Where a path is not there, or holds null, nothing is done.

    Raises:
        StandardError: the column is no JSON, or its default cannot be converted.
    """
    paths = [
        PathChange(p.keys, p.enum, *enum.text_conversions(p.enum), partial(enum.new_value, p.enum))
        for p in named
    ]
    where = f"{table}.{column.name}"
    if column.type not in ("json", "jsonb"):
        raise StandardError(
            f"{where} is {column.type}, and only json and jsonb have paths",
            hint="Name a column that is an enum itself under enums.",
        )
    if len(paths) > MOST_PATHS:
        raise StandardError(f"{where}: {len(paths)} paths are named, at most {MOST_PATHS} can be")
    name = quote_ident(column.name)
    refusals = [
        Refusal(
            _refused(column.type, name, p),
            f"holds values at {'.'.join(p.keys)} that are not one of {', '.join(p.enum.values)}",
        )
        for p in paths
    ]
    if column.type == "json":
        # First: no path can be looked at in such a document.
        refusals.insert(0, Refusal(f"position('\\u0000' in {name}::text) > 0", UNKNOWN_TO_JSONB))
    return ColumnChange(
        name=column.name,
        old_name=shorten(column.name, "__old"),
        old_type=column.type,
        new_type=column.type,
        to_new=_conversion(column.type, [(p, p.to_new) for p in paths]),
        to_old=_conversion(column.type, [(p, p.to_old) for p in paths]),
        not_null=column.not_null,
        refusals=tuple(refusals),
        old_default=column.default,
        new_default=_new_default(column, where, paths),
        values=tuple(v for p in paths for v in (*p.enum.values, *p.enum.mapping)),
        storage=storage_clauses(column, is_text=True),
        paths=tuple(
            (shorten("_".join((new_name, column.name, *p.keys)), "_check"), _check(column, p))
            for p in paths
        ),
        to_old_beside=_conversion(column.type, [(p, _old_beside(column.type, p)) for p in paths]),
        to_old_again=_conversion(
            column.type, [(p, p.to_old.replace("{}", p.to_new)) for p in paths]
        ),
    )


def _conversion(type_name: str, texts: Sequence[tuple[PathChange, str]]) -> str:
    made = "{}"
    for path, text in texts:
        at = path_sql(path.keys)
        value = text.replace("{}", f"{{}} #>> {at}")
        if type_name == "json":
            changed = f"jsonb_set({made}::jsonb, {at}, to_jsonb({value}))::json"
        else:
            changed = f"jsonb_set({made}, {at}, to_jsonb({value}))"
        made = (
            f"CASE WHEN {type_name}_typeof({{}} #> {at}) = 'string' THEN {changed} ELSE {made} END"
        )
    return made


def _old_beside(type_name: str, path: PathChange) -> str:
    at = path_sql(path.keys)
    is_same = f"{{}} IS NOT DISTINCT FROM {{was}} #>> {at}"
    has_text = f"{type_name}_typeof({{kept}} #> {at}) = 'string'"
    return f"CASE WHEN {is_same} AND {has_text} THEN {{kept}} #>> {at} ELSE {path.to_old} END"


def _refused(type_name: str, name: str, path: PathChange) -> str:
    at, values = path_sql(path.keys), ", ".join(map(quote_literal, path.enum.values))
    text = path.to_new.replace("{}", f"{name} #>> {at}")
    kind = f"{type_name}_typeof({name} #> {at})"
    return f"CASE {kind} WHEN 'string' THEN {text} NOT IN ({values}) ELSE {kind} <> 'null' END"


def _check(column: Column, path: PathChange) -> str:
    name = quote_ident(column.name) + ("::jsonb" if column.type == "json" else "")
    values = ["null", *(json.dumps(v, ensure_ascii=False) for v in path.enum.values)]
    return f"({name} #> {path_sql(path.keys)}) IN ({', '.join(map(quote_literal, values))})"


def _new_default(column: Column, where: str, paths: Sequence[PathChange]) -> str | None:
    if column.default is None:
        return None
    literal = re.fullmatch(r"'((?:[^']|'')*)'::jsonb?", column.default)
    problem = StandardError(
        f"the default of {where} is {column.default}: only a constant can be converted"
    )
    if not literal:
        raise problem
    text = literal[1].replace("''", "'")
    wanted, written = json.loads(text, parse_float=Decimal), json.loads(text)
    found = [_convert(document, paths) for document in (wanted, written)]
    if not any(found):
        return column.default
    changed = json.dumps(written, ensure_ascii=False)
    # A number that Python would write as another one must not change on the way.
    if json.loads(changed, parse_float=Decimal) != wanted:
        raise problem
    return f"{quote_literal(changed)}::{column.type}"


def _convert(document: Any, paths: Sequence[PathChange]) -> bool:
    """Convert the values in a document; returns whether there is one."""
    found = False
    for path in paths:
        place = document
        for key in path.keys[:-1]:
            place = place.get(key) if isinstance(place, dict) else None
        last = path.keys[-1]
        if isinstance(place, dict) and isinstance(place.get(last), str):
            place[last], found = path.new_text(place[last]), True
    return found
