"""Which steps take long, and which locks a transaction holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.where import reach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

LONG_VERBS = frozenset(
    {"Update", "Delete", "Insert", "Index", "CreateTableAs", "RefreshMatView", "Select"}
)
LOCKING_VERBS = frozenset(
    """
    AddColumn AlterColumnType SetNotNull DropNotNull ColumnDefault AddConstraint DropConstraint
    DropColumn AddIdentity DropIdentity SetIdentity DropExpression SetExpression SetLogged
    SetUnLogged SetTableSpace AttachPartition DetachPartition EnableTrig DisableTrig
    DisableTrigAll EnableTrigAll EnableTrigUser DisableTrigUser EnableRowSecurity
    DisableRowSecurity ForceRowSecurity NoForceRowSecurity ReplicaIdentity AlterConstraint
    Rename SetSchema Drop Truncate Lock Cluster RefreshMatView Reindex Index CreateTrig
    CreatePolicy AlterPolicy Rule SetStorage SetCompression AddInherit DropInherit ChangeOwner
    AddOf DropOf SetAccessMethod
    """.split()
)


_SLEEPS = frozenset({"pg_sleep", "pg_sleep_for", "pg_sleep_until"})
_SLEEP = re.compile("pg_sleep", re.IGNORECASE)


def is_long(step: Step, context: Context) -> bool:
    """Whether a step reads or writes as many rows as a table that others use has."""
    if step.verb in ("Update", "Delete"):
        if context.is_new(step.table):
            return False
        return reach(step, context.world.tables.get(step.table)) != "bounded"
    if step.verb == "Select":
        return any(name in _SLEEPS for name in step.calls(_SLEEP))
    if step.verb == "Index":
        return not step.node.concurrent and not context.is_new(step.table)
    if step.verb in ("RefreshMatView", "CreateTableAs") and _without_data(step):
        return False
    if step.verb == "RefreshMatView":
        return True
    if step.verb in ("Insert", "CreateTableAs"):
        return _reads_a_table(step, context)
    return False


def _without_data(step: Step) -> bool:
    node = step.node if step.verb == "RefreshMatView" else step.node.into
    return bool(node.skip_data)


def _reads_a_table(step: Step, context: Context) -> bool:
    query = tree.inner(step.node.select_stmt if step.verb == "Insert" else step.node.query)
    if tree.kind(query) != "SelectStmt" or query.HasField("limit_count") or query.values_lists:
        return False
    sources = [tree.inner(item) for item in query.from_clause]
    tables = [tree.relation(s) for s in sources if tree.kind(s) == "RangeVar"]
    joins = [s for s in sources if tree.kind(s) == "JoinExpr"]
    if query.HasField("where_clause") and _by_key(query.where_clause):
        return False
    return bool(joins) or any(not context.is_new(table) for table in tables)


def copied_table(step: Step, context: Context) -> str:
    """The table that an INSERT copies from its first row to its last; empty when it does not."""
    query = tree.inner(step.node.select_stmt)
    if tree.kind(query) != "SelectStmt" or len(query.from_clause) != 1:
        return ""
    source = tree.inner(query.from_clause[0])
    part = query.HasField("where_clause") or query.HasField("limit_count") or query.group_clause
    calls = any(tree.kind(n) == "FuncCall" for t in query.target_list for n in tree.walk(t))
    if tree.kind(source) != "RangeVar" or part or calls or context.is_new(tree.relation(source)):
        return ""
    return tree.relation(source)


def _by_key(where: object) -> bool:
    """Whether a condition asks for a constant."""
    return any(
        tree.kind(n) == "A_Expr"
        and tree.strings(n.name)[-1:] == ("=",)
        and (tree.constant(n.rexpr) is not None or tree.constant(n.lexpr) is not None)
        for n in tree.walk(where)
    )


def locks_held(context: Context, mode: str) -> Iterator[Step]:
    """The steps of the transaction so far that locked a table others use, each table once."""
    seen: set[str] = set()
    for step in context.transaction.steps:
        if step.lock != mode or not step.table or context.is_new(step.table) or step.table in seen:
            continue
        # What is dropped nobody will use again.
        if step.target in ("VIEW", "INDEX", "SEQUENCE") or step.verb == "Drop":
            continue
        seen.add(step.table)
        yield step


def former_name(table: str, context: Context) -> str:
    """The name that a table had before the file renamed it."""
    for step in context.script.steps:
        if step.verb != "Rename" or step.target != "TABLE":
            continue
        if table == tree.beside(step.table, step.node.newname):
            return step.table
    return table
