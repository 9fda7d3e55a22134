"""ADD COLUMN ... GENERATED ... STORED rewrites the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.definitions import contype
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    for item in getattr(step.node, "def").column_def.constraints:
        part = tree.inner(item)
        if contype(part) == "GENERATED" and part.generated_kind != "v":
            yield Hit(
                f"a stored generated column is computed for every row of {step.table}: the table"
                " is rewritten under ACCESS EXCLUSIVE"
            )


RULE = Rule(
    name="add-column-generated",
    level="error",
    title="ADD COLUMN ... GENERATED ... STORED rewrites the table",
    why="The value of each existing row must be stored, so every row is written again while"
    " nobody can read the table. A virtual column (PostgreSQL 18) or an index on the"
    " expression needs none.",
    instead="""ALTER TABLE {table} ADD COLUMN {column} text;
CREATE TRIGGER {table}_{column} BEFORE INSERT OR UPDATE ON {table}
FOR EACH ROW EXECUTE FUNCTION set_{column}();
-- then fill the old rows in batches, in a file of its own""",
    flagged=("ALTER TABLE d ADD COLUMN s text GENERATED ALWAYS AS (lower(b)) STORED;",),
    passed=(
        "ALTER TABLE docs ADD COLUMN total int GENERATED ALWAYS AS (a + b) VIRTUAL;",
        "CREATE TABLE docs (a int, b int GENERATED ALWAYS AS (a * 2) STORED);",
    ),
    step=_check,
    verbs=frozenset({"AddColumn"}),
    window=False,
)
