"""An unlogged table loses its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.node.relation.relpersistence == "u":
        relation = suggest.changed(step.node.relation, relpersistence="p")
        yield Hit(
            f"{step.table} is empty after a crash and after every failover to a replica",
            names={"statement": suggest.statement(step.node, relation=relation)},
        )


RULE = Rule(
    name="unlogged-table",
    level="warning",
    title="An unlogged table loses its rows",
    why="What is written there is not in the write-ahead log: a crash empties the table, and"
    " neither a replica nor a backup by archive ever has it.",
    instead="""{statement};""",
    flagged=("CREATE UNLOGGED TABLE jobs (id bigint);",),
    passed=("CREATE TABLE jobs (id bigint);", "CREATE TEMP TABLE jobs (id bigint);"),
    step=_check,
    verbs=frozenset({"Create"}),
    new_tables=True,
)
