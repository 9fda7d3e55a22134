"""REFRESH MATERIALIZED VIEW without CONCURRENTLY stops its readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.review.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.review.lint.context import Context
    from runner.review.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if not step.node.concurrent:
        yield Hit(f"nobody can read {step.table} until its query has run to the end")


RULE = Rule(
    name="refresh-materialized-view",
    level="error",
    title="REFRESH MATERIALIZED VIEW without CONCURRENTLY stops its readers",
    why="The view is locked by ACCESS EXCLUSIVE while it is filled. CONCURRENTLY needs a unique"
    " index and lets readers go on.",
    instead="""CREATE UNIQUE INDEX CONCURRENTLY {table}_key ON {table} (id);  -- once
REFRESH MATERIALIZED VIEW CONCURRENTLY {table};""",
    flagged=("REFRESH MATERIALIZED VIEW totals;",),
    passed=("REFRESH MATERIALIZED VIEW CONCURRENTLY totals;",),
    step=_check,
    verbs=frozenset({"RefreshMatView"}),
    window=False,
)
