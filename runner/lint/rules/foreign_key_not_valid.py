"""ADD FOREIGN KEY without NOT VALID checks all rows under lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import edits, suggest, tree
from runner.lint.definitions import contype
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "AddConstraint":
        node = getattr(step.node, "def").constraint
        # Rows that the chain cannot have yet need no check.
        if contype(node) != "FOREIGN" or node.skip_validation or not node.is_enforced:
            return
        name = node.conname or suggest.made(step.table, *tree.strings(node.fk_attrs), "fkey")
        columns, first, column = list(node.fk_attrs), "", suggest.Sql()
    else:
        definition = getattr(step.node, "def").column_def
        parts = [tree.inner(item) for item in definition.constraints]
        keys = [part for part in parts if contype(part) == "FOREIGN"]
        # PostgreSQL checks no rows when the new column is NULL in all of them.
        if not keys or not any(contype(part) == "DEFAULT" for part in parts):
            return
        node = keys[0]
        name = node.conname or suggest.made(step.table, step.name, "fkey")
        columns, first = suggest.names_of([step.name]), "ALTER TABLE {table} ADD COLUMN {column};\n"
        column = suggest.column_without(definition, "FOREIGN")
    parent = tree.relation(node.pktable)
    yield Hit(
        f"every row of {step.table} is looked up in {parent} while writes to both tables wait",
        names={
            "name": name,
            "column": column,
            "constraint": suggest.not_valid(node, name, fk_attrs=columns),
        },
        instead=first + RULE.instead,
        edits=() if first else edits.validated_later(context, step, node, name),
    )


RULE = Rule(
    name="foreign-key-not-valid",
    level="error",
    title="ADD FOREIGN KEY without NOT VALID checks all rows under lock",
    why="Both tables are locked against writes (SHARE ROW EXCLUSIVE) until each row is checked."
    " With NOT VALID the lock lasts milliseconds; VALIDATE CONSTRAINT then checks under a"
    " lock that lets writes go on.",
    instead="""ALTER TABLE {table} ADD {constraint};
-- in a later transaction:
ALTER TABLE {table} VALIDATE CONSTRAINT {name};""",
    flagged=(
        "ALTER TABLE orders ADD CONSTRAINT o_fk FOREIGN KEY (user_id) REFERENCES users (id);",
    ),
    passed=(
        "ALTER TABLE orders ADD CONSTRAINT o_fk FOREIGN KEY (u) REFERENCES users (id) NOT VALID;",
        "ALTER TABLE orders ADD COLUMN user_id bigint REFERENCES users (id);",
    ),
    step=_check,
    verbs=frozenset({"AddConstraint", "AddColumn"}),
    window=False,
    squawk=("adding-foreign-key-constraint", "constraint-missing-not-valid"),
)
