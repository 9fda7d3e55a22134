"""A table leaves or joins the tables that another one shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    parent = tree.relation(getattr(step.node, "def").range_var)
    if context.guarded(step):
        return
    does = "no longer in" if step.verb == "DropInherit" else "from now on in"
    yield Hit(
        f"the rows of {step.table} are {does} {parent}: its clients read, change and delete others",
        names={"parent": parent},
    )


RULE = Rule(
    name="inheritance",
    level="warning",
    title="A table leaves or joins the tables that another one shows",
    why="INHERIT and NO INHERIT change which rows every query on the parent meets, in one moment"
    " and without an error.",
    instead="""-- first release code that names {table} beside {parent}, or needs no such rows""",
    flagged=("ALTER TABLE logs_2020 NO INHERIT logs;", "ALTER TABLE logs_2021 INHERIT logs;"),
    passed=("CREATE TABLE logs_2021 () INHERITS (logs);",),
    step=_check,
    verbs=frozenset({"DropInherit", "AddInherit"}),
    window=False,
    squawk=("ban-detach-inheritance",),
)
