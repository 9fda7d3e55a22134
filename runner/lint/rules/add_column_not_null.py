"""ADD COLUMN ... NOT NULL without a default fails on a table with rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.definitions import has_serial_type, parts
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    (part,) = parts(step)
    definition, kinds = part.node, {kind for kind, _ in part.constraints}
    filled = {"DEFAULT", "IDENTITY", "GENERATED"} & kinds
    if kinds & {"NOTNULL", "PRIMARY"} and not filled and not has_serial_type(definition):
        yield Hit(
            f"{step.name} is NOT NULL and has no default: this fails as soon as {step.table}"
            " has a row, and writers that do not know the column fail after it",
            names={
                "definition": suggest.column_without(definition, "NOTNULL", "PRIMARY"),
                "check": suggest.made(step.table, step.name, "filled"),
            },
        )


RULE = Rule(
    name="add-column-not-null",
    level="error",
    title="ADD COLUMN ... NOT NULL without a default fails on a table with rows",
    why="Existing rows have no value for it. On an empty table it works, and then the old"
    " release's INSERTs fail.",
    instead="""ALTER TABLE {table} ADD COLUMN {definition};
-- fill it in batches; in the next files, one after the other:
ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID;
ALTER TABLE {table} VALIDATE CONSTRAINT {check};
ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;
ALTER TABLE {table} DROP CONSTRAINT {check};""",
    flagged=("ALTER TABLE users ADD COLUMN email text NOT NULL;",),
    passed=(
        "ALTER TABLE users ADD COLUMN email text NOT NULL DEFAULT '';",
        "ALTER TABLE users ADD COLUMN email text;",
    ),
    step=_check,
    verbs=frozenset({"AddColumn"}),
    squawk=("adding-required-field", "adding-not-nullable-field"),
)
