"""A function with a parsed body: replaced, so that it keeps its owner and grants."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.catalog import Function
from runner.errors import StandardError
from runner.generate.dependent import AFTER, DependentChange, Reword, Standing
from runner.generate.model import Obstacle
from runner.generate.statement import Paragraph, Statement
from runner.quoting import quote_ident, quote_name


def change(o: Standing) -> DependentChange:
    """What it becomes on the new columns.

    Raises:
        StandardError: its arguments or its result have the type of a table's rows.
    """
    head, body = _parts(o.function)
    rows = (rf"""(?<![\w".]){re.escape(quote_name(t))}(?![\w"])""" for t in o.tables)
    if any(re.search(table, head) for table in rows):
        raise StandardError(f"{o.label} takes or gives whole rows, whose columns change")
    definition = (o.new(head) + o.new(body)).strip()
    # Something that uses nothing stands in for it meanwhile.
    off = (
        Statement("SET LOCAL check_function_bodies = off;"),
        Statement(f"{head}\nAS 'made again below';"),
    )
    return DependentChange(
        o,
        old=(Statement(f"{o.old(o.function.definition).strip()};", undo=off),),
        new=(Statement(f"{definition};", undo=off),),
        new_query=definition,
    )


def obstacles(o: Standing) -> Iterator[Obstacle]:
    """What keeps it from being made again."""
    yield from o.takes_rows()
    yield from o.groups_by_keys()


def query(o: Standing, reword: Reword) -> str:
    """Its body in the words of a contract; empty where that is no single query."""
    _, body = _parts(o.function)
    text = reword(body).strip().removesuffix(";")
    if text.startswith("RETURN "):
        return f"SELECT {text.removeprefix('RETURN ')}"
    text = text.removeprefix("BEGIN ATOMIC").removesuffix("END").strip().removesuffix(";")
    return "" if re.search(r";$", text, re.MULTILINE) else text


def trial(d: DependentChange, _: Reword, after: Reword) -> Paragraph:
    """The same function on what the new contract will show."""
    own = f"{quote_ident(d.of.function.schema)}."
    return [Statement(f"{after(d.new_query.replace(own, f'{AFTER}.', 1))};")]


def _parts(function: Function) -> tuple[str, str]:
    """What stands before a function's parsed body, and the body.

    Raises:
        StandardError: its body is a text, which PostgreSQL does not read before it is called.
    """
    match = re.search(r"\n(?:BEGIN ATOMIC\n|RETURN )", function.definition)
    if match is None:
        raise StandardError(f"function {function.schema}.{function.signature} has no parsed body")
    return function.definition[: match.start()], function.definition[match.start() :]
