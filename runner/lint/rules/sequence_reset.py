"""A sequence is set to a fixed number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "AlterSeq":
        if tree.option(step.node.options, "restart") is not None and not context.is_new(step.table):
            yield Hit(
                f"{step.table} starts again while clients draw from it: keys that exist come twice"
            )
        return
    for node in tree.walk(step.node):
        if tree.kind(node) == "FuncCall" and tree.function_name(node) == "setval":
            if len(node.args) > 1 and tree.constant(node.args[1]) is None:
                continue  # Computed, as from max(id).
            yield Hit("setval sets a sequence back or forth while clients draw from it")
            return


RULE = Rule(
    name="sequence-reset",
    level="warning",
    title="A sequence is set to a fixed number",
    why="The number is right for the database it was written for. Lower than the highest key,"
    " each INSERT fails with a duplicate key; and no rollback gives the old number back.",
    instead="""SELECT setval('{table}', greatest((SELECT max(id) FROM the_table), 1));""",
    flagged=("ALTER SEQUENCE users_id_seq RESTART WITH 1;", "SELECT setval('users_id_seq', 1);"),
    passed=("SELECT setval('users_id_seq', (SELECT max(id) FROM users));",),
    step=_check,
    verbs=frozenset({"AlterSeq", "Select"}),
)
