"""A primary key is dropped and none takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.definitions import contype
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    table = context.world.table(step.table)
    key = next((k for k in table.constraints if k.name == step.name), None)
    primary = key.kind == "PRIMARY" if key else step.name.endswith("_pkey")
    if not primary:
        return
    for other in context.script.steps:
        adds = other.verb == "AddConstraint" and other.table == step.table
        if adds and contype(getattr(other.node, "def").constraint) == "PRIMARY":
            return
    yield Hit(
        f"{step.table} has no primary key after this: UPDATE and DELETE fail under logical"
        " replication, and nothing keeps two rows from being the same",
        names={"columns": suggest.listed(key.columns if key else ())},
        instead=None if key else _UNKNOWN,
    )


_UNKNOWN = """-- a unique index for the new key, built CONCURRENTLY; then, in one ALTER TABLE,
-- DROP CONSTRAINT {name} and ADD PRIMARY KEY USING INDEX"""


RULE = Rule(
    name="drop-primary-key",
    level="error",
    title="A primary key is dropped and none takes its place",
    why="Logical replication identifies rows by it and refuses UPDATE and DELETE without one.",
    instead="""-- in a file of its own, outside a transaction
CREATE UNIQUE INDEX CONCURRENTLY {name:_new} ON {table} ({columns});
-- in the next, both in one statement
ALTER TABLE {table}
    DROP CONSTRAINT {name},
    ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {name:_new};""",
    flagged=("ALTER TABLE users DROP CONSTRAINT users_pkey;",),
    passed=(
        "ALTER TABLE users DROP CONSTRAINT users_pkey,\n"
        "ADD CONSTRAINT users_pkey PRIMARY KEY USING INDEX users_new_pkey;",
        "ALTER TABLE users DROP CONSTRAINT users_age_check;",
    ),
    step=_check,
    verbs=frozenset({"DropConstraint"}),
    window=False,
)
