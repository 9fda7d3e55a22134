"""Code that depends on which columns a table has: functions of its rows, triggers on all of one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.catalog import Catalog, Function
from runner.generate.model import Obstacle, TableChange
from runner.quoting import Name, one_line, quote_ident, quote_name

_WHOLE_ROW = re.compile(r"\b(?:NEW|OLD)\b\)?\s*\.\s*\*", re.IGNORECASE)


def obstacles(t: TableChange, catalog: Catalog) -> Iterator[Obstacle]:
    """What would find other columns, or another type of rows, while both contracts live.

    Args:
        t: the table.
        catalog: the database at the old contract.
    """
    for found in catalog.functions.values():
        if _names_rows(found, t.old):
            yield Obstacle(
                one_line(f"function {found.schema}.{found.signature}"),
                f"takes or gives whole rows of {t.old}, which one of two contracts has as a view: "
                "its rows are of another type",
                "Let it take the columns that it needs, or convert the table by the window "
                "strategy.",
                online_only=True,
            )
    if not t.columns:
        return
    for column in catalog.columns_of_type(t.old):
        yield Obstacle(
            column,
            f"holds whole rows of {t.old}, whose columns change",
            "Give it another type before, such as jsonb.",
        )
    for trigger in t.relation.triggers:
        function = catalog.functions.get(
            Name(trigger.function.schema, f"{quote_ident(trigger.function.name)}()")
        )
        if function and (whole := _whole_row(function.definition)):
            yield Obstacle(
                one_line(f"trigger {trigger.name} on {t.old}"),
                f"runs {function.schema}.{function.signature}, which takes {whole}: from expand "
                "on a row has the new columns, too, and every write would fail",
                "Let it list the columns before, or convert the table by the window strategy.",
                online_only=True,
            )


def _names_rows(function: Function, table: Name) -> bool:
    """Whether a function's arguments or its result have the type of a table's rows."""
    head = re.split(r"\n(?:AS |BEGIN ATOMIC\n|RETURN )", function.definition, maxsplit=1)[0]
    named = rf"""(?<![\w."]){re.escape(quote_name(table))}(?:\[\])?(?![\w."])"""
    return re.search(named, head.partition("(")[2]) is not None


def _whole_row(definition: str) -> str:
    """How a trigger's function takes all columns of its row; empty where it does not."""
    if found := _WHOLE_ROW.search(_code(definition)):
        return found[0]
    found = re.search(r"\(\$\d+\)\s*\.\s*\*", definition)
    return (
        found[0] if found and re.search(r"\bUSING\b[^;]*\b(?:NEW|OLD)\b", definition, re.I) else ""
    )


def depends_on_columns(body: str) -> str:
    """What in a function's text depends on which columns a table has; empty where nothing does."""
    found = re.search(r"SELECT\s+(?:\w+\s*\.\s*)?\*|\w+%ROWTYPE|\w+\s*\.\s*\*", _code(body), re.I)
    return one_line(found[0]) if found else ""


def _code(definition: str) -> str:
    """A function's text without its comments and literals."""
    return re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", " ", definition, flags=re.DOTALL)
