"""A table, schema or database is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "Dropdb":
        yield Hit(
            f"the database {step.node.dbname} and all it holds are gone",
            instead="-- whoever runs the server drops a database, after its last backup",
        )
        return
    if step.verb == "DropOwned":
        yield Hit(
            "DROP OWNED removes whatever the role happens to own in this database",
            instead="-- REASSIGN OWNED; then drop what shall go, by name",
        )
        return
    if step.target not in ("TABLE", "MATVIEW", "SCHEMA", "FOREIGN_TABLE"):
        return
    if step.target == "SCHEMA" and tree.enum_name(step.node, "behavior") != "DROP_CASCADE":
        return  # PostgreSQL refuses unless nothing is in it.
    if context.guarded(step) or _moved_away(step, context):
        return
    if step.target == "MATVIEW" and any(
        other.verb == "CreateTableAs" and other.table == step.table
        for other in context.later_of_table(step)
    ):
        return
    yield Hit(
        f"{step.table} and its rows are gone, and clients that use it fail; no rollback brings the"
        " rows back",
        names={
            "kind": suggest.Sql(_KINDS[step.target]),
            "unused": suggest.made(step.table, "unused"),
        },
        instead=_SCHEMA if step.target == "SCHEMA" else None,
    )


_KINDS = {
    "TABLE": "TABLE",
    "MATVIEW": "MATERIALIZED VIEW",
    "FOREIGN_TABLE": "FOREIGN TABLE",
    "SCHEMA": "SCHEMA",
}
_SCHEMA = """-- in this release: out of use, but not lost
ALTER SCHEMA {table} RENAME TO {table:_unused};
-- in a later one, when nothing failed: DROP SCHEMA, its objects dropped by name before"""


def _moved_away(step: Step, context: Context) -> bool:
    """Whether an earlier file of the chain took the table out of use."""
    table = context.world.tables.get(step.table)
    was = {new for old, new in context.world.renamed.items() if old not in context.world.views}
    return (
        step.table in was
        and table is not None
        and table.born is not context.script
        and any(
            other.verb == "Rename"
            for pair in context.chain.pairs
            for other in pair.up.steps
            if other.verb == "Rename"
            and other.node.newname == tree.bare(step.table)
            and pair.up is not context.script
        )
    )


RULE = Rule(
    name="drop-table",
    level="error",
    title="A table, schema or database is dropped",
    why="The rows are gone for good and the release that still reads them fails. Rename it"
    " first, so that an undetected use shows while it can still be undone, and let the file"
    " itself refuse when the table is in use.",
    instead="""-- in this release: out of use, but not lost
ALTER {kind} {table} RENAME TO {unused};
-- in a later one, after a check that can refuse:
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_stat_user_tables WHERE relid = {table:_unused'}::regclass
               AND seq_scan + coalesce(idx_scan, 0) > 0) THEN
        RAISE EXCEPTION 'it is still in use';
    END IF;
END $$;
DROP {kind} {table:_unused};""",
    flagged=("DROP TABLE users;", "DROP SCHEMA app CASCADE;", "DROP DATABASE app;"),
    passed=(
        "CREATE TABLE scratch (id bigint); DROP TABLE scratch;",
        "DROP SCHEMA app;",
        "DO $$ BEGIN IF EXISTS (SELECT FROM users) THEN RAISE EXCEPTION 'in use'; END IF; END $$;\n"
        "DROP TABLE users;",
    ),
    step=_check,
    verbs=frozenset({"Drop", "Dropdb", "DropOwned"}),
    squawk=("ban-drop-table", "ban-drop-database", "ban-drop-schema"),
)
