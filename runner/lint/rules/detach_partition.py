"""DETACH PARTITION without CONCURRENTLY locks the whole table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    part = getattr(step.node, "def").partition_cmd
    if not part.concurrent:
        yield Hit(
            f"all of {step.table} is locked by ACCESS EXCLUSIVE while one partition goes",
            names={"part": tree.relation(part.name)},
        )


RULE = Rule(
    name="detach-partition",
    level="error",
    title="DETACH PARTITION without CONCURRENTLY locks the whole table",
    why="It waits for every query on the partitioned table, and all queries wait behind it.",
    instead="""-- in a file of its own, outside a transaction
ALTER TABLE {table} DETACH PARTITION {part} CONCURRENTLY;""",
    flagged=("ALTER TABLE m DETACH PARTITION m_2020;",),
    passed=("-- transactional: false\nALTER TABLE m DETACH PARTITION m_2020 CONCURRENTLY;",),
    step=_check,
    verbs=frozenset({"DetachPartition"}),
    window=False,
    squawk=("require-concurrent-partition-detach",),
)
