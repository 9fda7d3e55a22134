"""LOCK TABLE without lock_timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import edits, suggest
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if not step.strong:
        return
    if context.lock_timeout == 0:
        problem = "waits without end, and every query on the table waits behind it"
    elif context.transaction.single and not step.hidden:
        problem = "fails: outside a transaction there is nothing that would hold the lock"
    elif _is_needed(step, context):
        return
    else:
        problem = "holds clients up until COMMIT, and nothing in this transaction needs it"
    yield Hit(
        f"LOCK TABLE {step.table} IN {step.lock} MODE {problem}",
        edits=()
        if context.lock_timeout or not _is_needed(step, context)
        else edits.with_lock_timeout(context, step),
        names={"mode": suggest.Sql(step.lock)},
    )


def _is_needed(step: Step, context: Context) -> bool:
    """Whether a later step of the transaction takes strong locks anyway: of it or of its keys."""
    return any(
        other.strong and other.verb != "Lock" for other in context.later_in_transaction(step)
    )


RULE = Rule(
    name="lock-table",
    level="error",
    title="LOCK TABLE without lock_timeout, or without need",
    why="The lock is held until COMMIT, and while it waits for one long query all later queries"
    " queue up behind it. Before a statement that takes the same lock anyway it is the right"
    " order; else a lock of rows (SELECT ... FOR UPDATE) or an advisory lock is enough.",
    instead="""SET LOCAL lock_timeout = '200ms';
LOCK TABLE {table} IN {mode} MODE;""",
    flagged=(
        "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; COMMIT;",
        "BEGIN; SET LOCAL lock_timeout = '200ms'; LOCK TABLE users IN EXCLUSIVE MODE; COMMIT;",
    ),
    passed=(
        "BEGIN; SET LOCAL lock_timeout = '200ms'; LOCK TABLE users;\n"
        "ALTER TABLE users ADD COLUMN note text; COMMIT;",
        "BEGIN; SET LOCAL lock_timeout = '200ms'; LOCK TABLE users IN ROW EXCLUSIVE MODE; COMMIT;",
    ),
    step=_check,
    verbs=frozenset({"Lock"}),
)
