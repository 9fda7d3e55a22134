"""What stands on converted columns, tried on views of the tables before anything changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from runner.generate.dependent import AFTER, BEFORE, DependentChange, Reword
from runner.generate.files import File
from runner.generate.kinds import function, policy, rows, view
from runner.generate.model import TableChange
from runner.generate.statement import Paragraph, Statement, lock
from runner.generate.unit import Unit, listed
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_name

_KINDS: dict[str, Callable[[DependentChange, Reword, Reword], Paragraph]] = {
    "view": view.trial,
    "materialized view": view.trial,
    "policy": policy.trial,
    "function": function.trial,
}


def is_possible(u: Unit) -> bool:
    """Whether there is something to try, and views in one schema can stand for all of it."""
    names = [name.name for name in _names(u)]
    return bool(names) and len(names) == len(set(names))


def _tried(u: Unit) -> list[DependentChange]:
    return [d for d in u.dependents if d.is_tried]


def _names(u: Unit) -> list[Name]:
    """The tables and views for which views stand, in the order in which they can be made."""
    dependents = _tried(u)
    return [t.old for t in u.beneath(dependents)] + [d.of.name for d in dependents if d.of.is_view]


def check(u: Unit, folder: str, subject: str) -> File:
    """The refusal of what could not be made on the new columns, before anything changes."""
    labels = listed(d.label for d in _tried(u))
    untried = listed(d.label for d in u.dependents if d.is_untried)
    return File(
        unlike=f"check dependents {u.tables[0].new}",
        folder=folder,
        phase="check",
        subject=subject,
        title="Stop here when what stands on converted columns would not stand on the new ones.",
        does="makes views of the tables as both contracts show them, and on these, in the "
        f"words of each: {labels}; compares what views show; drops it all again"
        + (f"; cannot try what groups by a table's key: {untried}" if untried else ""),
        cost="runs the query of each view twice",
        undo="nothing to undo",
        body=_statements(u),
        back="no-op: the file changed nothing.",
    )


def _statements(u: Unit) -> list[Paragraph]:
    dependents, names = _tried(u), _names(u)
    tables = u.beneath(dependents)
    before, after = moved(names, BEFORE), moved(names, AFTER)
    shown = [
        Statement(
            f"CREATE SCHEMA {BEFORE};",
            note="What the tables show now, and what they will show under the new contract; both "
            "in the spelling\nthat belongs to each, so that only the definitions can make a "
            "difference.",
        ),
        Statement(f"CREATE SCHEMA {AFTER};"),
        *(s for t in tables for s in _shown(t)),
    ]
    tried = []
    for d in dependents:
        first, *others = _KINDS[d.of.kind](d, before, after)
        tried.append([replace(first, note=d.label), *others])
    functions = [d.of.name.name for d in dependents if d.of.kind == "function"]
    gone = [Statement(f"DROP ROUTINE {AFTER}.{name};") for name in functions]
    for schema in (AFTER, BEFORE):
        views = ",\n    ".join(f"{schema}.{quote_ident(n.name)}" for n in reversed(names))
        gone.append(Statement(f"DROP VIEW\n    {views};"))
    gone += [Statement(f"DROP SCHEMA {schema};") for schema in (AFTER, BEFORE)]
    return [[rows.require_own(u.tables)], shown, *tried, gone]


def _shown(t: TableChange) -> Iterator[Statement]:
    """A table as both contracts show it, each in its own spelling and by the old names."""
    before, after = [], []
    for c in t.relation.columns:
        name, change = quote_ident(c.name), t.converted.get(c.name)
        if change is None:
            before.append(name)
            after.append(name)
            continue
        value = change.new_from(name)
        before.append(f"({change.old_from(value)})::{change.old_type} AS {name}")
        after.append(f"({value})::{change.new_type} AS {name}")
    for schema, columns in ((BEFORE, before), (AFTER, after)):
        selected = ",\n    ".join(columns)
        yield Statement(
            f"CREATE VIEW {schema}.{quote_ident(t.old.name)} AS\n"
            f"SELECT\n    {selected}\nFROM {quote_name(t.old)};",
            locks=(lock(LockMode.ACCESS_SHARE, t.old),),
        )


def moved(names: Iterable[Name], schema: str) -> Reword:
    """What lets views in a schema stand for the tables and views of their names.

    Args:
        names: of tables and views.
        schema: where the others are; empty where their names alone tell.
    """
    patterns = [
        (
            re.compile(rf"""(?<![\w."]){re.escape(quote_name(name))}(?![\w."(])"""),
            (quote_name(Name(schema, name.name)) if schema else quote_ident(name.name)).replace(
                "\\", r"\\"
            ),
        )
        for name in names
    ]

    def move(text: str) -> str:
        for pattern, instead in patterns:
            text = pattern.sub(instead, text)
        return text

    return move
