"""A rewrite rule: the window makes it again on the new columns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from runner.catalog import Rule
from runner.generate.dependent import DependentChange, Reword, Standing, on_table
from runner.generate.kinds import trigger
from runner.generate.model import Obstacle
from runner.generate.statement import Statement
from runner.quoting import Name, quote_ident, quote_literal, quote_name


def change(o: Standing) -> DependentChange:
    """What it becomes on the new columns."""
    rule = next(r for r in o.relation.rules if r.name == o.dependent.name)
    return on_table(o, "RULE", partial(statements, o.name, rule))


def obstacles(o: Standing) -> Iterator[Obstacle]:
    """What keeps it from serving both contracts."""
    yield o.obstacle(f"{o.on_columns}: a rule sees only what a query names", online_only=True)


def statements(table: Name, rule: Rule, reword: Reword) -> Iterator[Statement]:
    """The statements that make a rule of a table or view."""
    yield Statement(reword(rule.definition))
    yield from trigger.switched(table, "RULE", rule.name, rule.enabled)
    if rule.comment is not None:
        yield Statement(
            f"COMMENT ON RULE {quote_ident(rule.name)} ON {quote_name(table)}"
            f" IS {quote_literal(rule.comment)};"
        )
