"""PostgreSQL's catalog is written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.table.startswith(("pg_catalog.", "pg_", "information_schema.")):
        yield Hit(
            f"{step.table} is PostgreSQL's own catalog: nothing checks or locks what is written"
            " there"
        )


RULE = Rule(
    name="catalog-write",
    level="error",
    title="PostgreSQL's catalog is written to",
    why="A wrong row there can make a table unreadable, and other sessions go on with what they"
    " have cached. Each of these changes has a statement that does it in a safe way.",
    instead="""-- ALTER TABLE, ALTER TYPE: the statement that makes the change""",
    flagged=(
        "UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 'users'::regclass;",
        "DELETE FROM pg_enum WHERE enumlabel = 'sad';",
    ),
    passed=("SELECT relname FROM pg_class;",),
    step=_check,
    verbs=frozenset({"Update", "Delete", "Insert"}),
    window=True,
)
