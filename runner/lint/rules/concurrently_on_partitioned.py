"""CREATE INDEX CONCURRENTLY on a partitioned table fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.node.concurrent and context.world.table(step.table).partitioned:
        relation = suggest.changed(step.node.relation, inh=False)
        yield Hit(
            f"{step.table} is partitioned: PostgreSQL refuses CONCURRENTLY on it",
            names={
                "parent": suggest.statement(step.node, concurrent=False, relation=relation),
                "index": tree.beside(step.table, step.name),
            },
        )


RULE = Rule(
    name="concurrently-on-partitioned",
    level="error",
    title="CREATE INDEX CONCURRENTLY on a partitioned table fails",
    why="PostgreSQL builds concurrently on each partition only.",
    instead="""{parent};
-- then, for each partition, outside a transaction: the same index, CONCURRENTLY;
-- then ALTER INDEX {index} ATTACH PARTITION, with the name of each""",
    flagged=(
        "CREATE TABLE m (t date) PARTITION BY RANGE (t);\n-- file: 0002_index.sql\n"
        "CREATE INDEX CONCURRENTLY i ON m (t);",
    ),
    passed=(
        "CREATE TABLE m (t date) PARTITION BY RANGE (t);\n-- file: 0002_index.sql\n"
        "CREATE INDEX i ON ONLY m (t);",
    ),
    step=_check,
    verbs=frozenset({"Index"}),
    new_tables=True,
)
