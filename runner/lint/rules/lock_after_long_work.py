"""A strong lock after long work in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule
from runner.lint.work import LOCKING_VERBS, is_long

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.lock not in ("ACCESS EXCLUSIVE", "SHARE ROW EXCLUSIVE"):
        return
    earlier = [s for s in context.transaction.steps if s.statement is not step.statement]
    if any(s.lock == "ACCESS EXCLUSIVE" and s.table == step.table for s in earlier):
        return
    work = next((s for s in earlier if s.table and is_long(s, context)), None)
    if work is not None:
        yield Hit(
            f"this transaction has worked through {work.table} before it asks for {step.lock} on"
            f" {step.table}: when the lock is not to be had, all of it is thrown away, and clients"
            " that hold the table and want a row of the other one deadlock with it",
        )


RULE = Rule(
    name="lock-after-long-work",
    level="warning",
    title="A strong lock after long work in the same transaction",
    why="The transaction holds row locks for as long as the work took, then queues for the"
    " table. A client that has the table and waits for a row closes the circle; a"
    " lock_timeout rolls all the work back.",
    instead="""-- one file that does the work, and one, applied after it, that takes the lock""",
    flagged=(
        "BEGIN; UPDATE users SET a = 1; ALTER TABLE users DROP CONSTRAINT c; COMMIT;",
        "BEGIN; REFRESH MATERIALIZED VIEW totals; ALTER TABLE users DROP CONSTRAINT c; COMMIT;",
    ),
    passed=(
        "BEGIN; ALTER TABLE users DROP CONSTRAINT c; COMMIT;",
        "BEGIN; CREATE MATERIALIZED VIEW totals AS SELECT sum(n) FROM users WITH NO DATA;"
        " ALTER TABLE users DROP CONSTRAINT c; COMMIT;",
    ),
    step=_check,
    verbs=LOCKING_VERBS,
    window=False,
)
