"""A new enum value is used in the transaction that adds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.context import in_transaction
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    value = step.node.new_val
    if step.node.old_val or not in_transaction(context):
        return
    if context.world.new_types.get(step.table) is context.script:
        return
    for other in context.later(step):
        if other.verb == "Transaction":
            return
        if f"'{value}'" in other.statement.text:
            yield Hit(
                f"{value!r} is used in the transaction that adds it: PostgreSQL refuses that"
                " (unsafe use of new value)",
                step=other,
                names={"value": suggest.literal(value), "type": step.table},
            )
            return


RULE = Rule(
    name="enum-value-used",
    level="error",
    title="A new enum value is used in the transaction that adds it",
    why="The value becomes usable when its transaction is committed.",
    instead="""-- in a file of its own, applied before
ALTER TYPE {type} ADD VALUE IF NOT EXISTS {value};""",
    flagged=(
        "BEGIN; ALTER TYPE mood ADD VALUE 'calm'; UPDATE u SET m = 'calm' WHERE id = 1; COMMIT;",
    ),
    passed=(
        "ALTER TYPE mood ADD VALUE 'calm';\n-- file: 0002_use.sql\n"
        "UPDATE u SET m = 'calm' WHERE id = 1;",
    ),
    step=_check,
    verbs=frozenset({"AlterEnum"}),
)
