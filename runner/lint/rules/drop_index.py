"""DROP INDEX without CONCURRENTLY stops reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import edits, tree
from runner.lint.model import Edit, Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.target != "INDEX" or step.node.concurrent:
        return
    index = context.world.indexes.get(step.name.rpartition(".")[2])
    if index is not None and context.is_new(index.table):
        return
    yield Hit(
        f"dropping {step.name} takes ACCESS EXCLUSIVE on its table: reads wait, too",
        edits=_edits(step, context),
    )


def _edits(step: Step, context: Context) -> tuple[Edit, ...]:
    around = edits.outside(context, step)
    cascades = tree.enum_name(step.node, "behavior") == "DROP_CASCADE"
    if around is None or cascades or len(step.node.objects) > 1:
        return ()
    return around + edits.behind_word(step, "INDEX", " CONCURRENTLY")


RULE = Rule(
    name="drop-index",
    level="error",
    title="DROP INDEX without CONCURRENTLY stops reads and writes",
    why="It waits for every running query on the table, and every new query waits behind it.",
    instead="""-- in a file of its own, outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS {name};""",
    flagged=("DROP INDEX users_email_idx;",),
    passed=("-- transactional: false\nDROP INDEX CONCURRENTLY IF EXISTS users_email_idx;",),
    step=_check,
    verbs=frozenset({"Drop"}),
    window=False,
    squawk=("require-concurrent-index-deletion",),
)
