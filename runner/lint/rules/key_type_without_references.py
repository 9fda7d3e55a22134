"""The type of a key is changed and not that of the columns that reference it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    new = tree.type_name(getattr(step.node, "def").column_def.type_name)
    changed = {
        (s.table, s.name): tree.type_name(getattr(s.node, "def").column_def.type_name)
        for s in context.script.steps
        if s.verb == "AlterColumnType"
    }
    for table, key in context.world.foreign_keys():
        parent, columns = key.references
        if parent != step.table:
            continue
        columns = columns or context.world.primary_key(parent)
        for own, referenced in zip(key.columns, columns, strict=False):
            if referenced == step.name and changed.get((table.name, own)) != new:
                yield Hit(
                    f"{table.name}.{own} references it and keeps its type: the two cannot be"
                    " compared, or each lookup casts and leaves the index unused",
                    names={
                        "child": table.name,
                        "own": own,
                        "column": step.name,
                        "type": suggest.type_(getattr(step.node, "def").column_def.type_name),
                        "name": key.name,
                        "owns": suggest.listed(key.columns),
                        "columns": suggest.listed(columns),
                    },
                )


RULE = Rule(
    name="key-type-without-references",
    level="error",
    title="The type of a key is changed and not that of the columns that reference it",
    why="A key and all columns that reference it are one unit. PostgreSQL refuses when the"
    " types cannot be compared (text and uuid), and goes on with a cast when they can"
    " (integer and bigint): then the child overflows first.",
    instead="""ALTER TABLE {child} DROP CONSTRAINT {name};
ALTER TABLE {table} ALTER COLUMN {column} TYPE {type} USING {column}::{type};
ALTER TABLE {child} ALTER COLUMN {own} TYPE {type} USING {own}::{type};
ALTER TABLE {child} ADD CONSTRAINT {name} FOREIGN KEY ({owns}) REFERENCES {table} ({columns})
    NOT VALID;  -- and validated in the next file""",
    flagged=(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));\n"
        "-- file: 0002_widen.sql\nALTER TABLE a ALTER COLUMN id TYPE bigint;",
    ),
    passed=(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));\n"
        "-- file: 0002_widen.sql\nALTER TABLE a ALTER COLUMN id TYPE bigint;\n"
        "ALTER TABLE b ALTER COLUMN a_id TYPE bigint;",
    ),
    step=_check,
    verbs=frozenset({"AlterColumnType"}),
)
