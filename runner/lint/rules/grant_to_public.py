"""Rights to change data are granted to PUBLIC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import parser, suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.tree import Node


def _check(step: Step, context: Context) -> Iterator[Hit]:
    node = step.node.action if step.verb == "AlterDefaultPrivileges" else step.node
    public = any(
        tree.enum_name(tree.inner(g), "roletype") == "ROLESPEC_PUBLIC" for g in node.grantees
    )
    if not node.is_grant or not public:
        return
    rights = {tree.inner(p).priv_name for p in node.privileges}
    if not rights or rights & {"insert", "update", "delete", "truncate", "create"}:
        role = parser.parse("GRANT a TO the_application")[0][0].grantee_roles[0].role_spec
        yield Hit(
            "every role of the server, also one made later, may change it",
            names={"grant": _to_role(step, role)},
        )


def _to_role(step: Step, role: Node) -> suggest.Sql:
    """The same grant to one role."""
    if step.verb == "Grant":
        return suggest.statement(step.node, grantees=[role])
    changed = suggest.changed(step.node.action, grantees=[role])
    return suggest.statement(step.node, action=changed)


RULE = Rule(
    name="grant-to-public",
    level="error",
    title="Rights to change data are granted to PUBLIC",
    why="PUBLIC is everybody, roles that do not exist yet included.",
    instead="""{grant};""",
    flagged=(
        "GRANT ALL ON users TO PUBLIC;",
        "GRANT CREATE ON SCHEMA app TO PUBLIC;",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT ALL ON TABLES TO PUBLIC;",
    ),
    passed=("GRANT SELECT ON kinds TO PUBLIC;", "GRANT ALL ON users TO app;"),
    step=_check,
    verbs=frozenset({"Grant", "AlterDefaultPrivileges"}),
    new_tables=True,
)
