"""ADD COLUMN with a volatile default rewrites the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.definitions import contype
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    definition = getattr(step.node, "def").column_def
    for item in definition.constraints:
        part = tree.inner(item)
        if contype(part) == "DEFAULT" and (
            function := tree.volatile_call(part.raw_expr, frozenset(context.world.steady))
        ):
            yield Hit(
                f"DEFAULT {function}() gives each row another value: PostgreSQL rewrites all of"
                f" {step.table} under ACCESS EXCLUSIVE",
                names={
                    "definition": suggest.column_without(definition, "DEFAULT", "NOTNULL"),
                    "default": suggest.expression(part.raw_expr),
                },
            )


RULE = Rule(
    name="add-column-volatile-default",
    level="error",
    title="ADD COLUMN with a volatile default rewrites the table",
    why="A default that is the same for all rows is kept in the catalog. One that is computed"
    " for each row (gen_random_uuid(), random(), clock_timestamp(), a function not known to"
    " be stable) makes PostgreSQL write every row again while nobody can read the table.",
    instead="""ALTER TABLE {table} ADD COLUMN {definition};
ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {default};
-- then fill the old rows in batches, in a file of its own""",
    flagged=(
        "ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();",
        "ALTER TABLE users ADD COLUMN seen timestamptz NOT NULL DEFAULT clock_timestamp();",
        "ALTER TABLE users ADD COLUMN code text DEFAULT app.next_code();",
    ),
    passed=(
        "ALTER TABLE users ADD COLUMN seen timestamptz NOT NULL DEFAULT now();",
        "ALTER TABLE users ADD COLUMN active boolean NOT NULL DEFAULT true;",
        "CREATE TABLE u (id int); ALTER TABLE u ADD COLUMN t uuid DEFAULT gen_random_uuid();",
    ),
    step=_check,
    verbs=frozenset({"AddColumn"}),
    window=False,
    squawk=("adding-field-with-default",),
)
