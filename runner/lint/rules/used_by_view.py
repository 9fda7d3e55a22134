"""A column that a view of the chain uses gets another type or goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.world import View


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.hidden or _cascades(step):
        return
    for view in context.world.views.values():
        standing = context.chain.standing
        if view.moved:
            continue  # What it uses may be called otherwise now.
        if view.tables == {step.table} and standing.maker(("relation", view.name), context.script):
            if not _uses(view, step.name):
                continue
            yield Hit(
                f"the view {view.name} uses {step.table}.{step.name}: PostgreSQL refuses the"
                " statement",
                names={"view": view.name, "statement": suggest.alone(step)},
            )
            return


def _cascades(step: Step) -> bool:
    return step.verb == "DropColumn" and tree.enum_name(step.node, "behavior") == "DROP_CASCADE"


def _uses(view: View, column: str) -> bool:
    """Whether a view over one table names a column of it; a star is all that were there then."""
    query = tree.inner(view.step.node.query)
    nodes = list(tree.walk(query))
    if column in view.columns and query.sort_clause:  # ORDER BY takes the view's own names first
        nodes = [node for item in query.target_list for node in tree.walk(item)]
    if any(tree.kind(node) in ("SubLink", "RangeSubselect", "WithClause") for node in nodes):
        return False
    return any(tree.kind(node) == "ColumnRef" and tree.column(node) == column for node in nodes)


RULE = Rule(
    name="used-by-view",
    level="error",
    title="A column that a view uses gets another type or goes",
    why="PostgreSQL lets nobody change or drop what a view names, as the view would no longer be"
    " what it was. With CASCADE the view goes, too, and its grants with it.",
    instead="""-- in one transaction: the view goes, and comes back with its grants
DROP VIEW {view};
{statement};
-- CREATE VIEW {view} AS ...; GRANT SELECT ON {view} TO the_application;""",
    flagged=(
        "CREATE TABLE u (id bigint, a varchar(10));\nCREATE VIEW v AS SELECT a FROM u;\n"
        "-- file: 0002_b.sql\nALTER TABLE u ALTER COLUMN a TYPE text;",
        "CREATE TABLE u (id bigint PRIMARY KEY, a text);\nCREATE VIEW v AS SELECT id FROM u"
        " WHERE a <> '';\n-- file: 0002_b.sql\nALTER TABLE u DROP COLUMN a;",
    ),
    passed=(
        "CREATE TABLE u (id bigint, a varchar(10));\nCREATE VIEW v AS SELECT id FROM u;\n"
        "-- file: 0002_b.sql\nALTER TABLE u ALTER COLUMN a TYPE text;",
        "CREATE TABLE u (id bigint, a varchar(10));\nCREATE VIEW v AS SELECT a FROM u;\n"
        "-- file: 0002_b.sql\nDROP VIEW v;\nALTER TABLE u ALTER COLUMN a TYPE text;",
        "CREATE TABLE u (id bigint, a varchar(10));\n"
        "CREATE MATERIALIZED VIEW v AS SELECT a FROM u;\n-- file: 0002_b.sql\n"
        "DROP MATERIALIZED VIEW v;\nALTER TABLE u DROP COLUMN a;",
    ),
    step=_check,
    verbs=frozenset({"AlterColumnType", "DropColumn"}),
    new_tables=True,
)
