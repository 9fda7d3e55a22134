"""A column is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.target not in ("TABLE", ""):
        return
    column = context.world.table(step.table).columns.get(step.name)
    if column is not None and (column.born is context.script or column.renamed):
        return
    if context.guarded(step):
        return
    yield Hit(
        f"the values of {step.table}.{step.name} are gone, and clients that name it fail; no"
        " rollback brings them back",
        names={"column": step.name},
    )


RULE = Rule(
    name="drop-column",
    level="error",
    title="A column is dropped",
    why="The release that still reads or writes the column fails at once: an ORM names every"
    " column it knows. The values are gone for good.",
    instead="""-- first release code that no longer names the column; let writers leave it out:
ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL;
-- in a later release: after a check in the same file that can refuse
ALTER TABLE {table} DROP COLUMN {column};""",
    flagged=("ALTER TABLE users DROP COLUMN mail;",),
    passed=(
        "CREATE TABLE t (a int, b int); ALTER TABLE t DROP COLUMN b;",
        "DO $$ BEGIN IF EXISTS (SELECT FROM users WHERE mail IS NOT NULL) THEN\n"
        "RAISE EXCEPTION 'in use'; END IF; END $$;\nALTER TABLE users DROP COLUMN mail;",
    ),
    step=_check,
    verbs=frozenset({"DropColumn"}),
    squawk=("ban-drop-column",),
)
