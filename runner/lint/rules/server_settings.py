"""A migration changes the server's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "AlterDatabaseSet":
        yield Hit(
            "ALTER DATABASE ... SET changes every new session, and no rollback of a schema does"
        )
    elif step.verb == "AlterRoleSet":
        yield Hit(
            "ALTER ROLE ... SET changes every new session of the role, and no rollback of a schema"
            " does"
        )
    else:
        yield Hit("ALTER SYSTEM changes the whole server, other databases included")


RULE = Rule(
    name="server-settings",
    level="error",
    title="A migration changes the server's settings",
    why="Settings belong to the server's configuration. Restored elsewhere, the database"
    " behaves in another way, and ALTER SYSTEM fails on hosted servers.",
    instead="""-- the server's configuration; for one file, SET LOCAL where it is allowed""",
    flagged=(
        "ALTER SYSTEM SET work_mem = '1GB';",
        "ALTER DATABASE app SET work_mem = '1GB';",
        "ALTER ROLE app SET statement_timeout = '5s';",
    ),
    passed=("SET LOCAL work_mem = '1GB';",),
    step=_check,
    verbs=frozenset({"AlterSystem", "AlterDatabaseSet", "AlterRoleSet"}),
    squawk=("ban-alter-system-options", "ban-alter-database-options"),
)
