"""LOCK TABLE without lock_timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if not step.strong or context.lock_timeout > 0:
        return
    yield Hit(
        f"LOCK TABLE {step.table} IN {step.lock} MODE waits without end, and every query on the"
        " table waits behind it",
        names={"mode": suggest.Sql(step.lock)},
    )


RULE = Rule(
    name="lock-table",
    level="error",
    title="LOCK TABLE without lock_timeout",
    why="The lock is held until COMMIT, and while it waits for one long query all later queries"
    " queue up behind it.",
    instead="""SET LOCAL lock_timeout = '200ms';
LOCK TABLE {table} IN {mode} MODE;""",
    flagged=("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; COMMIT;",),
    passed=(
        "BEGIN; SET LOCAL lock_timeout = '200ms'; LOCK TABLE users IN EXCLUSIVE MODE; COMMIT;",
    ),
    step=_check,
    verbs=frozenset({"Lock"}),
)
