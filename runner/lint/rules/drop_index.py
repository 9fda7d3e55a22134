"""DROP INDEX without CONCURRENTLY stops reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import edits, tree
from runner.lint.model import Edit, Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.world import Constraint


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.target != "INDEX":
        return
    name = tree.bare(step.name)
    index = context.world.index(step.name)
    # An index is in the schema of its table.
    tables = (t for t in context.world.tables.values() if tree.beside(t.name, name) == step.name)
    named = (t for t in tables if any(_is_of(k, name) for k in t.constraints))
    owner = next(named, None) if index is None else None
    if owner is not None:
        yield Hit(
            f"{name} belongs to a constraint of {owner.name}: PostgreSQL refuses to drop it alone",
            names={"table": owner.name},
            instead="ALTER TABLE {table} DROP CONSTRAINT {name};",
        )
        return
    if step.node.concurrent:
        if len(step.node.objects) > 1 or _cascades(step):
            yield Hit(
                "CONCURRENTLY takes one index, and no CASCADE: PostgreSQL refuses the statement"
            )
        return
    if index is not None and context.is_new(index.table):
        return
    yield Hit(
        f"dropping {step.name} takes ACCESS EXCLUSIVE on its table: reads wait, too",
        edits=_edits(step, context),
    )


def _edits(step: Step, context: Context) -> tuple[Edit, ...]:
    around = edits.outside(context, step)
    if around is None or _cascades(step) or len(step.node.objects) > 1:
        return ()
    return around + edits.behind_word(step, "INDEX", " CONCURRENTLY")


def _cascades(step: Step) -> bool:
    return tree.enum_name(step.node, "behavior") == "DROP_CASCADE"


def _is_of(constraint: Constraint, index: str) -> bool:
    """Whether an index is the one that a constraint is kept by."""
    return constraint.name == index and constraint.kind in ("PRIMARY", "UNIQUE", "EXCLUSION")


RULE = Rule(
    name="drop-index",
    level="error",
    title="DROP INDEX without CONCURRENTLY stops reads and writes",
    why="It waits for every running query on the table, and every new query waits behind it.",
    instead="""-- in a file of its own, outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS {name};""",
    flagged=(
        "DROP INDEX users_email_idx;",
        "DROP INDEX CONCURRENTLY users_email_idx, users_name_idx;",
        "CREATE TABLE t (code text UNIQUE);\n-- file: 0002_drop.sql\n"
        "DROP INDEX CONCURRENTLY t_code_key;",
    ),
    passed=(
        "CREATE TABLE a.t (code text, CONSTRAINT foo UNIQUE (code));\n-- file: 0002_drop.sql\n"
        "-- transactional: false\nDROP INDEX CONCURRENTLY IF EXISTS b.foo;",
        "-- transactional: false\nDROP INDEX CONCURRENTLY IF EXISTS users_email_idx;",
    ),
    step=_check,
    verbs=frozenset({"Drop"}),
    window=False,
    squawk=("require-concurrent-index-deletion",),
)
