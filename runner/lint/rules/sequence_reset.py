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
    for node in tree.walk(step.node):
        if tree.kind(node) == "FuncCall" and tree.function_name(node) == "setval":
            if len(node.args) > 1 and tree.constant(node.args[1]) is None:
                continue  # Computed, as from max(id).
            name = tree.constant(node.args[0]) if node.args else None
            message = "setval sets a sequence back or forth while clients draw from it"
            yield _hit(name if isinstance(name, str) else "", context, message)
            return


def _hit(sequence: str, context: Context, message: str) -> Hit:
    """The finding, with the column that draws from the sequence where the chain shows it."""
    bare = sequence.rpartition(".")[2]
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
    title="A sequence is set to a fixed number",
    why="The number is right for the database it was written for. Lower than the highest key,"
    " each INSERT fails with a duplicate key; and no rollback gives the old number back.",
    instead="""SELECT setval({sequence}, greatest((SELECT max({column}) FROM {table}), 1));""",
    flagged=("ALTER SEQUENCE users_id_seq RESTART WITH 1;", "SELECT setval('users_id_seq', 1);"),
    passed=("SELECT setval('users_id_seq', (SELECT max(id) FROM users));",),
    step=_check,
    verbs=frozenset({"AlterSeq", "Select"}),
)
