"""A trigger: it stays; one with WHEN or UPDATE OF on a converted column is made again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from runner.catalog import Trigger
from runner.generate.dependent import (
    DependentChange,
    Reword,
    Standing,
    on_table,
    with_drop,
)
from runner.generate.model import Obstacle, TableChange
from runner.generate.statement import Paragraph, Statement
from runner.generate.wording.casts import NAME
from runner.quoting import Name, quote_ident, quote_literal, quote_name

_ENABLE = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
_HEAD = re.compile(
    rf"CREATE (?:CONSTRAINT )?TRIGGER {NAME} (?P<when>BEFORE|AFTER) (?:(?:INSERT|DELETE) OR )*"
    rf"(?:UPDATE OF (?P<columns>{NAME}(?:, {NAME})*))?"
)
_WHEN = re.compile(r" WHEN (\(.*\)) EXECUTE ", re.DOTALL)


def change(o: Standing) -> DependentChange:
    """What it becomes on the new columns."""
    trigger = _found(o)
    changed = on_table(o, "TRIGGER", partial(statements, o.name, trigger))
    if not columns(trigger):
        return changed

    def on_both(names: Mapping[str, str]) -> tuple[Statement, ...]:
        made = statements(o.name, trigger, lambda text: o.old(_of_both(text, names)))
        return with_drop(made, *changed.off(old=True))

    return replace(changed, on_both=on_both)


def obstacles(o: Standing) -> Iterator[Obstacle]:
    """What keeps it from firing for both contracts, on values that are kept for both by then."""
    found = _HEAD.match(_found(o).definition)
    if found is None or found["when"] != "AFTER":
        yield o.obstacle(
            f"{o.on_columns}: it fires before both sides of a row are kept, and would not see what "
            "the new contract writes",
            "Before: let it fire AFTER, or on every UPDATE without naming the column.",
            online_only=True,
        )


def query(o: Standing, reword: Reword) -> str:
    """The rows for which it fires, in the words of a contract; empty where that is all of them."""
    found = _WHEN.search(reword(_found(o).definition))
    table = quote_name(o.name)
    return f"SELECT FROM {table} AS old, {table} AS new WHERE {found[1]}" if found else ""


def columns(trigger: Trigger) -> list[str]:
    """The columns that it lists behind UPDATE OF, quoted where they must be."""
    found = _HEAD.match(trigger.definition)
    return re.findall(NAME, found["columns"]) if found and found["columns"] else []


def listed(t: TableChange) -> frozenset[str]:
    """The columns of a table that triggers list behind UPDATE OF, whatever side it calls so."""
    quoted = {column for found in t.relation.triggers for column in columns(found)}
    return frozenset(c.name for c in t.relation.columns if quote_ident(c.name) in quoted)


def _of_both(definition: str, names: Mapping[str, str]) -> str:
    """UPDATE OF both sides: the server looks at what a command sets, not at what becomes of it."""
    found = _HEAD.match(definition)
    assert found is not None, definition
    quoted = {quote_ident(old): quote_ident(new) for old, new in names.items()}
    listed = re.findall(NAME, found["columns"])
    both = ", ".join(side for c in listed for side in (c, quoted.get(c)) if side)
    return f"{definition[: found.start('columns')]}{both}{definition[found.end('columns') :]}"


def expand(t: TableChange, dependents: Iterable[DependentChange]) -> list[Paragraph]:
    """The triggers of UPDATE OF, for whichever contract sets a column.

    Args:
        t: the table, while it has its old name.
        dependents: what stands on its converted columns.
    """
    names = {c.name: c.build_name for c in t.columns}
    found: list[Paragraph] = []
    for d in dependents:
        if d.on_both and d.of.name == t.old:
            first, *others = d.on_both(names)
            note = "It fires for whichever contract sets the column."
            drop = replace(d.off(old=True)[0], undo=d.old, note=note)
            found.append([drop, first, *others])
    return found


def _found(o: Standing) -> Trigger:
    return next(t for t in o.relation.triggers if t.name == o.dependent.name)


def statements(table: Name, trigger: Trigger, reword: Reword) -> Iterator[Statement]:
    """The statements that make a trigger of a table or view."""
    yield Statement(f"{reword(trigger.definition)};")
    yield from switched(table, "TRIGGER", trigger.name, trigger.enabled)
    if trigger.comment is not None:
        yield Statement(
            f"COMMENT ON TRIGGER {quote_ident(trigger.name)} ON {quote_name(table)}"
            f" IS {quote_literal(trigger.comment)};"
        )


def switched(table: Name, kind: str, name: str, enabled: str) -> Iterator[Statement]:
    """The statement that lets a trigger or a rule fire when it did before, if not as usual."""
    if enabled in _ENABLE:
        note = "trueup: ignore disable-trigger because it was disabled before"
        yield Statement(
            f"ALTER TABLE {quote_name(table)} {_ENABLE[enabled]} {kind} {quote_ident(name)};",
            note=note if enabled == "D" else "",
        )
