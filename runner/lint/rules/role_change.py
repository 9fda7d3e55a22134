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


_STRONG_ROLES = frozenset(
    """
    pg_execute_server_program pg_read_server_files pg_write_server_files pg_read_all_data
    pg_write_all_data pg_maintain pg_checkpoint rds_superuser cloudsqlsuperuser
    """.split()
)


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "DropRole":
        names = ", ".join(tree.inner(role).rolename for role in step.node.roles)
        yield Hit(f"{names}: who logs in so fails at once, in every database of the server")
        return
    if step.verb == "GrantRole":
        granted = {tree.inner(role).priv_name for role in step.node.granted_roles}
        if step.node.is_grant and (strong := sorted(granted & _STRONG_ROLES)):
            yield Hit(f"{strong[0]} goes beyond the rights on any table of this database")
        return
    for item in step.node.options:
        option = tree.inner(item)
        argument = tree.inner(option.arg) if option.HasField("arg") else None
        if option.defname in _POWERS and argument is not None and argument.boolval:
            yield Hit(f"{_POWERS[option.defname]} ends all checks for this role")
        ends = option.defname == "canlogin" and step.verb == "AlterRole"
        if ends and argument is not None and not argument.boolval:
            yield Hit("NOLOGIN: who logs in as this role fails at once")
        if option.defname == "password" and argument is not None and argument.sval:
            yield Hit("the password stands in the file, in its history and in the server's log")


RULE = Rule(
    name="role-change",
    level="error",
    title="A password, superuser rights or the end of a role in a migration",
    why="Migrations are kept for ever and read by many. Roles belong to the server, not to a"
    " schema.",
    instead="""-- whoever runs the server makes the role, and sets its password and its powers""",
    flagged=(
        "CREATE ROLE app LOGIN PASSWORD 'secret';",
        "ALTER ROLE app SUPERUSER;",
        "DROP ROLE app;",
    ),
    passed=("CREATE ROLE reporting NOLOGIN;",),
    step=_check,
    verbs=frozenset({"CreateRole", "AlterRole", "DropRole", "GrantRole"}),
    squawk=("ban-alter-role-options",),
)
