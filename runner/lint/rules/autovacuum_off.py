"""autovacuum is switched off for a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.tree import Node


def _is_off(value: Node) -> bool:
    text = str(tree.constant(value) or getattr(tree.inner(value), "sval", "false")).lower()
    return text in ("false", "off", "no", "0", "f")


def _check(step: Step, context: Context) -> Iterator[Hit]:
    options = tree.inner(getattr(step.node, "def"))
    for item in options.items:
        part = tree.inner(item)
        if part.defname == "autovacuum_enabled" and _is_off(part.arg):
            yield Hit(f"{step.table} is never vacuumed: it grows, and transaction ids run out")


RULE = Rule(
    name="autovacuum-off",
    level="warning",
    title="autovacuum is switched off for a table",
    why="Dead rows stay, plans go wrong, and at the end the server must stop for a freeze.",
    instead="""ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.01);""",
    flagged=("ALTER TABLE users SET (autovacuum_enabled = false);",),
    passed=("ALTER TABLE users SET (fillfactor = 90);",),
    step=_check,
    verbs=frozenset({"SetRelOptions"}),
)
