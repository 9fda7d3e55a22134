"""A NOT VALID constraint that no file validates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Chain
    from runner.lint.steps import Step


def _check(chain: Chain) -> Iterator[Hit]:
    for table in chain.world.tables.values():
        for constraint in table.constraints if table.may_have("enforced") else ():
            if not constraint.validated and constraint.step.node is not None:
                if _not_enforced(constraint.step):
                    continue
                yield Hit(
                    f"{constraint.name} on {table.name} is NOT VALID and no file validates it: old"
                    " rows may break it, and the planner does not trust it",
                    step=constraint.step,
                    path=constraint.script.path,
                    names={"name": constraint.name, "table": table.name},
                )


def _not_enforced(step: Step) -> bool:
    # Of a new table or column, NOT ENFORCED alone leaves one not validated.
    if step.verb != "AddConstraint":
        return True
    return not getattr(step.node, "def").constraint.is_enforced


RULE = Rule(
    name="not-valid-never-validated",
    level="warning",
    title="A NOT VALID constraint that no file validates",
    why="NOT VALID is half of the work: rows from before it are never looked at, and a NOT NULL"
    " or a foreign key that is not validated proves nothing.",
    instead="""-- in a later file
ALTER TABLE {table} VALIDATE CONSTRAINT {name};""",
    flagged=("ALTER TABLE users ADD CONSTRAINT age_check CHECK (age > 0) NOT VALID;",),
    passed=(
        "ALTER TABLE users ADD CONSTRAINT age_check CHECK (age > 0) NOT VALID;\n"
        "-- file: 0002_validate.sql\nALTER TABLE users VALIDATE CONSTRAINT age_check;",
    ),
    chain=_check,
)
