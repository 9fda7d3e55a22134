"""VALIDATE CONSTRAINT in the transaction that locked the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if context.transaction.single:
        return
    for other in context.transaction.steps:
        if other.verb == "AddConstraint" and (other.table, other.name) == (step.table, step.name):
            yield Hit(
                f"{step.name} is added and validated in one transaction: the lock of ADD CONSTRAINT"
                " is held through the scan, as if there were no NOT VALID"
            )
            return
    strong = next(
        (
            s
            for s in context.transaction.steps
            if s.lock == "ACCESS EXCLUSIVE" and s.table == step.table
        ),
        None,
    )
    if strong is not None:
        yield Hit(
            f"{step.table} is already locked in this transaction, so nobody can use it while"
            f" {step.name} is validated"
        )


RULE = Rule(
    name="validate-same-transaction",
    level="error",
    title="VALIDATE CONSTRAINT in the transaction that locked the table",
    why="Locks last until COMMIT. NOT VALID and VALIDATE help only when each has a transaction"
    " of its own.",
    instead="""-- in a file of its own, applied after the one that adds the constraint
ALTER TABLE {table} VALIDATE CONSTRAINT {name};""",
    flagged=(
        "-- depends: 0000_base\nALTER TABLE u ADD CONSTRAINT c CHECK (n > 0) NOT VALID;"
        " ALTER TABLE u VALIDATE CONSTRAINT c;",
    ),
    passed=(
        "-- depends: 0000_base\nALTER TABLE u ADD CONSTRAINT c CHECK (n > 0) NOT VALID;\n"
        "-- file: 0002_validate.sql\nALTER TABLE u VALIDATE CONSTRAINT c;",
    ),
    step=_check,
    verbs=frozenset({"ValidateConstraint"}),
    window=False,
)
