"""A constraint is dropped and none takes its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.definitions import contype
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.world import Constraint

# What PostgreSQL and people call them, for constraints that no file shows.
_NAMES = {
    "FOREIGN": re.compile(r"(?:^fk_|_fk(?:ey)?\d*$)", re.IGNORECASE),
    "UNIQUE": re.compile(r"(?:^u[qk]_|_(?:key|uq|uniq|unique)\d*$)", re.IGNORECASE),
    "CHECK": re.compile(r"(?:^ck_|_(?:check|chk|ck)\d*$)", re.IGNORECASE),
    "EXCLUSION": re.compile(r"_excl\d*$"),
}
_LOST = {
    "FOREIGN": "rows that point at nothing get in",
    "UNIQUE": "the same value gets in twice, and ON CONFLICT on it fails at once",
    "CHECK": "values that it refused get in",
    "EXCLUSION": "rows that exclude each other get in",
}


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "Drop":
        yield from _unique_index(step, context)
        return
    table = context.world.table(step.table)
    known = next((k for k in table.constraints if k.name == step.name), None)
    kind = known.kind if known else _kind(step.name)
    if kind not in _LOST or context.guarded(step):
        return
    if known is not None and (known.script is context.script or _replaced(known, step, context)):
        return
    if _goes_on(step, kind, context):
        return
    yield Hit(
        f"without {step.name} {_LOST[kind]} from now on, and its way back must first check every"
        f" row of {step.table}",
        names={"statement": suggest.alone(step)},
    )


def _unique_index(step: Step, context: Context) -> Iterator[Hit]:
    """A unique index that the chain made keeps the same values out as a constraint does."""
    indexes = context.world.indexes
    index = context.world.index(step.name) if step.target == "INDEX" else None
    if index is None or not index.unique or context.is_new(index.table) or context.guarded(step):
        return
    table = context.world.table(index.table)
    keys = [
        other.columns
        for other in indexes.values()
        if other.table == index.table and other.unique and not other.partial and other is not index
    ]
    keys += [k.columns for k in table.constraints if k.kind in ("PRIMARY", "UNIQUE")]
    if "" in index.columns or any(set(key) <= set(index.columns) for key in keys):
        return
    if any(s.verb == "DropColumn" for s in context.of_name(index.table)):
        return
    yield Hit(
        f"without {index.name} {_LOST['UNIQUE']}, and its way back fails on the first such value",
        names={"statement": suggest.statement(step.node)},
        instead="-- first what takes its place, built CONCURRENTLY; then\n{statement};",
    )


def _kind(name: str) -> str:
    return next((kind for kind, pattern in _NAMES.items() if pattern.search(name)), "")


def _replaced(known: Constraint, step: Step, context: Context) -> bool:
    """Whether another constraint, or NOT NULL itself, says as much."""
    table = context.world.table(step.table)
    others = [k for k in table.constraints if k is not known and k.kind == known.kind]
    if known.kind == "CHECK":
        if known.columns and all(table.column(name).not_null for name in known.columns):
            return True
        return any(other.mentions & known.mentions for other in others)
    return any(set(other.columns) <= set(known.columns) for other in others)


def _goes_on(step: Step, kind: str, context: Context) -> bool:
    """Whether the file adds one like it, or takes away what it was for."""
    for other in context.of_name(step.table):
        if other.verb == "AddConstraint" and contype(getattr(other.node, "def").constraint) == kind:
            return True
        if other.verb == "Index" and kind == "UNIQUE" and other.node.unique:
            return True
        if other.verb in ("DropColumn", "AlterColumnType"):
            return True
        if other.verb == "Drop" and other.target == "TABLE":
            return True
        if other.verb == "SetNotNull" and kind == "CHECK":
            return True
    return False


RULE = Rule(
    name="drop-constraint",
    level="warning",
    title="A constraint is dropped and none takes its place",
    why="What it kept out gets in from the first second, without an error, and a rollback that"
    " adds it again fails on the first such row.",
    instead="""-- first what takes its place: NOT VALID, validated in the next file; then
{statement};""",
    flagged=(
        "ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey;",
        "CREATE TABLE t (n int CONSTRAINT positive CHECK (n > 0));\n-- file: 0002_drop.sql\n"
        "ALTER TABLE t DROP CONSTRAINT positive;",
        "CREATE TABLE t (code text);\nCREATE UNIQUE INDEX one ON t (code);\n-- file: 0002_a.sql\n"
        "DROP INDEX CONCURRENTLY one;\nCREATE UNIQUE INDEX CONCURRENTLY other ON t (code);",
    ),
    passed=(
        "ALTER TABLE t ADD CONSTRAINT t_n_check2 CHECK (n > 1) NOT VALID;\n"
        "ALTER TABLE t DROP CONSTRAINT t_n_check;",
        "ALTER TABLE t ADD CONSTRAINT f CHECK (n IS NOT NULL) NOT VALID;\n"
        "-- file: 0002_validate.sql\nALTER TABLE t VALIDATE CONSTRAINT f;\n"
        "-- file: 0003_set.sql\nALTER TABLE t ALTER n SET NOT NULL;\n"
        "ALTER TABLE t DROP CONSTRAINT f;",
        "CREATE TABLE t (code text);\nCREATE UNIQUE INDEX one ON t (code);\n-- file: 0002_a.sql\n"
        "CREATE UNIQUE INDEX CONCURRENTLY other ON t (code);\nDROP INDEX CONCURRENTLY one;",
    ),
    step=_check,
    verbs=frozenset({"DropConstraint", "Drop"}),
    window=False,
)
