"""PostgreSQL's grammar refuses the statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context


def _check(context: Context) -> Iterator[Hit]:
    problem, offset = context.script.problem
    if problem:
        yield Hit(problem, offset=offset)
    for statement in context.script.statements:
        if statement.problem:
            yield Hit(
                f"PostgreSQL refuses this: {statement.problem}",
                offset=statement.problem_offset,
            )


RULE = Rule(
    name="syntax",
    level="error",
    title="PostgreSQL's grammar refuses the statement",
    why="The file is read by the grammar of PostgreSQL 18. What it refuses fails when the file"
    " is run, and no other rule can look at it.",
    instead="""-- correct the statement; `ALTER TYPE ... DROP VALUE` does not exist""",
    flagged=("SELEC 1;", "ALTER TYPE mood DROP VALUE 'sad';"),
    passed=("SELECT 1;",),
    script=_check,
    rollback=True,
    squawk=("syntax-error",),
)
