"""Row security is switched on without a policy, or off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule
from runner.lint.where import truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "EnableRowSecurity":
        has_policy = any(
            s.verb == "CreatePolicy" and s.table == step.table
            for pair in context.chain.pairs
            for s in pair.up.steps
        )
        if not has_policy:
            yield Hit(
                f"no policy for {step.table}: all but its owner see an empty table at once",
                names={"policy": suggest.made(step.table, "own")},
            )
    elif step.verb in ("CreatePolicy", "AlterPolicy"):
        table = context.world.tables.get(step.table)
        every = truth(step.node.qual, table) is True
        if (every or truth(step.node.with_check, table) is True) and _writes(step, context):
            yield Hit(
                f"{step.name} lets everybody write every row of {step.table}"
                if every
                else f"{step.name} checks no row that is written to {step.table}: whoever may write"
                " one may write it in the name of anybody else",
                instead="-- in place of true: what makes a row one's own; or TO the roles that may",
            )
    elif step.verb == "ForceRowSecurity":
        yield Hit(
            f"from now on the owner of {step.table} sees what policies show him: migrations,"
            " backfills and dumps leave rows out without an error",
            instead="-- in each of these: an error in place of missing rows\n"
            "SET row_security = off;",
        )
    else:
        yield Hit(
            f"every role that may read {step.table} now sees all of its rows",
            instead="-- a policy for each role that shall see more: CREATE POLICY ... TO the role",
        )


def _writes(step: Step, context: Context) -> bool:
    """Whether a policy is for writes, of all roles, and adds to what others allow."""
    node = step.node
    if step.verb == "AlterPolicy":
        return not node.roles
    public = all(tree.inner(role).rolename in ("", "anon", "authenticated") for role in node.roles)
    return bool(node.permissive) and public and node.cmd_name != "select"


RULE = Rule(
    name="row-security",
    level="warning",
    title="Row security is switched on without a policy, forced, off, or lets all through",
    why="Row security without a policy hides all rows, without an error. Switched off, it shows"
    " every tenant's rows to every tenant.",
    instead="""-- in one transaction
CREATE POLICY {policy} ON {table} USING (false);  -- in place of false: what makes a row one's own
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;""",
    flagged=(
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY;",
        "ALTER TABLE users DISABLE ROW LEVEL SECURITY;",
        "CREATE POLICY p ON users USING (true);",
        "CREATE POLICY p ON users USING (1 = 1);",
        "CREATE POLICY p ON users USING (owner = current_user) WITH CHECK (true);",
    ),
    passed=(
        "CREATE POLICY p ON users USING (owner = current_user);\n"
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY;",
        "CREATE POLICY p ON users FOR SELECT USING (true);",
        "CREATE POLICY p ON users TO admins USING (true);",
    ),
    step=_check,
    verbs=frozenset(
        {
            *("EnableRowSecurity", "DisableRowSecurity", "ForceRowSecurity", "NoForceRowSecurity"),
            *("CreatePolicy", "AlterPolicy"),
        }
    ),
)
