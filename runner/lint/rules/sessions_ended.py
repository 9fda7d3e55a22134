"""The sessions of others are ended or the server is told to do something."""

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

_DOES = {
    "pg_terminate_backend": "ends sessions of clients: what they were doing fails",
    "pg_cancel_backend": "ends the queries of clients: they fail",
    "pg_reload_conf": "makes the whole server read its configuration again",
    "pg_promote": "makes a standby the primary",
    "pg_stat_reset": "zeroes the counters that autovacuum and people decide by",
    "pg_drop_replication_slot": "makes a subscriber or standby start from nothing",
}
_NAMES = re.compile("|".join(_DOES), re.IGNORECASE)
_CALLS = parser.calls_in(_DOES)


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "Do":
        call = _CALLS.search(block_text(step.node))
        names = [call[1].lower()] if call else []
    elif (
        step.hidden
        and tree.kind(step.statement.node) == "DoStmt"
        and _CALLS.search(step.statement.text)
    ):
        return  # Told of the block.
    else:
        names = [name for name in step.calls(_NAMES) if name in _DOES]
    if names:
        yield Hit(f"{names[0]}() {_DOES[names[0]]}")


RULE = Rule(
    name="sessions-ended",
    level="error",
    title="A migration ends the sessions of others, or commands the server",
    why="A migration that cannot have its lock gives up and is run again; whom to end is for the"
    " person at the server, who sees what the session does.",
    instead="""-- who is in the way, while it waits: pg_blocking_pids() of its session""",
    flagged=(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app';",
        "SELECT pg_reload_conf();",
        'SELECT U&"pg_reload\\005Fconf"();',
        "DO $$ BEGIN EXECUTE 'SELECT pg_reload' || '_conf()'; END $$;",
        'DELETE FROM t WHERE pg_catalog."pg_terminate_backend"/* */(pid);',
    ),
    passed=("SELECT pid FROM pg_stat_activity;",),
    step=_check,
    verbs=frozenset({"Select", "Do", "Insert", "Update", "Delete", "CreateTableAs"}),
    new_tables=True,
    rollback=True,
)
