"""A table is renamed and nothing keeps its old name alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.context import renamed
from runner.lint.model import Hit, Rule
from runner.lint.steps import STRONG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.tree import Node

_READ = frozenset({"TABLE", "VIEW", "MATVIEW", "FOREIGN_TABLE"})


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.target == "SCHEMA" and step.verb == "Rename":
        yield Hit(
            f"every client that names the schema {step.name or step.table} fails at once",
            instead="-- views in a schema of the old name, until no client says it",
        )
        return
    if step.target not in _READ or context.transaction.named[step] != step.table:
        return  # Of a table that is renamed twice in a transaction, the end counts.
    if any(s.verb == "View" and s.table == step.table for s in context.later_of_table(step)):
        return
    if _is_replaced(step, context) or _takes_a_place(step, context):
        if into := _copied_into(step, context):
            yield Hit(
                f"rows that clients write to {step.table} while it is copied to {into} are lost:"
                " nothing locks it before, and nothing carries them over",
                names={"copy": into},
                instead=_COPIED,
            )
        return
    table = context.world.tables.get(step.table)
    columns = list(table.columns) if table and table.known else []
    yield Hit(
        f"clients that still say {step.table} fail at once; the old and the new release cannot"
        " run together",
        names={
            "statement": suggest.statement(step.node),
            "new": renamed(step),
            "columns": suggest.listed(columns) if columns else suggest.Sql("*"),
            "remark": suggest.Sql("" if columns else "  -- its columns by name, in place of the *"),
        },
    )


_COPIED = """-- a trigger on {table} that carries every write to {copy}, then a copy in batches;
-- or, for a small table, in the same transaction, before the copy
SET LOCAL lock_timeout = '200ms';
LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE;"""


def _copied_into(step: Step, context: Context) -> str:
    """The table that a file copies a table to, and puts in its place; empty when it locks it."""
    copied = ""
    carried = False
    for other in context.script.steps:
        if other.table == step.table:
            # What stops writers holds until the end of the transaction, a trigger for longer.
            carried |= other.verb == "CreateTrig" or (
                _stops_writers(other) and other in context.transaction.steps
            )
        if other.verb == "Insert" and context.is_new(other.table) and not carried:
            named = {tree.relation(n) for n in tree.walk(other.node.select_stmt) if _is_table(n)}
            copied = other.table if step.table in named else copied
    takes = any(renamed(other) == step.table for other in context.of_name(copied))
    return copied if copied and takes else ""


def _stops_writers(step: Step) -> bool:
    return step.lock in STRONG and step.lock != "SHARE"


def _is_table(node: Node) -> bool:
    return tree.kind(node) == "RangeVar"


def _is_replaced(step: Step, context: Context) -> bool:
    """Whether a table, this or another one, has the name again when the transaction ends."""
    found = False
    for other in context.later_in_transaction(step):
        if renamed(other) == step.table:
            found = True
        elif other.table == step.table and _frees(other):
            found = False
    return found


def _takes_a_place(step: Step, context: Context) -> bool:
    """Whether the table takes a name that the transaction has made free.

    What was dropped may be replaced only by what these files made: nobody knows it yet.
    """
    end = renamed(step)
    for other in context.later_in_transaction(step):
        if other.table == end:
            end = renamed(other) or end
    made = context.world.tables.get(step.table)
    is_new = made is not None and made.born is not None
    return any(
        other.table == end and (_frees(other) if is_new else renamed(other))
        for other in context.transaction.steps
    )


def _frees(step: Step) -> bool:
    """Whether a step takes its table's name away."""
    return bool(renamed(step)) or (step.verb == "Drop" and step.target in _READ)


RULE = Rule(
    name="rename-table",
    level="error",
    title="A table is renamed and nothing keeps its old name alive",
    why="The rename and the release of the code never happen at one moment. A view under the"
    " old name, made in the same transaction, with the table's grants, serves the old"
    " release.",
    instead="""-- in one transaction
{statement};
CREATE VIEW {table} AS SELECT {columns} FROM {new};{remark}
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO the_application;""",
    flagged=(
        "ALTER TABLE users RENAME TO app_user;",
        "ALTER TABLE users SET SCHEMA archive;",
        "ALTER VIEW active_users RENAME TO users_active;",
        "BEGIN; ALTER TABLE users RENAME TO app_user; COMMIT;\n"
        "BEGIN; ALTER TABLE app_user RENAME TO users; COMMIT;",
        "BEGIN; ALTER TABLE users RENAME TO app_user; ALTER TABLE orders RENAME TO app_order;\n"
        "ALTER TABLE app_user RENAME TO users; COMMIT;",
        "BEGIN; ALTER TABLE users RENAME TO a; ALTER TABLE a RENAME TO users;"
        " ALTER TABLE users RENAME TO app_user; COMMIT;",
        "BEGIN; CREATE TABLE t_new (LIKE t); INSERT INTO t_new SELECT * FROM t;\n"
        "ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t; COMMIT;",
        "BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; CREATE TABLE t_new (LIKE t);\n"
        "INSERT INTO t_new SELECT * FROM t; LOCK TABLE t;\n"
        "ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t; COMMIT;",
        "BEGIN; DROP MATERIALIZED VIEW totals; ALTER MATERIALIZED VIEW sums RENAME TO totals;"
        " COMMIT;",
    ),
    passed=(
        "BEGIN; ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t; COMMIT;",
        "BEGIN; LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE; CREATE TABLE t_new (LIKE t);\n"
        "INSERT INTO t_new SELECT * FROM t; ALTER TABLE t RENAME TO t_old;\n"
        "ALTER TABLE t_new RENAME TO t; COMMIT;",
        "BEGIN; ALTER TABLE t ADD COLUMN a int; CREATE TABLE t_new (LIKE t);\n"
        "INSERT INTO t_new SELECT * FROM t; ALTER TABLE t RENAME TO t_old;\n"
        "ALTER TABLE t_new RENAME TO t; COMMIT;",
        "BEGIN; ALTER TABLE users RENAME TO app_user; ALTER TABLE app_user RENAME TO users;"
        " COMMIT;",
        "CREATE MATERIALIZED VIEW next.totals AS SELECT 1 AS n WITH NO DATA;\n"
        "-- file: 0002_swap.sql\nBEGIN; DROP MATERIALIZED VIEW totals;\n"
        "ALTER MATERIALIZED VIEW next.totals SET SCHEMA public; COMMIT;",
        "ALTER TABLE users RENAME TO app_user;\nCREATE VIEW users AS SELECT id FROM app_user;\n"
        "GRANT SELECT ON users TO app;",
    ),
    step=_check,
    verbs=frozenset({"Rename", "SetSchema"}),
    window=False,
    squawk=("renaming-table", "renaming-object", "ban-set-schema"),
)
