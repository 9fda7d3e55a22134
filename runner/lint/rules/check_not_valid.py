"""ADD CHECK without NOT VALID checks all rows under lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import edits, suggest, tree
from runner.lint.definitions import contype
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.tree import Node


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "AddConstraint":
        node = getattr(step.node, "def").constraint
        kind = contype(node)
        if kind not in ("CHECK", "NOTNULL") or node.skip_validation or not node.is_enforced:
            return
        if kind == "NOTNULL" and context.world.table(step.table).proves_not_null(
            tree.strings(node.keys)[0]
        ):
            return
        first = ""
        definition = suggest.Sql()
    else:
        column = getattr(step.node, "def").column_def
        parts = [tree.inner(item) for item in column.constraints]
        checks = [part for part in parts if contype(part) == "CHECK"]
        if not checks:
            return
        node = checks[0]
        first = "ALTER TABLE {table} ADD COLUMN {definition};\n"
        definition = suggest.column_without(column, "CHECK")
    name = node.conname or _name(step, node)
    yield Hit(
        f"every row of {step.table} is checked under ACCESS EXCLUSIVE: reads and writes wait",
        names={
            "name": name,
            "definition": definition,
            "constraint": suggest.not_valid(node, name),
        },
        instead=first + RULE.instead,
        edits=() if first else edits.validated_later(context, step, node, name),
    )


def _name(step: Step, node: Node) -> str:
    """The name that PostgreSQL would give it."""
    if contype(node) == "NOTNULL":
        return suggest.made(step.table, *tree.strings(node.keys), "not_null")
    columns = sorted(tree.columns_of(node.raw_expr))
    return suggest.made(step.table, *(columns if len(columns) == 1 else ()), "check")


RULE = Rule(
    name="check-not-valid",
    level="error",
    title="ADD CHECK without NOT VALID checks all rows under lock",
    why="The table is read from start to end while nobody can use it. With NOT VALID new rows"
    " are checked at once; VALIDATE CONSTRAINT then checks the old ones under a lock that"
    " lets reads and writes go on.",
    instead="""ALTER TABLE {table} ADD {constraint};
-- in a later transaction:
ALTER TABLE {table} VALIDATE CONSTRAINT {name};""",
    flagged=(
        "ALTER TABLE users ADD CONSTRAINT age_check CHECK (age > 0);",
        "ALTER TABLE users ADD COLUMN age int CHECK (age > 0);",
    ),
    passed=(
        "ALTER TABLE users ADD CONSTRAINT age_check CHECK (age > 0) NOT VALID;",
        "CREATE TABLE users (age int CHECK (age > 0));",
    ),
    step=_check,
    verbs=frozenset({"AddConstraint", "AddColumn"}),
    window=False,
)
