"""A column is renamed and nothing keeps its old name alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.context import renamed
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.target != "COLUMN" or tree.enum_name(step.node, "relation_type") not in (
        "OBJECT_TABLE",
        "OBJECT_VIEW",
        "OBJECT_MATVIEW",
    ):
        return
    table = context.world.table(step.table)
    column = table.columns.get(step.name)
    if column is not None and column.born is context.script:
        return
    # A compat view in the same file shows the column under its old name.
    former = {old for old, new in context.world.renamed.items() if new == step.table}
    for other in context.later(step):
        if other.verb == "View" and (other.table in former or other.table == step.table):
            return
    if _was_renamed(step, context) or _is_replaced(step, context):
        return
    yield Hit(
        f"clients that still say {step.table}.{step.name} fail at once; the old and the new"
        " release cannot run together",
        names={
            "new": step.node.newname,
            "column": step.name,
            "type": suggest.Sql(column.type if column and column.type else "text"),
        },
    )


def _was_renamed(step: Step, context: Context) -> bool:
    """Whether the transaction itself gave the column the name that it takes away again."""
    named = context.transaction.named
    return any(
        other.target == "COLUMN"
        and other.verb == "Rename"
        and named[other] == named[step]
        and other.node.newname == step.name
        for other in context.transaction.steps
    )


def _is_replaced(step: Step, context: Context) -> bool:
    """Whether a column, this or another one, has the name again when the transaction ends."""
    table = step.table
    for other in context.later_in_transaction(step):
        if other.verb == "Rename" and other.table == table:
            if other.target == "COLUMN" and other.node.newname == step.name:
                return True
            table = renamed(other) or table
    return False


RULE = Rule(
    name="rename-column",
    level="error",
    title="A column is renamed and nothing keeps its old name alive",
    why="The rename and the release of the code never happen at one moment. Either both columns"
    " exist for a while, or the table is renamed too and a view shows the old names.",
    instead="""ALTER TABLE {table} ADD COLUMN {new} {type};
-- keep both in step by a trigger, fill {new} in batches, release the code; later drop {column}""",
    flagged=(
        "ALTER TABLE users RENAME COLUMN mail TO email;",
        "BEGIN; ALTER TABLE users RENAME COLUMN mail TO email; COMMIT;\n"
        "BEGIN; ALTER TABLE users RENAME COLUMN email TO mail; COMMIT;",
    ),
    passed=(
        "BEGIN; ALTER TABLE users RENAME COLUMN mail TO email; ALTER TABLE users RENAME TO u;\n"
        "ALTER TABLE u RENAME COLUMN email TO mail; ALTER TABLE u RENAME TO users; COMMIT;",
        "ALTER TABLE users RENAME TO app_user;\nALTER TABLE app_user RENAME COLUMN mail TO email;\n"
        "CREATE VIEW users AS SELECT id, email AS mail FROM app_user;\n"
        "GRANT SELECT ON users TO app;",
    ),
    step=_check,
    verbs=frozenset({"Rename"}),
    window=False,
    squawk=("renaming-column",),
)
