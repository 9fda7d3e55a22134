"""A strong lock without lock_timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import edits, suggest, tree
from runner.lint.definitions import parts
from runner.lint.model import Hit, Rule
from runner.lint.work import LOCKING_VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_TOO_LONG = 60_000
_TARGETS = ("TABLE", "", "COLUMN", "TABCONSTRAINT", "TRIGGER", "POLICY", "RULE", "MATVIEW", "INDEX")


def _check(step: Step, context: Context) -> Iterator[Hit]:
    lock, table = step.lock, step.table
    if step.verb == "Create":
        lock, table = "SHARE ROW EXCLUSIVE", _referenced(step, context)
        if not table:
            return
    elif step.verb == "Lock" or not _locks(step, context):
        return
    if 0 < context.lock_timeout < _TOO_LONG or _nobody_reads(step, context):
        return
    if step.hidden and "lock_timeout" in step.statement.text:
        return
    if any(
        _locks(s, context)
        for s in context.transaction.steps
        if s.statement is not step.statement or s.offset < step.offset
    ):
        return
    if not context.transaction.single or not _reported_before(step, context):
        on = f" on {table}" if table else ""
        names: dict[str, str] = {
            "set": suggest.Sql("SET" if context.transaction.single else "SET LOCAL")
        }
        yield Hit(
            f"{lock}{on} is waited for without a limit: behind one long query, every query"
            " on the table queues up",
            edits=edits.with_lock_timeout(context, step),
            names={**names, "table": table} if table else names,
        )


def _locks(step: Step, context: Context) -> bool:
    """Whether a step waits for a table that others use."""
    if step.verb == "Create":
        return bool(_referenced(step, context))
    if not step.strong or step.target not in _TARGETS:
        return False
    index = context.world.index(step.name) if not step.table else None
    return not context.is_new(step.table if index is None else index.table)


def _referenced(step: Step, context: Context) -> str:
    """A table in use that a new one has a foreign key to; empty when there is none."""
    for part in parts(step) if step.may_hold("references") else ():
        for kind, constraint in part.constraints:
            if kind == "FOREIGN":
                table = tree.relation(constraint.pktable)
                if table != step.table and not context.is_new(table):
                    return table
    return ""


def _nobody_reads(step: Step, context: Context) -> bool:
    """Whether it fills a materialized view for the first time."""
    view = context.world.tables.get(step.table)
    return step.verb == "RefreshMatView" and view is not None and view.unfilled


def _reported_before(step: Step, context: Context) -> bool:
    """Outside a transaction one report a file is enough."""
    return any(
        _locks(s, context) and s.statement is not step.statement for s in context.earlier(step)
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
        "CREATE TABLE invoices (id bigint PRIMARY KEY, user_id bigint REFERENCES users (id));",
    ),
    passed=(
        "SET lock_timeout = '200ms'; ALTER TABLE users ADD COLUMN a int;",
        "CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN b int;",
        "CREATE TABLE t (a int PRIMARY KEY, b int REFERENCES t (a));\n"
        "CREATE TABLE other (a int REFERENCES t (a));",
        "CREATE MATERIALIZED VIEW totals AS SELECT sum(n) FROM users WITH NO DATA;\n"
        "-- file: 0002_fill.sql\nREFRESH MATERIALIZED VIEW totals;",
    ),
    step=_check,
    verbs=LOCKING_VERBS | {"Create"},
    squawk=("require-lock-timeout", "require-timeout-settings"),
)
