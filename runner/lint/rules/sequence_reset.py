"""A sequence is set to a fixed number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "AlterSeq":
        cycle = tree.option(step.node.options, "cycle")
        if cycle is not None and tree.inner(cycle.arg).boolval:
            yield Hit(
                f"{step.table} starts again at its end: keys that exist come twice",
                instead=_UNKNOWN,
            )
        if tree.option(step.node.options, "restart") is not None and not context.is_new(step.table):
            yield _hit(
                step.table,
                context,
                f"{step.table} starts again while clients draw from it: keys that exist come twice",
            )
        return
    if step.verb == "Insert":
        yield from _own_numbers(step, context)
        return
    for node in tree.walk(step.node):
        if tree.kind(node) == "FuncCall" and tree.function_name(node) == "setval":
            if len(node.args) > 1 and tree.constant(node.args[1]) is None:
                continue  # Computed, as from max(id).
            name = tree.constant(node.args[0]) if node.args else None
            message = "setval sets a sequence back or forth while clients draw from it"
            yield _hit(name if isinstance(name, str) else "", context, message)
            return


def _own_numbers(step: Step, context: Context) -> Iterator[Hit]:
    """Rows with numbers of their own, of which the sequence behind the column knows nothing."""
    table = context.world.tables.get(step.table)
    query = tree.inner(step.node.select_stmt)
    if table is None or tree.kind(query) != "SelectStmt" or not query.values_lists:
        return
    named = [tree.inner(item).name for item in step.node.cols]
    for place, name in enumerate(named or (table.columns if table.known else ())):
        column = table.columns.get(name)
        if column is None or not column.numbered:
            continue
        rows = [tree.inner(row).items for row in query.values_lists]
        if not any(isinstance(tree.constant(row[place]), int) for row in rows if len(row) > place):
            continue
        later = [s for s in context.later(step) if s.verb in ("Select", "AlterSeq", "Do")]
        if not any(s.verb != "Select" or "setval" in s.statement.text.lower() for s in later):
            yield Hit(
                f"the sequence of {step.table}.{name} does not know of these numbers: it gives them"
                " out again, and those INSERTs fail with a duplicate key",
                names={
                    "column": name,
                    "table": step.table,
                    "sequence": suggest.literal(suggest.made(step.table, name, "seq")),
                },
            )


def _hit(sequence: str, context: Context, message: str) -> Hit:
    """The finding, with the column that draws from the sequence where the chain shows it."""
    bare = sequence.name if isinstance(sequence, tree.TableKey) else sequence.rpartition(".")[2]
    for table in context.world.tables.values():
        for column in table.columns:
            if bare and suggest.made(table.name, column, "seq") == bare:
                names = {
                    "column": column,
                    "table": table.name,
                    "sequence": suggest.literal(sequence),
                }
                return Hit(message, names=names)
    return Hit(message, instead=_UNKNOWN)


_UNKNOWN = "-- setval() with the greatest key of the table that draws from it, as max() tells it"


RULE = Rule(
    name="sequence-reset",
    level="warning",
    title="A sequence is set to a fixed number, or passed by",
    why="The number is right for the database it was written for. Lower than the highest key,"
    " each INSERT fails with a duplicate key; and no rollback gives the old number back.",
    instead="""SELECT setval({sequence}, greatest((SELECT max({column}) FROM {table}), 1));""",
    flagged=(
        "ALTER SEQUENCE users_id_seq RESTART WITH 1;",
        "SELECT setval('users_id_seq', 1);",
        "CREATE TABLE kinds (id serial PRIMARY KEY, name text);\n-- file: 0002_rows.sql\n"
        "INSERT INTO kinds (id, name) VALUES (1, 'a'), (2, 'b');",
        "CREATE TABLE kinds (id serial PRIMARY KEY, name text);\n-- file: 0002_rows.sql\n"
        "INSERT INTO kinds VALUES (1, 'a');",
    ),
    passed=(
        "SELECT setval('users_id_seq', (SELECT max(id) FROM users));",
        "CREATE TABLE kinds (id serial PRIMARY KEY, name text);\n-- file: 0002_rows.sql\n"
        "INSERT INTO kinds (id, name) VALUES (1, 'a');\n"
        "SELECT setval('kinds_id_seq', (SELECT max(id) FROM kinds));",
    ),
    step=_check,
    verbs=frozenset({"AlterSeq", "Select", "Insert"}),
)
