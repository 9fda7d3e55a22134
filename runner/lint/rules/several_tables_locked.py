"""Strong locks on several tables in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.model import Hit, Rule
from runner.lint.work import LOCKING_VERBS, locks_held

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized

    from runner.lint.context import Context
    from runner.lint.steps import Statement, Step


_TARGETS = ("TABLE", "", "COLUMN", "TABCONSTRAINT", "TRIGGER", "POLICY")
_DEADLOCK_TIMEOUT = 1_000


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if context.transaction.single or step.lock != "ACCESS EXCLUSIVE" or not step.table:
        return
    if step.target not in _TARGETS:
        return
    # What was locked first, by table: the table alone, or with others in one LOCK TABLE.
    held: dict[str, object] = {}
    for other in locks_held(context, "ACCESS EXCLUSIVE"):
        if other.target in _TARGETS:
            table = context.transaction.named[other]
            together = _at_once(other, context) or table
            for name in (table, *(_below(table, context) if other.verb == "Lock" else ())):
                held.setdefault(name, together)
    mine = context.transaction.named[step]
    if mine in held or len(set(held.values())) != 1 or _at_once(step, context) in held.values():
        return
    yield Hit(
        f"{step.table} is locked while {' and '.join(sorted(held))} {_is(held)}: a client that"
        " uses them in the other order deadlocks, and they are closed until COMMIT",
        names={"tables": suggest.tables((*sorted(held), mine))},
    )


def _below(view: str, context: Context) -> frozenset[str]:
    """The tables of a view: LOCK TABLE of a view locks them, too."""
    views = [v for v in context.world.past_views if v.name == view]
    return views[-1].tables if views else frozenset()


def _at_once(step: Step, context: Context) -> Statement | None:
    """The LOCK TABLE that gives up before it can make a client the victim of a deadlock."""
    gives_up = 0 < context.lock_timeout < _DEADLOCK_TIMEOUT
    return step.statement if step.verb == "Lock" and gives_up else None


def _is(things: Sized) -> str:
    return "is" if len(things) == 1 else "are"


RULE = Rule(
    name="several-tables-locked",
    level="warning",
    title="Strong locks on several tables in one transaction",
    why="Locks are kept until COMMIT. Whoever takes the same tables in another order deadlocks"
    " with the migration, and while it waits for the second table the first one is closed.",
    instead="""-- one table a file: each lock is given back before the next is asked for;
-- what can only change together is locked at once, as the first thing in the transaction
SET LOCAL lock_timeout = '200ms';
LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE;""",
    flagged=(
        "BEGIN; ALTER TABLE users ADD COLUMN a int; ALTER TABLE orders ADD COLUMN b int; COMMIT;",
        "BEGIN; LOCK TABLE users, orders; ALTER TABLE users ADD COLUMN a int; COMMIT;",
        "BEGIN; SET LOCAL lock_timeout = '200ms'; LOCK TABLE users, orders;\n"
        "ALTER TABLE users ADD COLUMN a int; ALTER TABLE items ADD COLUMN b int; COMMIT;",
        "BEGIN; SET LOCAL lock_timeout = '200ms'; LOCK TABLE users; LOCK TABLE orders; COMMIT;",
        "BEGIN; SET LOCAL lock_timeout = '200ms'; ALTER TABLE users RENAME TO a;\n"
        "ALTER TABLE orders RENAME TO users; COMMIT;",
    ),
    passed=(
        "CREATE VIEW app_user AS SELECT id FROM users;\nGRANT SELECT ON app_user TO app;\n"
        "-- file: 0002_switch.sql\nBEGIN; SET LOCAL lock_timeout = '200ms';\n"
        "LOCK TABLE app_user; DROP VIEW app_user; ALTER TABLE users RENAME TO app_user;\n"
        "CREATE VIEW users AS SELECT id FROM app_user; GRANT SELECT ON users TO app; COMMIT;",
        "BEGIN; ALTER TABLE users ADD COLUMN a int; ALTER TABLE users ADD COLUMN b int; COMMIT;",
        "BEGIN; CREATE TABLE t (a int); ALTER TABLE users ADD COLUMN b int; COMMIT;",
        "BEGIN; ALTER TABLE users RENAME TO app_user; ALTER TABLE app_user ADD COLUMN a int;\n"
        "ALTER TABLE app_user RENAME TO users; ALTER TABLE users ADD COLUMN b int; COMMIT;",
        "BEGIN; SET LOCAL lock_timeout = '200ms'; LOCK TABLE users, orders;\n"
        "ALTER TABLE users ADD COLUMN a int; ALTER TABLE orders ADD COLUMN b int; COMMIT;",
    ),
    step=_check,
    verbs=LOCKING_VERBS,
    window=False,
)
