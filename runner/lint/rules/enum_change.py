"""A native enum type is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    node = step.node
    if context.world.new_types.get(step.table) is context.script:
        return
    if node.old_val:
        yield Hit(
            f"clients that still send or compare {node.old_val!r} fail at once",
            names={"value": node.new_val},
        )
    else:
        yield Hit(
            f"{node.new_val!r} can never be removed from {step.table} again: this has no rollback,"
            " and the old release may meet a value that it does not know",
            names={"value": node.new_val},
        )


RULE = Rule(
    name="enum-change",
    level="warning",
    title="A native enum type is changed",
    why="Values of an enum type can be added and renamed, never removed, so nothing undoes"
    " this. A varchar with a CHECK constraint can go both ways.",
    instead="""-- a varchar with a CHECK of its values: NOT VALID, validated in the next file""",
    flagged=(
        "ALTER TYPE mood ADD VALUE 'calm';",
        "ALTER TYPE mood RENAME VALUE 'sad' TO 'SAD';",
    ),
    passed=("CREATE TYPE mood AS ENUM ('SAD', 'CALM');",),
    step=_check,
    verbs=frozenset({"AlterEnum"}),
    squawk=("ban-add-enum-value", "require-enum-value-ordering"),
)
