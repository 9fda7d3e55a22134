"""A password or superuser rights in a migration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_POWERS = {"superuser": "SUPERUSER", "bypassrls": "BYPASSRLS"}


def _check(step: Step, context: Context) -> Iterator[Hit]:
    for item in step.node.options:
        option = tree.inner(item)
        argument = tree.inner(option.arg) if option.HasField("arg") else None
        if option.defname in _POWERS and argument is not None and argument.boolval:
            yield Hit(f"{_POWERS[option.defname]} ends all checks for this role")
        if option.defname == "password" and argument is not None and argument.sval:
            yield Hit("the password stands in the file, in its history and in the server's log")


RULE = Rule(
    name="role-change",
    level="error",
    title="A password or superuser rights in a migration",
    why="Migrations are kept for ever and read by many. Roles belong to the server, not to a"
    " schema.",
    instead="""-- whoever runs the server makes the role, and sets its password and its powers""",
    flagged=("CREATE ROLE app LOGIN PASSWORD 'secret';", "ALTER ROLE app SUPERUSER;"),
    passed=("CREATE ROLE reporting NOLOGIN;",),
    step=_check,
    verbs=frozenset({"CreateRole", "AlterRole"}),
    squawk=("ban-alter-role-options",),
)
