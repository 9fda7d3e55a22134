"""REINDEX without CONCURRENTLY stops writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import edits, parser, suggest, tree
from runner.lint.model import Edit, Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if tree.option(step.node.params, "concurrently") is None:
        asked = parser.parse("REINDEX (CONCURRENTLY) TABLE t")[0][0].params
        parameters = list(map(tree.inner, (*step.node.params, *asked)))
        yield Hit(
            f"REINDEX of {step.table} stops writes to its table, and reads that use the index",
            edits=_edits(step, context),
            names={"statement": suggest.statement(step.node, params=parameters)},
        )


def _edits(step: Step, context: Context) -> tuple[Edit, ...]:
    around = edits.outside(context, step)
    word = {"TABLE": "TABLE", "INDEX": "INDEX", "SCHEMA": "SCHEMA"}.get(step.target)
    if around is None or word is None or step.node.params:
        return ()
    return around + edits.behind_word(step, word, " CONCURRENTLY")


RULE = Rule(
    name="reindex",
    level="error",
    title="REINDEX without CONCURRENTLY stops writes",
    why="The index is built anew under a lock that writers, and readers that plan with the"
    " index, wait for.",
    instead="""-- in a file of its own, outside a transaction
{statement};""",
    flagged=("REINDEX TABLE users;", "REINDEX INDEX users_email_idx;"),
    passed=("-- transactional: false\nREINDEX INDEX CONCURRENTLY users_email_idx;",),
    step=_check,
    verbs=frozenset({"Reindex"}),
    window=False,
    squawk=("require-concurrent-reindex",),
)
