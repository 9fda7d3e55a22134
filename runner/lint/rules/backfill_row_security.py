"""Rows are changed under forced row security."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    for name in _read(step) if context.world.forces_security else ():
        table = context.world.tables.get(name)
        if table is None or not table.forced_security or _switched_off(step, context):
            continue
        yield Hit(
            f"row security of {name} is forced: the {step.verb.upper()} reaches only the rows that"
            " the policies show to the migration's role, 0 perhaps, and reports success",
            names={"table": name},
        )
        return


def _read(step: Step) -> Iterator[str]:
    """The tables whose rows the statement must find."""
    if step.verb in ("Update", "Delete", "Merge"):
        yield step.table
    for node in tree.walk(step.node):
        if tree.kind(node) == "RangeVar" and (key := tree.relation(node)) != step.table:
            yield key


def _switched_off(step: Step, context: Context) -> bool:
    """Whether the file lets PostgreSQL raise an error in place of leaving rows out."""
    return any(
        other.verb == "VariableSet"
        and other.node.name == "row_security"
        and str(tree.constant(other.node.args[0]) if other.node.args else "").lower()
        in ("off", "false", "0")
        for other in context.earlier(step)
    )


RULE = Rule(
    name="backfill-row-security",
    level="error",
    title="Rows are changed under forced row security",
    why="FORCE ROW LEVEL SECURITY holds for the table's owner, too. A policy that does not match"
    " leaves rows out without an error: UPDATE 0.",
    instead="""-- an error in place of rows that are left out; the role needs BYPASSRLS then
SET row_security = off;""",
    flagged=(
        "ALTER TABLE users FORCE ROW LEVEL SECURITY;\n-- file: 0002_fill.sql\n"
        "UPDATE users SET status = 'A' WHERE id BETWEEN 1 AND 1000;",
    ),
    passed=(
        "ALTER TABLE users FORCE ROW LEVEL SECURITY;\n-- file: 0002_fill.sql\n"
        "SET row_security = off;\nUPDATE users SET status = 'A' WHERE id BETWEEN 1 AND 1000;",
        "UPDATE users SET status = 'A' WHERE id BETWEEN 1 AND 1000;",
    ),
    step=_check,
    verbs=frozenset({"Update", "Delete", "Insert", "Merge"}),
)
