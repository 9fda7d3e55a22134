"""CREATE INDEX without CONCURRENTLY stops all writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import edits, suggest
from runner.lint.model import Edit, Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    partitioned = context.world.table(step.table).partitioned
    if step.node.concurrent or (partitioned and not step.node.relation.inh):
        return
    if partitioned:
        relation = suggest.changed(step.node.relation, inh=False)
        yield Hit(
            f"writes to {step.table} wait until the index is built on every partition (SHARE lock)",
            names={"statement": suggest.statement(step.node, relation=relation)},
            instead=_PARTITIONED,
        )
        return
    yield Hit(
        f"writes to {step.table} wait until the index is built (SHARE lock)",
        names={"statement": suggest.statement(step.node, concurrent=True, if_not_exists=False)},
        edits=_edits(step, context),
    )


_PARTITIONED = """{statement};
-- then, for each partition, outside a transaction: the same index, CONCURRENTLY;
-- then ALTER INDEX ... ATTACH PARTITION"""


def _edits(step: Step, context: Context) -> tuple[Edit, ...]:
    around = edits.outside(context, step)
    if around is None or step.node.if_not_exists or not step.node.relation.inh:
        return ()
    return around + edits.behind_word(step, "INDEX", " CONCURRENTLY")


RULE = Rule(
    name="create-index",
    level="error",
    title="CREATE INDEX without CONCURRENTLY stops all writes",
    why="The build reads the whole table, and every INSERT, UPDATE and DELETE waits for its"
    " end. CONCURRENTLY reads it twice and lets them go on.",
    instead="""-- in a file of its own, outside a transaction
{statement};""",
    flagged=(
        "CREATE INDEX users_email_idx ON users (email);",
        "DO $$ BEGIN CREATE UNIQUE INDEX users_email_key ON users (email); END $$;",
    ),
    passed=(
        "-- transactional: false\nCREATE INDEX CONCURRENTLY users_email_idx ON users (email);",
        "CREATE TABLE users (email text); CREATE INDEX users_email_idx ON users (email);",
    ),
    step=_check,
    verbs=frozenset({"Index"}),
    window=False,
    squawk=("require-concurrent-index-creation",),
)
