"""LOGGED, UNLOGGED, TABLESPACE or ACCESS METHOD rewrites the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_WHAT = {
    "SetLogged": "SET LOGGED",
    "SetUnLogged": "SET UNLOGGED",
    "SetTableSpace": "SET TABLESPACE",
    "SetAccessMethod": "SET ACCESS METHOD",
}


def _check(step: Step, context: Context) -> Iterator[Hit]:
    what = _WHAT.get(step.verb, "SET TABLESPACE")
    name = step.table or "every table there"
    lost = "; after a crash an unlogged table is empty" if step.verb == "SetUnLogged" else ""
    yield Hit(f"{what} writes {name} anew while nobody can read it{lost}")


RULE = Rule(
    name="rewrite-storage",
    level="error",
    title="LOGGED, UNLOGGED, TABLESPACE or ACCESS METHOD rewrites the table",
    why="The whole table and its indexes are copied under ACCESS EXCLUSIVE. UNLOGGED also takes"
    " the table out of replication, and a crash empties it.",
    instead="""-- copy it online with pg_repack,
-- or make a new table there, keep both in step by a trigger, fill it in batches, and swap""",
    flagged=("ALTER TABLE users SET UNLOGGED;", "ALTER TABLE users SET TABLESPACE fast;"),
    passed=("ALTER TABLE users SET (fillfactor = 90);",),
    step=_check,
    verbs=frozenset({*_WHAT, "AlterTableMoveAll"}),
    window=False,
)
