"""A strong lock without lock_timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import edits, suggest
from runner.lint.model import Hit, Rule
from runner.lint.work import LOCKING_VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_TOO_LONG = 60_000
_TARGETS = ("TABLE", "", "COLUMN", "TABCONSTRAINT", "TRIGGER", "POLICY", "RULE", "MATVIEW", "INDEX")


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if not step.strong or step.verb == "Lock" or step.target not in _TARGETS:
        return
    if 0 < context.lock_timeout < _TOO_LONG or _nobody_reads(step, context):
        return
    if step.hidden and "lock_timeout" in step.statement.text:
        return
    if any(
        s.strong and s.target in _TARGETS and not context.is_new(s.table)
        for s in context.transaction.steps
        if s.statement is not step.statement or s.offset < step.offset
    ):
        return
    if not context.transaction.single or not _reported_before(step, context):
        on = f" on {step.table}" if step.table else ""
        yield Hit(
            f"{step.lock}{on} is waited for without a limit: behind one long query, every query"
            " on the table queues up",
            edits=edits.with_lock_timeout(context, step),
            names={"set": suggest.Sql("SET" if context.transaction.single else "SET LOCAL")},
        )


def _nobody_reads(step: Step, context: Context) -> bool:
    """Whether it fills a materialized view for the first time."""
    view = context.world.tables.get(step.table)
    return step.verb == "RefreshMatView" and view is not None and view.unfilled


def _reported_before(step: Step, context: Context) -> bool:
    """Outside a transaction one report a file is enough."""
    return any(
        s.strong
        and s.target in _TARGETS
        and not context.is_new(s.table)
        and s.statement is not step.statement
        for s in context.earlier(step)
    )


RULE = Rule(
    name="missing-lock-timeout",
    level="warning",
    title="A strong lock without lock_timeout",
    why="A request for a strong lock waits for the oldest query on the table, and all queries"
    " that come later wait behind the request. With a lock_timeout below deadlock_timeout (1"
    " s) the migration gives up first and can be run again.",
    instead="""{set} lock_timeout = '200ms';
-- before the first statement that locks {table}""",
    flagged=(
        "ALTER TABLE users ADD COLUMN a int;",
        "BEGIN; SET LOCAL lock_timeout = 0; ALTER TABLE users ADD COLUMN a int; COMMIT;",
        "REFRESH MATERIALIZED VIEW totals;",
    ),
    passed=(
        "SET lock_timeout = '200ms'; ALTER TABLE users ADD COLUMN a int;",
        "CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN b int;",
        "CREATE MATERIALIZED VIEW totals AS SELECT sum(n) FROM users WITH NO DATA;\n"
        "-- file: 0002_fill.sql\nREFRESH MATERIALIZED VIEW totals;",
    ),
    step=_check,
    verbs=LOCKING_VERBS,
    squawk=("require-lock-timeout", "require-timeout-settings"),
)
