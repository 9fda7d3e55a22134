"""ADD EXCLUDE builds an index under lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.definitions import contype
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    constraint = getattr(step.node, "def").constraint
    if contype(constraint) == "EXCLUSION":
        yield Hit(
            f"EXCLUDE builds its index and checks all rows of {step.table} under ACCESS EXCLUSIVE,"
            " and there is no NOT VALID for it",
            names={"constraint": suggest.definition(constraint)},
        )


RULE = Rule(
    name="exclusion-constraint",
    level="error",
    title="ADD EXCLUDE builds an index under lock",
    why="An exclusion constraint can be neither NOT VALID nor made of an index that is there."
    " It belongs into CREATE TABLE, or into a declared window.",
    instead="""-- a new table with the constraint, filled in batches and kept in step by a trigger:
CREATE TABLE {table:_new} (LIKE {table} INCLUDING ALL, {constraint});""",
    flagged=("ALTER TABLE booking ADD CONSTRAINT b EXCLUDE USING gist (during WITH &&);",),
    passed=("CREATE TABLE booking (during tstzrange, EXCLUDE USING gist (during WITH &&));",),
    step=_check,
    verbs=frozenset({"AddConstraint"}),
    window=False,
)
