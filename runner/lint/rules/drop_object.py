"""A view, function, sequence, type or the like is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.context import new_name
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.tree import Node

_CALLED = {"FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"}
# What happens, and whether the file alone shows that somebody meets it.
_HAPPENS = {
    "VIEW": "clients that read or write it fail at once, and its grants are gone with it",
    "SEQUENCE": "its position is lost: one made again starts over and gives out numbers twice",
    "TYPE": "clients that cast to it or name it fail at once",
    "DOMAIN": "clients that cast to it or name it fail at once",
    "TRIGGER": "what it kept right is no longer kept, without an error",
    "RULE": "statements that it rewrote do something else from now on, without an error",
    "POLICY": "what rows each role sees changes: without another policy none",
    "EXTENSION": "its types, functions and indexes go with it",
    "PUBLICATION": "subscribers stop receiving, and must copy all rows to start again",
    "SUBSCRIPTION": "what the publisher writes from now on does not come, nor from where to go on",
    "EVENT_TRIGGER": "what it guarded is no longer guarded, without an error",
    "COLLATION": "queries that name it fail at once",
    "CAST": "queries that rely on it fail at once",
    "OPERATOR": "queries that use it fail at once",
}
_CERTAIN = _CALLED | {"VIEW", "SEQUENCE"}
_WORDS = {"EVENT_TRIGGER": "EVENT TRIGGER"}


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "AlterPublication":
        yield from _publication(step, context)
        return
    happens = _HAPPENS.get(step.target)
    if step.target in _CALLED:
        happens = "clients, triggers and defaults that call it fail at once"
    if happens is None or context.guarded(step):
        return
    if _is_own(step, context):
        if step.target == "VIEW" and _loses_grants(step, context):
            yield Hit(
                f"the view {step.table} is made again without the grants that it had: all but its"
                " owner fail with `permission denied`",
                level="warning",
                instead="-- CREATE OR REPLACE VIEW where the columns allow it keeps them; else\n"
                "GRANT SELECT ON {table} TO the_application;",
            )
        return
    what = _WORDS.get(step.target, step.target).lower()
    name = f"{step.name} on {step.table}" if step.name and step.table else step.table or step.name
    yield Hit(
        f"the {what} {name} is dropped: {happens}",
        level="error" if step.target in _CERTAIN else "warning",
        names={"statement": suggest.statement(step.node)},
    )


def _publication(step: Step, context: Context) -> Iterator[Hit]:
    """What a publication no longer holds its subscribers no longer get, without an error."""
    action = tree.enum_name(step.node, "action")
    if action not in ("AP_DropObjects", "AP_SetObjects") or not step.node.pubobjects:
        return
    what = "drops from" if action == "AP_DropObjects" else "sets anew what is in"
    yield Hit(
        f"this {what} the publication {step.node.pubname}: subscribers receive no more of what is"
        " no longer in it, and must copy all rows to start again",
        level="warning",
        names={"statement": suggest.statement(step.node)},
    )


def _loses_grants(step: Step, context: Context) -> bool:
    """Whether a view of before had grants, and the file gives none after it is made again."""
    view = context.world.views.get(step.table)
    if view is None or not view.granted or view.script is context.script:
        return False
    return not any(s.verb in ("Grant", "Do", "Call") for s in context.later(step))


def _is_own(step: Step, context: Context) -> bool:
    """Whether the file makes the object, gives it its name or its place; or a compat view ends."""
    view = context.world.views.get(step.table) if step.target == "VIEW" else None
    if view is not None and view.stands_for and view.script is not context.script:
        return True
    return any(
        _makes(other, step) or new_name(other) == step.table
        for other in context.of_name(step.table)
    )


def _makes(other: Step, dropped: Step) -> bool:
    target, node = dropped.target, other.node
    if target in ("TRIGGER", "RULE", "POLICY"):
        verb = {"TRIGGER": "CreateTrig", "RULE": "Rule", "POLICY": "CreatePolicy"}[target]
        return other.verb == verb and (other.table, other.name) == (dropped.table, dropped.name)
    if target in _CALLED:
        if other.verb not in ("CreateFunction", "Define") or other.table != dropped.table:
            return False
        return other.verb == "Define" or _takes(node, dropped)
    verbs = {
        "VIEW": ("View", "CreateTableAs", "Create"),
        "SEQUENCE": ("CreateSeq",),
        "TYPE": ("CreateEnum", "CompositeType", "CreateRange", "CreateDomain"),
        "DOMAIN": ("CreateDomain", "CreateEnum"),
        "EXTENSION": ("CreateExtension",),
    }.get(target, ())
    return other.verb in verbs and other.table == dropped.table


def _takes(function: Node, dropped: Step) -> bool:
    """Whether a function can be called as the dropped one was."""
    parameters = [
        tree.inner(p)
        for p in function.parameters
        if tree.enum_name(tree.inner(p), "mode") not in ("FUNC_PARAM_OUT", "FUNC_PARAM_TABLE")
    ]
    given = [tree.type_name(p.arg_type) for p in parameters]
    wanted = [
        [tree.type_name(tree.inner(a)) for a in tree.inner(item).objargs]
        for item in dropped.node.objects
        if tree.dotted(tree.inner(item).objname) == dropped.table
        and not tree.inner(item).args_unspecified
    ]
    return not wanted or any(
        given[: len(types)] == types
        and all(p.HasField("defexpr") for p in parameters[len(types) :])
        for types in wanted
    )


RULE = Rule(
    name="drop-object",
    level="error",
    title="A view, function, sequence, type or the like is dropped",
    why="The release that is running may still use it, and no text shows who does. It is dropped"
    " when nobody does any more: after a check in the same file that can refuse.",
    instead="""-- in a later release, when nobody uses it; behind a check that can refuse
{statement};""",
    flagged=(
        "DROP VIEW active_users;",
        "DROP FUNCTION app.next_code();",
        "DROP SEQUENCE users_id_seq;",
        "DROP TYPE mood;",
        "DROP TRIGGER audit ON users;",
        "CREATE PUBLICATION cdc FOR TABLE users;\n-- file: 0002_b.sql\n"
        "ALTER PUBLICATION cdc DROP TABLE users;",
        "CREATE VIEW active_users AS SELECT id, email FROM users;\n"
        "GRANT SELECT ON active_users TO app;\n-- file: 0002_less.sql\n"
        "DROP VIEW active_users; CREATE VIEW active_users AS SELECT id FROM users;",
        "CREATE FUNCTION pay(amount int) RETURNS int LANGUAGE sql AS 'SELECT 1';\n"
        "-- file: 0002_change.sql\nDROP FUNCTION pay(int);\n"
        "CREATE FUNCTION pay(amount int, code text) RETURNS int LANGUAGE sql AS 'SELECT 1';",
    ),
    passed=(
        "BEGIN; DROP VIEW active_users; CREATE VIEW active_users AS SELECT id FROM users; COMMIT;",
        "DROP FUNCTION pay(int);\nCREATE FUNCTION pay(amount int, currency text DEFAULT 'EUR')"
        " RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "BEGIN; ALTER TYPE mood RENAME TO mood_old; ALTER TYPE mood_new RENAME TO mood;"
        " DROP TYPE mood_old; COMMIT;",
        "DO $$ BEGIN IF EXISTS (SELECT FROM users) THEN RAISE EXCEPTION 'in use'; END IF; END $$;\n"
        "DROP VIEW active_users;",
    ),
    step=_check,
    verbs=frozenset({"AlterPublication", "Drop", "DropSubscription"}),
    squawk=("ban-drop-domain", "ban-drop-extension"),
)
