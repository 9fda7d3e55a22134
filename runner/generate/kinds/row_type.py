"""Code that depends on a row's columns: functions of rows, triggers that read or write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner.catalog import Catalog, Function, Trigger
from runner.generate.model import Obstacle, TableChange
from runner.generate.statement import Statement
from runner.quoting import Name, one_line, quote_ident, quote_literal, quote_name

_ROW = r"\b(?:NEW|OLD)\b\)?\s*\.\s*"
_WHOLE_ROW = re.compile(r"\b(?:NEW|OLD)\b\)?\s*\.\s*\*", re.IGNORECASE)
# Of a trigger that sees the rows of a statement as a table.
_WHOLE_ROWS = re.compile(
    r"\bINSERT\b[^;]*(?:\bSELECT\s|,)\s*((?:\w+\s*\.\s*)?\*)\s*(?:,|FROM\b)", re.IGNORECASE
)


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
    for trigger in t.relation.triggers:
        if names := _named(t.renamed, trigger, _function(trigger, catalog)):
            yield Obstacle(
                one_line(f"trigger {trigger.name} on {t.old}"),
                f"names {', '.join(names)}, which gets another name: every write would fail",
                "Drop it before, and make it again for the new contract afterwards.",
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
        function = _function(trigger, catalog)
        if function and (whole := _whole_row(trigger, function.definition)):
            yield Obstacle(
                one_line(f"trigger {trigger.name} on {t.old}"),
                f"runs {function.schema}.{function.signature}, which takes {whole}: from expand "
                "on a row has the new columns, too, and every write would fail",
                "Let it list the columns before, or convert the table by the window strategy.",
                online_only=True,
            )
        elif fires_early(trigger) and (
            names := _named((c.name for c in t.columns), trigger, function)
        ):
            yield Obstacle(
                one_line(f"trigger {trigger.name} on {t.old}"),
                f"fires before both sides of a row are kept, and reads or writes "
                f"{', '.join(names)}: a write of the new contract would pass it by, or be undone",
                "Let it fire AFTER, let a CHECK or a default do its work, or convert the table by "
                "the window strategy.",
                online_only=True,
            )


def _function(trigger: Trigger, catalog: Catalog) -> Function | None:
    found = trigger.function
    return catalog.functions.get(Name(found.schema, f"{quote_ident(found.name)}()"))


def require_none(t: TableChange) -> Statement:
    """The refusal of functions of whole rows that came later."""
    return Statement(f"CALL trueup.require_no_functions({quote_literal(quote_name(t.old))});")


def fires_early(trigger: Trigger) -> bool:
    """Whether it sees, and may change, a row that is written."""
    head = trigger.definition.partition(" ON ")[0]
    return re.search(r" BEFORE (?:DELETE OR )?(?:INSERT|UPDATE)", head) is not None and (
        " FOR EACH ROW " in trigger.definition
    )


def _named(names: Iterable[str], trigger: Trigger, function: Function | None) -> list[str]:
    """Those of some columns that a trigger's arguments or its function name as the row's."""
    given = trigger.definition.rpartition(" EXECUTE ")[2]
    arguments = {a.replace("''", "'") for a in re.findall(r"'((?:[^']|'')*)'", given)}
    row = "" if function and " LANGUAGE plpgsql" not in function.definition else _ROW
    body = _code(function.definition.partition("\nAS ")[2]) if function else ""
    named = []
    for name in names:
        column = rf'(?:{re.escape(name)}\b|"{re.escape(name)}")'
        if name in arguments or re.search(rf"{row}(?<![\w$]){column}", body, re.IGNORECASE):
            named.append(name)
    return named


def _names_rows(function: Function, table: Name) -> bool:
    """Whether a function's arguments or its result have the type of a table's rows."""
    head = re.split(r"\n(?:AS |BEGIN ATOMIC\n|RETURN )", function.definition, maxsplit=1)[0]
    named = rf"""(?<![\w."]){re.escape(quote_name(table))}(?:\[\])?(?![\w."])"""
    return re.search(named, head.partition("(")[2]) is not None


def _whole_row(trigger: Trigger, definition: str) -> str:
    """How a trigger's function takes all columns of its row; empty where it does not."""
    if found := _WHOLE_ROW.search(_code(definition)):
        return found[0]
    if " REFERENCING " in trigger.definition and (found := _WHOLE_ROWS.search(_code(definition))):
        return one_line(found[1])
    found = re.search(r"\(?\$\d+\)?\s*\.\s*\*", definition)
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
