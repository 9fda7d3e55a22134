"""CREATE INDEX CONCURRENTLY IF NOT EXISTS takes an invalid index for done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if not (step.node.concurrent and step.node.if_not_exists):
        return
    if "indisvalid" in context.script.text.lower():
        return
    for other in context.earlier(step):
        if other.verb == "Drop" and other.target == "INDEX" and other.name.endswith(step.name):
            return
    yield Hit(
        f"a build of {step.name} that failed leaves an invalid index, and IF NOT EXISTS takes it"
        " for the real one",
        names={
            "index": tree.beside(step.table, step.name),
            "statement": suggest.statement(step.node, if_not_exists=False),
        },
    )


RULE = Rule(
    name="concurrently-if-not-exists",
    level="warning",
    title="CREATE INDEX CONCURRENTLY IF NOT EXISTS takes an invalid index for done",
    why="A concurrent build that is stopped leaves an index with indisvalid = false behind: it"
    " costs writes, serves no query, and a UNIQUE one does not hold. Run again, IF NOT"
    " EXISTS finds the name and reports success.",
    instead="""DROP INDEX CONCURRENTLY IF EXISTS {index};
{statement};""",
    flagged=(
        "-- transactional: false\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON users (email);",
    ),
    passed=(
        "-- transactional: false\nCREATE INDEX CONCURRENTLY i ON users (email);",
        "DROP INDEX CONCURRENTLY IF EXISTS i;\n"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON users (email);",
    ),
    step=_check,
    verbs=frozenset({"Index"}),
)
