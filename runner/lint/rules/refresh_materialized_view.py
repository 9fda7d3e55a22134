"""REFRESH MATERIALIZED VIEW without CONCURRENTLY stops its readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    view = context.world.tables.get(step.table)
    columns = tuple(view.columns) if view and view.known else ()
    names = {"index": suggest.made(step.table, "key"), "columns": suggest.listed(columns)}
    if not step.node.concurrent and not (view and view.unfilled):
        yield Hit(
            f"nobody can read {step.table} until its query has run to the end",
            names=names,
            instead=_WITH_INDEX + RULE.instead if columns else None,
        )
    elif step.node.concurrent and columns and not _has_key(step.table, context):
        yield Hit(
            f"{step.table} has no unique index over plain columns: PostgreSQL refuses CONCURRENTLY",
            names=names,
            instead=_WITH_INDEX + RULE.instead,
        )


def _has_key(view: str, context: Context) -> bool:
    return any(
        index.table == view and index.unique and not index.partial and all(index.columns)
        for index in context.world.indexes.values()
    )


_WITH_INDEX = """-- once, outside a transaction, over what tells its rows apart
CREATE UNIQUE INDEX CONCURRENTLY {index} ON {table} ({columns});
"""


RULE = Rule(
    name="refresh-materialized-view",
    level="error",
    title="REFRESH MATERIALIZED VIEW without CONCURRENTLY stops its readers",
    why="The view is locked by ACCESS EXCLUSIVE while it is filled. CONCURRENTLY needs a unique"
    " index and lets readers go on.",
    instead="""-- it needs a unique index over plain columns, built CONCURRENTLY, once
REFRESH MATERIALIZED VIEW CONCURRENTLY {table};""",
    flagged=(
        "REFRESH MATERIALIZED VIEW totals;",
        "CREATE MATERIALIZED VIEW totals AS SELECT sum(n) FROM users WITH NO DATA;\n"
        "-- file: 0002_fill.sql\nREFRESH MATERIALIZED VIEW totals;\n"
        "-- file: 0003_again.sql\nREFRESH MATERIALIZED VIEW totals;",
        "CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n FROM users;\n"
        "-- file: 0002_again.sql\nREFRESH MATERIALIZED VIEW CONCURRENTLY sums;",
    ),
    passed=(
        "REFRESH MATERIALIZED VIEW CONCURRENTLY totals;",
        "CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n FROM users;\n"
        "CREATE UNIQUE INDEX sums_key ON sums (n);\n"
        "-- file: 0002_again.sql\nREFRESH MATERIALIZED VIEW CONCURRENTLY sums;",
        "CREATE MATERIALIZED VIEW totals AS SELECT sum(n) FROM users WITH NO DATA;\n"
        "-- file: 0002_fill.sql\nREFRESH MATERIALIZED VIEW totals;",
    ),
    step=_check,
    verbs=frozenset({"RefreshMatView"}),
    window=False,
)
