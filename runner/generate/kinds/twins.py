"""Rows that are different now and become the same under a unique index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runner.generate.column_change import ColumnChange
from runner.generate.model import IndexChange, TableChange
from runner.generate.statement import Statement
from runner.generate.wording.casts import NAME, closing, split_list
from runner.quoting import dollar_quote, quote_ident, quote_literal, quote_name, unused


@dataclass(frozen=True, slots=True)
class Twins:
    """A unique index under which rows may become the same.

    Args:
        index: it.
        columns: its converted columns, of which several spellings become one value.
        respelled: the condition that a row holds another spelling than the new contract derives:
            without one there are no twins.
        query: what gives how many rows become the same, and two of them in words.
    """

    index: IndexChange
    columns: tuple[str, ...]
    respelled: str
    query: str


def of_table(
    t: TableChange, new: Callable[[ColumnChange, str], str] | None = None
) -> Iterator[Twins]:
    """The unique indexes of a table under which rows may become the same.

    That of one column which becomes uuid is left out: trueup.require_clean looks at it.

    Args:
        t: the table.
        new: SQL for a column's new value from SQL of the old one, else as it is converted.
    """
    for i in t.converted_indexes:
        merging = [c for c in t.columns if c.name in i.columns and _merges(c)]
        is_one_uuid = len(i.columns) == 1 and any(c.new_type == "uuid" for c in merging)
        if i.unique and merging and not is_one_uuid:
            yield Twins(
                i,
                tuple(c.name for c in merging),
                " OR ".join(map(_respelled, merging)),
                _query(t, i, new or _converted),
            )


def refuse(t: TableChange) -> list[list[Statement]]:
    """The refusal of such rows, before anything changes."""
    on = quote_literal(quote_name(t.old))
    return [
        [
            Statement(
                f"CALL trueup.refuse_twins(\n    {on},\n"
                f"    {quote_literal(found.index.old_name)},\n"
                f"    {dollar_quote(found.respelled)},\n    {dollar_quote(found.query)}\n);"
            )
        ]
        for found in of_table(t)
    ]


def _merges(c: ColumnChange) -> bool:
    """Whether several old values may become one: not where a type or a CHECK lists others."""
    listed = [c.mapping.get(value.upper(), value.upper()) for value in c.listed]
    return c.folds or not listed or len({*listed}) < len(listed)


def _respelled(c: ColumnChange) -> str:
    name = quote_ident(c.name)
    return f"{c.compared(name)} IS DISTINCT FROM {c.compared(c.derived_again(name))}"


def _converted(c: ColumnChange, value: str) -> str:
    return f"({c.new_from(value)})::{c.new_type}"


def _query(t: TableChange, i: IndexChange, new: Callable[[ColumnChange, str], str]) -> str:
    keys, tail = keys_of(i.new_method)
    shown = unused("shown", "", {*i.columns})
    columns = [
        f"{new(t.converted[name], quoted)} AS {quoted}" if name in t.converted else quoted
        for name in i.columns
        for quoted in [quote_ident(name)]
    ]
    said = ", ".join(
        f"{quote_literal(f'{name} ')} || {quote_ident(name)}::text"
        for name in dict.fromkeys((*t.key, *i.columns))
    )
    kept = [] if " NULLS NOT DISTINCT" in tail else [f"{key} IS NOT NULL" for key in keys]
    if (where := tail.find(" WHERE ")) >= 0:
        kept.insert(0, tail[where + len(" WHERE ") :])
    condition = f" WHERE {' AND '.join(kept)}" if kept else ""
    return (
        f"SELECT count(*) AS rows, min({shown}) || ' = ' || max({shown}) AS pair"
        f" FROM (SELECT left(concat_ws(', ', {said}), 200) COLLATE \"C\" AS {shown},"
        f" {', '.join(columns)} FROM {quote_name(t.old)}) AS converted{condition}"
        f" GROUP BY {', '.join(keys)} HAVING count(*) > 1"
    )


def keys_of(method: str) -> tuple[list[str], str]:
    """What an index keeps apart, as expressions, and what follows its columns."""
    begin = method.index("(") + 1
    end = closing(method, begin)
    tail = method[end + 1 :]
    if tail.startswith(" INCLUDE ("):
        tail = tail[closing(tail, len(" INCLUDE (")) + 1 :]
    return [_expression(key) for key in split_list(method[begin:end])], tail


def _expression(key: str) -> str:
    """A key without its operator class and its order."""
    if key.startswith("("):
        end = closing(key, 1) + 1
    else:
        found = re.match(rf"{NAME}(?:\.{NAME})?", key)
        end = found.end() if found else len(key)
        if key[end : end + 1] == "(":
            end = closing(key, end + 1) + 1
    collation = re.match(rf" COLLATE {NAME}(?:\.{NAME})?", key[end:])
    return key[:end] + (collation[0] if collation else "")
