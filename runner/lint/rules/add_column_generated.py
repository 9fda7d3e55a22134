"""ADD COLUMN ... GENERATED ... STORED rewrites the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.definitions import contype
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.tree import Node


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "SetExpression":
        yield Hit(
            f"every row of {step.table} is computed and written again under ACCESS EXCLUSIVE",
            names={"column": step.name},
            instead="-- a second column, filled in batches; then swap the names",
        )
        return
    definition = getattr(step.node, "def").column_def
    for item in definition.constraints:
        part = tree.inner(item)
        if contype(part) == "GENERATED" and part.generated_kind != "v":
            function = tree.beside(step.table, suggest.made(step.table, step.name, "fill"))
            yield Hit(
                f"a stored generated column is computed for every row of {step.table}: the table"
                " is rewritten under ACCESS EXCLUSIVE",
                names={
                    "definition": suggest.column_without(definition, "GENERATED", "NOTNULL"),
                    "function": function,
                    "trigger": suggest.made(step.table, step.name, "fill"),
                    "value": suggest.expression(_of_new_row(part.raw_expr)),
                },
            )


def _of_new_row(expression: Node) -> Node:
    """An expression over columns as a trigger writes it: `a` as `NEW.a`."""
    row = suggest.changed(expression)
    for node in list(tree.walk(row)):
        if tree.kind(node) == "ColumnRef" and len(node.fields) == 1:
            last = suggest.changed(node.fields[0])
            node.fields[0].string.sval = "new"
            node.fields.add().CopyFrom(last)
    return row


RULE = Rule(
    name="add-column-generated",
    level="error",
    title="ADD COLUMN ... GENERATED ... STORED rewrites the table",
    why="The value of each existing row must be stored, so every row is written again while"
    " nobody can read the table. A virtual column (PostgreSQL 18) or an index on the"
    " expression needs none.",
    instead="""ALTER TABLE {table} ADD COLUMN {definition};
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.{column} := {value};
    RETURN NEW;
END $$;
CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table}
FOR EACH ROW EXECUTE FUNCTION {function}();
-- then fill the old rows in batches, in a file of its own""",
    flagged=(
        "ALTER TABLE d ADD COLUMN s text GENERATED ALWAYS AS (lower(b)) STORED;",
        "ALTER TABLE d ALTER COLUMN s SET EXPRESSION AS (upper(b));",
    ),
    passed=(
        "ALTER TABLE docs ADD COLUMN total int GENERATED ALWAYS AS (a + b) VIRTUAL;",
        "CREATE TABLE docs (a int, b int GENERATED ALWAYS AS (a * 2) STORED);",
    ),
    step=_check,
    verbs=frozenset({"AddColumn", "SetExpression"}),
    window=False,
    squawk=("ban-alter-generated-expression",),
)
