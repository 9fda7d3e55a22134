"""A constraint is added to a domain that is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    node = step.node
    constraint = getattr(node, "def").constraint
    if node.subtype == "C" and not constraint.skip_validation:
        name = constraint.conname or suggest.made(step.table, "check")
        yield Hit(
            f"every table with a column of {step.table} is read and locked against writes",
            names={"name": name, "constraint": suggest.not_valid(constraint, name)},
        )
    elif node.subtype == "O":
        name = suggest.made(step.table, "filled")
        check = f"CONSTRAINT {suggest.Identifier(name)} CHECK (VALUE IS NOT NULL) NOT VALID"
        yield Hit(
            f"SET NOT NULL reads every table with a column of {step.table}",
            names={"name": name, "constraint": suggest.Sql(check)},
        )


RULE = Rule(
    name="domain-constraint",
    level="error",
    title="A constraint is added to a domain that is in use",
    why="PostgreSQL checks each column of the domain, in every table, under a lock that stops"
    " writes.",
    instead="""ALTER DOMAIN {table} ADD {constraint};
-- in the next file
ALTER DOMAIN {table} VALIDATE CONSTRAINT {name};""",
    flagged=("ALTER DOMAIN email ADD CONSTRAINT c CHECK (VALUE LIKE '%@%');",),
    passed=("ALTER DOMAIN email ADD CONSTRAINT c CHECK (VALUE LIKE '%@%') NOT VALID;",),
    step=_check,
    verbs=frozenset({"AlterDomain"}),
    window=False,
    squawk=("ban-alter-domain-with-add-constraint",),
)
