"""DROP DEFAULT breaks writers that rely on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb in ("DropIdentity", "DropExpression"):
        yield Hit(
            f"{step.table}.{step.name} is no longer filled by itself: INSERTs of the running"
            " release that leave it out store NULL, or fail when it is NOT NULL",
            names={"column": step.name},
            instead=_OTHER,
        )
        return
    if step.verb == "SetIdentity":
        yield Hit(
            f"{step.table}.{step.name} numbers in another way from now on: INSERTs of the running"
            " release that write it, or leave it out, may fail",
            names={"column": step.name},
            instead=_OTHER,
        )
        return
    if step.node.HasField("def") or step.target not in ("TABLE", ""):
        return
    column = context.world.table(step.table).columns.get(step.name)
    is_new = column is not None and column.born is context.script
    if column is not None and (column.renamed or (is_new and not column.not_null)):
        return
    for other in context.later(step):
        if (other.table, other.name) == (step.table, step.name) and other.verb in _MENDS:
            return
    if is_new:
        yield Hit(
            f"INSERTs of the running release, which does not know {step.table}.{step.name}, fail:"
            " it is NOT NULL, and its default is gone again",
            names={"column": step.name},
            level="error",
            instead="-- the default stays until every release that runs writes {column}",
        )
        return
    yield Hit(
        f"INSERTs of the running release that leave out {step.table}.{step.name} store NULL, or"
        " fail when it is NOT NULL",
        names={"column": step.name},
    )


_MENDS = ("ColumnDefault", "DropNotNull", "DropColumn")
_OTHER = """-- release code that always writes {column} first"""

RULE = Rule(
    name="drop-default",
    level="warning",
    title="DROP DEFAULT breaks writers that rely on it",
    why="The release that is running leaves the column out because there is a default.",
    instead="""-- release code that always writes {column} first; then, knowingly:
-- trueup: ignore drop-default because every writer names the column since release 12
ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT;""",
    flagged=(
        "ALTER TABLE users ALTER COLUMN status DROP DEFAULT;",
        "ALTER TABLE users ALTER COLUMN id DROP IDENTITY;",
        "ALTER TABLE users ADD COLUMN plan text DEFAULT 'free' NOT NULL;\n"
        "ALTER TABLE users ALTER COLUMN plan DROP DEFAULT;",
    ),
    passed=(
        "ALTER TABLE users ALTER COLUMN status DROP DEFAULT, ALTER COLUMN status SET DEFAULT 'A';",
        "ALTER TABLE users ALTER COLUMN status SET DEFAULT 'ACTIVE';",
        "ALTER TABLE users ADD COLUMN plan text DEFAULT 'free';\n"
        "ALTER TABLE users ALTER COLUMN plan DROP DEFAULT;",
    ),
    step=_check,
    verbs=frozenset({"ColumnDefault", "DropIdentity", "SetIdentity", "DropExpression"}),
    window=False,
    squawk=("ban-alter-identity", "ban-drop-generated-expression"),
)
