"""Strong locks on several tables in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.review.lint.model import Hit, Rule
from runner.review.lint.work import LOCKING_VERBS, former_name, locks_held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.review.lint.context import Context
    from runner.review.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if context.transaction.single or step.lock != "ACCESS EXCLUSIVE" or not step.table:
        return
    if step.target not in ("TABLE", "", "COLUMN", "TABCONSTRAINT", "TRIGGER", "POLICY"):
        return
    others = {
        former_name(s.table, context)
        for s in locks_held(context, "ACCESS EXCLUSIVE")
        if s.target in ("TABLE", "", "COLUMN", "TABCONSTRAINT", "TRIGGER", "POLICY")
    }
    mine = former_name(step.table, context)
    if len(others) == 1 and mine not in others:
        yield Hit(
            f"{step.table} is locked while {', '.join(sorted(others))} is: a client that uses them"
            " in the other order deadlocks, and both are closed until COMMIT"
        )


RULE = Rule(
    name="several-tables-locked",
    level="warning",
    title="Strong locks on several tables in one transaction",
    why="Locks are kept until COMMIT. Whoever takes the same tables in another order deadlocks"
    " with the migration, and while it waits for the second table the first one is closed.",
    instead="""-- one table a file: each lock is given back before the next is asked for""",
    flagged=(
        "BEGIN; ALTER TABLE users ADD COLUMN a int; ALTER TABLE orders ADD COLUMN b int; COMMIT;",
    ),
    passed=(
        "BEGIN; ALTER TABLE users ADD COLUMN a int; ALTER TABLE users ADD COLUMN b int; COMMIT;",
        "BEGIN; CREATE TABLE t (a int); ALTER TABLE users ADD COLUMN b int; COMMIT;",
    ),
    step=_check,
    verbs=LOCKING_VERBS,
    window=False,
)
