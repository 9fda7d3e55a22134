"""ADD COLUMN with serial or an identity rewrites the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.definitions import column_type, is_serial
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    definition = getattr(step.node, "def").column_def
    if is_serial(definition):
        type_ = tree.type_name(definition.type_name)
        yield Hit(
            f"a {type_} column that numbers itself gives each row another value: PostgreSQL"
            f" rewrites all of {step.table} under ACCESS EXCLUSIVE",
            names={
                "type": suggest.Sql(column_type(definition)),
                "sequence": tree.beside(step.table, suggest.made(step.table, step.name, "seq")),
            },
        )


RULE = Rule(
    name="add-column-serial",
    level="error",
    title="ADD COLUMN with serial or an identity rewrites the table",
    why="Each existing row needs a number of its own, so every row is written again while"
    " nobody can read the table.",
    instead="""ALTER TABLE {table} ADD COLUMN {column} {type};
CREATE SEQUENCE {sequence} AS {type} OWNED BY {table}.{column};
ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT nextval({sequence:'});
-- then fill the old rows in batches, in a file of its own""",
    flagged=(
        "ALTER TABLE events ADD COLUMN n bigserial;",
        "ALTER TABLE events ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY;",
    ),
    passed=(
        "ALTER TABLE events ADD COLUMN n bigint;",
        "CREATE TABLE events (n bigint GENERATED ALWAYS AS IDENTITY);",
    ),
    step=_check,
    verbs=frozenset({"AddColumn"}),
    window=False,
    squawk=("adding-serial-primary-key-field",),
)
