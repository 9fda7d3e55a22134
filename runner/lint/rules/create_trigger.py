"""A trigger or a rule is added to a table in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_DEADLOCK_TIMEOUT = 1_000
_INSTEAD = 64  # TRIGGER_TYPE_INSTEAD of PostgreSQL's trigger.h.


def _check(step: Step, context: Context) -> Iterator[Hit]:
    node = step.node
    if step.verb == "CreateEventTrig":
        yield Hit(
            f"{node.trigname} runs at every change of the schema in the whole database, of any"
            " service: one error in it, and none of them can migrate",
            instead="-- with a WHEN TAG IN (...) that names what it is for",
        )
        return
    if node.replace or _replaced(step, context) or step.table in context.world.views:
        return
    if step.verb == "CreateTrig":
        if node.timing == _INSTEAD or _is_shown(step, context):
            return
        does = f"{tree.dotted(node.funcname)}() runs in it"
    else:
        does = "each is rewritten"
    yield Hit(
        f"from now on every write to {step.table} that {step.name} is for pays for it, and {does}:"
        " one error there, and the running release cannot write; creating it stops writers until"
        " the lock is had"
    )


def _is_shown(step: Step, context: Context) -> bool:
    """Whether the file shows what the trigger does, and gives up before it holds writers up."""
    name = tree.dotted(step.node.funcname)
    return 0 < context.lock_timeout < _DEADLOCK_TIMEOUT and any(
        other.verb == "CreateFunction" and other.table == name for other in context.earlier(step)
    )


def _replaced(step: Step, context: Context) -> bool:
    """Whether the file dropped one of the same name before."""
    return any(
        other.verb == "Drop"
        and other.target in ("TRIGGER", "RULE")
        and (other.table, other.name) == (step.table, step.name)
        for other in context.of_name(step.table)
    )


RULE = Rule(
    name="create-trigger",
    level="warning",
    title="A trigger or a rule is added to a table in use",
    why="It runs inside every statement of every client, which knows nothing of it, and its lock"
    " waits for all writers. With its function in the same file a reviewer sees what it does.",
    instead="""SET LOCAL lock_timeout = '200ms';
-- CREATE FUNCTION in the same file, tried with the statements of the running release; then
-- CREATE TRIGGER, with a WHEN that spares the rows it is not for""",
    flagged=(
        "SET lock_timeout = '1s';\nCREATE TRIGGER sync BEFORE INSERT ON users"
        " FOR EACH ROW EXECUTE FUNCTION sync();",
        "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch();",
        "CREATE RULE quiet AS ON DELETE TO users DO INSTEAD NOTHING;",
    ),
    passed=(
        "BEGIN; SET LOCAL lock_timeout = '200ms';\nCREATE FUNCTION sync() RETURNS trigger"
        " LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\nCREATE TRIGGER sync BEFORE INSERT ON users"
        " FOR EACH ROW EXECUTE FUNCTION sync(); COMMIT;",
        "DROP TRIGGER audit ON users;\nCREATE TRIGGER audit BEFORE INSERT ON users"
        " FOR EACH ROW EXECUTE FUNCTION audit();",
        "CREATE TABLE t (a int);\nCREATE TRIGGER audit BEFORE INSERT ON t"
        " FOR EACH ROW EXECUTE FUNCTION audit();",
    ),
    step=_check,
    verbs=frozenset({"CreateTrig", "Rule", "CreateEventTrig"}),
    window=False,
)
