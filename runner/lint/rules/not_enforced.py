"""A constraint that PostgreSQL does not enforce, or begins to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.definitions import parts
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.tree import Node


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if not step.may_hold("enforced"):
        return
    if step.verb == "AlterConstraint":
        part = tree.inner(getattr(step.node, "def"))
        if not part.alter_enforceability:
            return
        if part.is_enforced:
            yield Hit(
                f"{part.conname} is enforced from now on: every row of {step.table} is looked at"
                " while nobody can read or write it",
                level="error",
                instead=_AGAIN,
                names={"name": part.conname},
            )
        else:
            yield Hit(f"{part.conname} keeps nothing out from now on")
        return
    for part in parts(step):
        for name in _loose(part.constraints):
            yield Hit(f"{name} on {step.table} is written down, and keeps nothing out")


def _loose(constraints: Iterable[tuple[str, Node]]) -> Iterator[str]:
    """The constraints among some that are not enforced; of a column, the word is a part behind."""
    last = ""
    for kind, node in constraints:
        if kind in ("CHECK", "FOREIGN"):
            last = node.conname or f"the {'foreign key' if kind == 'FOREIGN' else 'CHECK'}"
            if not node.is_enforced:
                yield last
        elif kind == "ATTR_NOT_ENFORCED":
            yield last


_AGAIN = """-- a second one, enforced and NOT VALID; validated in the next file; then
ALTER TABLE {table} DROP CONSTRAINT {name};"""


RULE = Rule(
    name="not-enforced",
    level="warning",
    title="A constraint that PostgreSQL does not enforce, or begins to",
    why="NOT ENFORCED (PostgreSQL 18) writes a foreign key or a CHECK down and checks no row, old"
    " or new: who reads the schema trusts what nothing keeps. ENFORCED later reads the whole table"
    " under ACCESS EXCLUSIVE.",
    instead="-- NOT VALID in its place: new rows are checked from now on, old ones by VALIDATE",
    flagged=(
        "CREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE o (a bigint);\n"
        "ALTER TABLE o ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p (id) NOT ENFORCED;\n"
        "-- file: 0002_b.sql\nALTER TABLE o ALTER CONSTRAINT k ENFORCED;",
        "CREATE TABLE o (a int CHECK (a > 0) NOT ENFORCED);",
        "CREATE TABLE o (a int, CONSTRAINT k CHECK (a > 0) NOT ENFORCED);",
        "ALTER TABLE orders ADD COLUMN a bigint REFERENCES users (id) NOT ENFORCED;",
        "ALTER TABLE o ALTER CONSTRAINT k NOT ENFORCED;",
    ),
    passed=(
        "ALTER TABLE o ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p (id) NOT VALID;",
        "CREATE TABLE o (a int CHECK (a > 0) ENFORCED, b int UNIQUE DEFERRABLE);",
        "ALTER TABLE o ALTER CONSTRAINT k DEFERRABLE INITIALLY DEFERRED;",
    ),
    step=_check,
    verbs=frozenset({"AddColumn", "AddConstraint", "AlterConstraint", "Create"}),
    new_tables=True,
)
