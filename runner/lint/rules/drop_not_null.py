"""DROP NOT NULL lets in what readers do not expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if any(
        other.verb in ("RenameColumn", "DropColumn") and other.name == step.name
        for other in context.later(step)
    ):
        return
    yield Hit(
        f"{step.table}.{step.name} may be NULL from now on; the release that is running does not"
        " expect that",
        names={"column": step.name},
    )


RULE = Rule(
    name="drop-not-null",
    level="warning",
    title="DROP NOT NULL lets in what readers do not expect",
    why="Code that was written for a value meets NULL as soon as one writer leaves it out, and"
    " the way back (SET NOT NULL) fails once there is a NULL.",
    instead="""-- release readers that take NULL first; then, knowingly:
-- trueup: ignore drop-not-null because all readers take NULL since release 12
ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL;""",
    flagged=("ALTER TABLE users ALTER COLUMN email DROP NOT NULL;",),
    passed=("ALTER TABLE users ALTER COLUMN email SET DEFAULT '';",),
    step=_check,
    verbs=frozenset({"DropNotNull"}),
    squawk=("ban-drop-not-null",),
)
