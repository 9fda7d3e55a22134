"""What a file changes or drops is not there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.definitions import contype, index_columns
from runner.lint.model import Hit, Rule
from runner.lint.standing import commands

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.world import Table

_OF_COLUMN = frozenset(
    """
    AlterColumnType ColumnDefault DropColumn DropExpression DropIdentity DropNotNull SetExpression
    SetIdentity SetNotNull
    """.split()
)
_USES = frozenset({"Delete", "Index", "Insert", "Update"})
_VERBS = _OF_COLUMN | {"AddColumn", "AddConstraint", "Drop", "DropConstraint", "Rename"}
_VERBS |= _USES | {"Truncate", "ValidateConstraint"}
_DROPPED = frozenset({"TABLE", "VIEW", "MATVIEW", "INDEX"})
# What PostgreSQL calls constraints that a file does not name.
_GIVEN_NAME = re.compile(r"_(pkey|key|check|fkey|excl|not_null)\d*$")
_GIVEN = {
    "PRIMARY": "pkey",
    "UNIQUE": "key",
    "CHECK": "check",
    "FOREIGN": "fkey",
    "EXCLUSION": "excl",
}


def _check(step: Step, context: Context) -> Iterator[Hit]:
    table = context.world.tables.get(step.table)
    if table is not None and (not table.sure or table.born is None):
        table = None
    if step.hidden or (table is None and not context.chain.standing.gone) or _may_be_missing(step):
        return
    if (gone := _gone(step, context)) is not None:
        yield gone
    if table is None or table.born is None or gone is not None:
        return
    if not context.chain.standing.both_run(table.born, context.script):
        return
    if step.verb in ("DropConstraint", "ValidateConstraint"):
        if not _has_constraint(table, step.name):
            yield Hit(f"{table.name} has no constraint {step.name}: PostgreSQL refuses this")
        return
    missing = [name for name in _named(step) if name and not table.has(name)]
    if missing:
        added = commands(step, "AddColumn")  # before what needs it, whatever comes first
        missing = [name for name in missing if name not in added]
    if missing:
        yield Hit(f"{table.name} has no column {missing[0]}: PostgreSQL refuses the statement")


def _may_be_missing(step: Step) -> bool:
    """Whether IF EXISTS stands there."""
    node, whole = step.node, step.statement.node
    return bool(getattr(node, "missing_ok", False) and step.verb != "AddColumn") or bool(
        getattr(whole, "missing_ok", False)
    )


def _gone(step: Step, context: Context) -> Hit | None:
    """A finding when an earlier statement took the table away, or gave it another name."""
    is_drop = step.verb == "Drop"
    if (is_drop and step.target not in _DROPPED) or (step.verb, step.target) == ("Rename", "TYPE"):
        return None
    name = step.name if is_drop and step.target == "INDEX" else step.table
    standing = context.chain.standing
    remover = standing.remover(name, context.script) if name else None
    if remover is None or ("relation", name) in standing.made:
        return None
    of = "this file" if remover is context.script else remover.path.name
    return Hit(f"{name} is not there any more: {of} drops it or gives it another name")


def _has_constraint(table: Table, name: str) -> bool:
    if any(known.name == name for known in table.constraints):
        return True
    if name in _not_nulls(table):
        return True
    given = {_GIVEN.get(known.kind) for known in table.constraints if not known.written}
    match = _GIVEN_NAME.search(name)
    return match is not None and match[1] in {*given, "not_null"}


def _not_nulls(table: Table) -> Iterator[str]:
    """The names that files give to NOT NULLs of columns, which PostgreSQL 18 keeps."""
    for column in table.columns.values():
        for item in column.definition.constraints if column.definition is not None else ():
            if contype(item.constraint) == "NOTNULL":
                yield item.constraint.conname


def _named(step: Step) -> Sequence[str]:
    """The columns that a step needs."""
    node = step.node
    if step.verb in _OF_COLUMN:
        return [step.name]
    if step.verb == "Rename":
        return [node.subname] if step.target == "COLUMN" else ()
    if step.verb == "Index":
        return index_columns(node.index_params)
    if step.verb == "AddConstraint":
        constraint = getattr(node, "def").constraint
        return [*tree.strings(constraint.keys), *tree.strings(constraint.fk_attrs)]
    if step.verb == "Insert":
        return [tree.inner(item).name for item in node.cols]
    if step.verb == "Update":
        return [tree.inner(item).name for item in node.target_list]
    return ()


RULE = Rule(
    name="not-there",
    level="warning",
    title="What a file changes or drops is not there",
    why="The files before it made the table without it, or took it away: the file fails, and the"
    " release that waits for it stops. With IF EXISTS nothing happens, without a word.",
    instead="-- the name as it is now",
    flagged=(
        "CREATE TABLE rate (id bigint, pct numeric);\n-- file: 0002_b.sql\n"
        "ALTER TABLE rate DROP COLUMN percentage;",
        "CREATE TABLE rate (id int PRIMARY KEY, pct numeric CONSTRAINT pct_ok CHECK (pct > 0));\n"
        "-- file: 0002_b.sql\nALTER TABLE rate DROP CONSTRAINT rate_pct_check;",
        "CREATE TABLE rate (id bigint);\nCREATE INDEX rate_pct_idx ON rate (pct);",
        "CREATE TABLE rate (id bigint);\nINSERT INTO rate (id, pct) VALUES (1, 2);",
        "CREATE TABLE rate (id bigint);\nDROP TABLE rate;\nALTER TABLE rate ADD COLUMN a int;",
        "CREATE TABLE rate (id bigint);\n-- file: 0002_b.sql\nALTER TABLE rate RENAME TO rates;\n"
        "UPDATE rate SET id = 1 WHERE id = 2;",
        "CREATE TABLE rate (id bigint);\n-- file: 0002_b.sql\n"
        "ALTER TABLE rate RENAME COLUMN pct TO percent;",
        "DROP INDEX CONCURRENTLY i;\n-- file: 0002_b.sql\nDROP INDEX CONCURRENTLY i;",
    ),
    passed=(
        "CREATE TABLE rate (id bigint, pct numeric);\nALTER TABLE rate DROP COLUMN IF EXISTS a;",
        "ALTER TABLE rate DROP COLUMN percentage;",
        "CREATE TABLE rate (id bigint, CHECK (id > 0));\n-- file: 0002_b.sql\n"
        "ALTER TABLE rate DROP CONSTRAINT rate_check;",
        "CREATE TABLE rate (LIKE other);\nCREATE INDEX i ON rate (pct);",
        "CREATE TABLE rate (id bigint) INHERITS (other);\nCREATE INDEX i ON rate (pct);",
        "CREATE TABLE IF NOT EXISTS rate (id bigint);\nCREATE INDEX i ON rate (pct);",
        "CREATE TABLE rate (id bigint);\n-- file: 0002_b.sql\nALTER TABLE rate RENAME TO rates;\n"
        "CREATE VIEW rate AS SELECT id FROM rates;\nUPDATE rate SET id = 1 WHERE id = 2;",
        "CREATE TABLE rate (id bigint);\nDO $$ BEGIN EXECUTE 'ALTER TABLE rate ADD pct int';"
        " END $$;\nCREATE INDEX i ON rate (pct);",
        "CREATE TABLE rate (id bigint);\nSELECT add_audit_columns('rate');\n"
        "CREATE INDEX i ON rate (changed_at);",
        "CREATE TABLE rate (id bigint);\nALTER TABLE rate ADD COLUMN pct int;\n"
        "CREATE INDEX i ON rate (pct, lower(pct::text));",
    ),
    step=_check,
    verbs=frozenset(_VERBS),
    new_tables=True,
)
