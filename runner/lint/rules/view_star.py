"""A view with SELECT *."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import parser, suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.tree import Node


def _stars(query: Node) -> Iterator[str]:
    """The tables whose columns a query does not name, from its outermost lists of columns."""
    select = tree.inner(query)
    if select.HasField("larg"):
        yield from _stars(select.larg)
        yield from _stars(select.rarg)
        return
    tables = {}
    for node in (n for item in select.from_clause for n in tree.walk(item)):
        if tree.kind(node) == "RangeVar":
            tables[node.alias.aliasname or node.relname] = tree.relation(node)
    for item in select.target_list:
        value = tree.inner(tree.inner(item).val)
        if tree.kind(value) != "ColumnRef":
            continue
        if tree.kind(tree.inner(value.fields[-1])) == "A_Star":
            qualifier = tree.strings(value.fields[:-1])[-1:]
            yield tables.get(qualifier[0], "") if qualifier else next(iter(tables.values()), "")


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "CreateTableAs" and step.target != "MATVIEW":
        return
    query = tree.inner(step.node.query)
    if tree.kind(query) != "SelectStmt":
        return
    starred = [table for table in _stars(query) if table]
    if not starred:
        return
    table = context.world.tables.get(starred[0])
    alone = len(query.target_list) == 1 and len(query.from_clause) == 1
    written = None
    if (
        table
        and table.known
        and alone
        and tree.kind(tree.inner(query.from_clause[0])) == "RangeVar"
    ):
        written = suggest.statement(_written_out(step.node, list(table.columns)))
    yield Hit(
        f"SELECT * is written out when {step.table} is created: later columns of {starred[0]} do"
        " not reach it, and none that it has now can be dropped or get another type",
        names={"statement": written or suggest.Sql(), "source": starred[0]},
        instead=None if written else "-- {table} with each column of {source} by its name",
    )


def _written_out(node: Node, columns: list[str]) -> Node:
    """The same view with these columns in place of the star."""
    view = suggest.changed(node)
    select = tree.inner(view.query)
    listed = parser.parse(f"SELECT {suggest.listed(columns)}")[0][0].target_list
    select.ClearField("target_list")
    select.target_list.extend(listed)
    return view


RULE = Rule(
    name="view-star",
    level="warning",
    title="A view with SELECT *",
    why="PostgreSQL replaces the star by the columns of that moment. The file does not show what"
    " the view has, which differs between databases; it pins every column of the table, and"
    " CREATE OR REPLACE VIEW fails once a column was added before others.",
    instead="""{statement};""",
    flagged=(
        "CREATE TABLE users (id bigint, email text);\n-- file: 0002_view.sql\n"
        "CREATE VIEW active_users AS SELECT * FROM users WHERE email IS NOT NULL;",
        "CREATE MATERIALIZED VIEW totals AS SELECT u.*, o.n FROM users u JOIN orders o USING (id);",
    ),
    passed=(
        "CREATE VIEW active_users AS SELECT id, email FROM users;",
        "CREATE VIEW counted AS SELECT count(*) AS n FROM users;",
        "CREATE VIEW generated AS SELECT * FROM generate_series(1, 3);",
    ),
    step=_check,
    verbs=frozenset({"View", "CreateTableAs"}),
    new_tables=True,
)
