"""A compat view with SELECT *."""

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
    for item in select.target_list:
        value = tree.inner(tree.inner(item).val)
        if tree.kind(value) == "ColumnRef" and tree.kind(tree.inner(value.fields[-1])) == "A_Star":
            yield Hit(
                f"SELECT * is written out when {step.table} is created: later columns and renames"
                " of the table do not reach it, and it pins all columns it has now"
            )


RULE = Rule(
    name="compat-view-star",
    level="warning",
    title="A compat view with SELECT *",
    why="The compat view is a contract: which columns, in which order. PostgreSQL freezes the"
    " star when the view is made, so the file does not show what the view has, and a DROP"
    " COLUMN of any of them fails.",
    instead="""CREATE VIEW {table} AS
SELECT id, name, created_at FROM ...;  -- the old columns, by name""",
    flagged=(
        "ALTER TABLE users RENAME TO app_user;\nCREATE VIEW users AS SELECT * FROM app_user;\n"
        "GRANT SELECT ON users TO app;",
    ),
    passed=(
        "ALTER TABLE users RENAME TO app_user;\nCREATE VIEW users AS SELECT id FROM app_user;\n"
        "GRANT SELECT ON users TO app;",
    ),
    step=_check,
    verbs=frozenset({"View"}),
)
