"""A compat view that cannot be written through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    select = tree.inner(step.node.query)
    tables = [tree.relation(n) for n in tree.walk(select) if tree.kind(n) == "RangeVar"]
    if context.world.renamed.get(step.table) not in tables:
        return
    parts = {
        "DISTINCT": bool(select.distinct_clause),
        "GROUP BY": bool(select.group_clause),
        "LIMIT": select.HasField("limit_count"),
        "a set operation": tree.enum_name(select, "op") != "SETOP_NONE",
        "WITH": select.HasField("with_clause"),
        "more than one table": len(select.from_clause) > 1
        or any(tree.kind(tree.inner(item)) == "JoinExpr" for item in select.from_clause),
    }
    reason = next((name for name, there in parts.items() if there), "")
    written = any(
        other.verb == "CreateTrig" and other.table == step.table
        for other in context.later_of_table(step)
    )
    if reason and not written:
        yield Hit(
            f"{step.table} has {reason}: PostgreSQL cannot write through it, so the old release's"
            " INSERT, UPDATE and DELETE fail",
            names={"renamed": context.world.renamed[step.table]},
        )


RULE = Rule(
    name="compat-view-not-updatable",
    level="error",
    title="A compat view that cannot be written through",
    why="A view over one table without grouping is updatable by itself. Any other needs INSTEAD OF"
    " triggers, which lose concurrent increments and forbid ON CONFLICT.",
    instead="""-- {table} as a view of {renamed} alone: no GROUP BY, DISTINCT, LIMIT, UNION""",
    flagged=(
        "ALTER TABLE users RENAME TO app_user;\n"
        "CREATE VIEW users AS SELECT DISTINCT id FROM app_user;\nGRANT SELECT ON users TO app;",
    ),
    passed=(
        "ALTER TABLE users RENAME TO app_user;\n"
        "CREATE VIEW users AS SELECT id FROM app_user;\nGRANT SELECT ON users TO app;",
    ),
    step=_check,
    verbs=frozenset({"View"}),
)
