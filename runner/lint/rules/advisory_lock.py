"""An advisory lock of the session, which outlives the migration behind a pooler."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint import parser, tree
from runner.lint.blocks import block_text
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_OF_SESSION = frozenset(
    """
    pg_advisory_lock pg_advisory_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
    """.split()
)
_NAMES = re.compile("|".join(sorted(_OF_SESSION)), re.IGNORECASE)
_CALLS = parser.calls_in(_OF_SESSION)
_UNLOCK = re.compile("pg_advisory_unlock", re.IGNORECASE)


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "Do":
        call = _CALLS.search(block_text(step.node))
        names = [call[1].lower()] if call else []
    elif step.hidden and tree.kind(step.statement.node) == "DoStmt":
        return  # Told of the block.
    else:
        names = [name for name in step.calls(_NAMES) if name in _OF_SESSION]
    if not names:
        return
    name = names[0]
    if _UNLOCK.search(context.script.text) is None:
        yield Hit(
            f"{name}() locks for the session, and nothing in this file unlocks: behind a pooler the"
            " session goes on with the lock, and the next run waits for it"
        )
    elif not context.transaction.single:
        yield Hit(
            f"{name}() locks for the session: a file that fails before it unlocks is rolled back,"
            " and the lock is not"
        )


RULE = Rule(
    name="advisory-lock",
    level="warning",
    title="An advisory lock of the session outlives the migration",
    why="PostgreSQL gives such a lock up at the unlock or with the connection; no rollback does."
    " A pooler keeps the connection, and PgBouncer in transaction mode may send the unlock"
    " to another one. One of the transaction ends with it, however it ends.",
    instead="""-- with the same key, in the transaction that needs it
SELECT pg_advisory_xact_lock(42);""",
    flagged=(
        "SELECT pg_advisory_lock(42);\nALTER TABLE users ADD COLUMN age int;",
        "BEGIN;\nSELECT pg_try_advisory_lock(42);\nALTER TABLE users ADD COLUMN age int;\n"
        "SELECT pg_advisory_unlock(42);\nCOMMIT;",
        "DO $$ BEGIN PERFORM pg_catalog.pg_advisory_lock(hashtext('a')); END $$;",
        "DO $$ BEGIN IF NOT pg_try_advisory_lock(42) THEN RAISE 'busy'; END IF; END $$;",
    ),
    passed=(
        "SELECT pg_advisory_xact_lock(42);\nALTER TABLE users ADD COLUMN age int;",
        "SELECT pg_advisory_lock(42);\nCREATE INDEX CONCURRENTLY i ON users (age);\n"
        "SELECT pg_advisory_unlock(42);",
    ),
    step=_check,
    verbs=frozenset({"Select", "Do"}),
    new_tables=True,
    rollback=True,
)
