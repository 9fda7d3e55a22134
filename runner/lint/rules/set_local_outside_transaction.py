"""SET LOCAL outside a transaction does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import edits, suggest
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.node.is_local and context.transaction.single and not step.hidden:
        yield Hit(
            f"SET LOCAL {step.node.name} does nothing here: each statement is a transaction of its"
            " own",
            edits=edits.without_word(step, "LOCAL") if context.script.layout != "yoyo" else (),
            names={"statement": suggest.statement(step.node, is_local=False)},
        )


RULE = Rule(
    name="set-local-outside-transaction",
    level="warning",
    title="SET LOCAL outside a transaction does nothing",
    why="SET LOCAL lasts until the end of the transaction, and outside of one that is at once."
    " PostgreSQL only warns, and migration tools drop the warning.",
    instead="""{statement};  -- for the session; or BEGIN first""",
    flagged=("-- transactional: false\nSET LOCAL lock_timeout = '1s';",),
    passed=("BEGIN; SET LOCAL lock_timeout = '1s'; COMMIT;", "SET lock_timeout = '1s';"),
    step=_check,
    verbs=frozenset({"VariableSet"}),
    rollback=True,
)
