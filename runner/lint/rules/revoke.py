"""A right is taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_MAKING = frozenset({"Create", "CreateFunction", "View", "CreateTableAs", "CreateSchema"})


def _check(step: Step, context: Context) -> Iterator[Hit]:
    node = step.node
    if step.verb == "ChangeOwner":
        if step.target != "TABLE":
            return  # A view is mostly made again, and given to whom it was.
        owner = node.newowner.rolename or "another role"
        yield Hit(
            f"{step.table} becomes {owner}'s: the role that owned it may no longer alter it, nor"
            " read or write it without a grant",
            instead="-- first the grants that the former owner's clients need; then\n{statement};",
            names={"statement": suggest.alone(step)},
        )
        return
    if node.is_grant or any(other.verb in _MAKING for other in context.earlier(step)):
        return  # Of what the file made nobody has a right yet.
    if any(other.verb == "Grant" and other.node.is_grant for other in context.later(step)):
        return
    grantees = node.grantees if step.verb == "Grant" else node.grantee_roles
    whom = ", ".join(grantee.rolename or "PUBLIC" for grantee in map(tree.inner, grantees))
    yield Hit(f"what {whom} does with it until now fails at once with `permission denied`")


RULE = Rule(
    name="revoke",
    level="warning",
    title="A right is taken away",
    why="The release that is running may use the right, and rights are not the same on every"
    " server: no file shows who relies on it.",
    instead="""-- in a later release, when pg_stat_statements shows no use of it by the role""",
    flagged=(
        "REVOKE SELECT ON users FROM app;",
        "REVOKE reader FROM app;",
        "ALTER TABLE users OWNER TO app;",
    ),
    passed=(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';\n"
        "REVOKE ALL ON FUNCTION f() FROM PUBLIC;",
        "CREATE TABLE t (a int);\nALTER TABLE t OWNER TO app;",
        "REVOKE ALL ON users FROM app;\nGRANT SELECT ON users TO app;",
    ),
    step=_check,
    verbs=frozenset({"Grant", "GrantRole", "ChangeOwner"}),
    squawk=("ban-revoke",),
)
