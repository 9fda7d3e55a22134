"""TRUNCATE empties a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if not context.guarded(step):
        yield Hit(f"all rows of {step.table} are gone at once, under ACCESS EXCLUSIVE")


RULE = Rule(
    name="truncate",
    level="error",
    title="TRUNCATE empties a table",
    why="The rows are gone for good, row triggers do not fire, and every query on the table waits.",
    instead="""-- in batches, each with its COMMIT, when the rows are really to go
DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} LIMIT 1000));""",
    flagged=("TRUNCATE TABLE sessions;",),
    passed=("CREATE TABLE scratch (id int); TRUNCATE scratch;",),
    step=_check,
    verbs=frozenset({"Truncate"}),
)
