"""A trigger: it stays; one with WHEN or UPDATE OF on a converted column is made again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from runner.catalog import Trigger
from runner.generate.dependent import DependentChange, Reword, Standing, on_table
from runner.generate.model import Obstacle
from runner.generate.statement import Statement
from runner.quoting import Name, quote_ident, quote_literal, quote_name

_ENABLE = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


def change(o: Standing) -> DependentChange:
    """What it becomes on the new columns."""
    return on_table(o, "TRIGGER", partial(statements, o.name, _found(o)))


def obstacles(o: Standing) -> Iterator[Obstacle]:
    """What keeps it from firing for both contracts, on values that are kept for both by then."""
    words = _found(o).definition.split(" ON ", 1)[0]
    if " AFTER " not in words or " UPDATE OF " in words:
        yield o.obstacle(
            f"{o.on_columns}: while both contracts live it would not fire for both",
            online_only=True,
        )


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
