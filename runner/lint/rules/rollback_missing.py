"""The rollback is missing or empty."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.layouts import UNDO_OPTIONAL
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context

_DOES_NOTHING = re.compile(r"--\s*(?:no-op|irreversible|no rollback)\b", re.IGNORECASE)


def _check(context: Context) -> Iterator[Hit]:
    script, down = context.script, context.pair.down
    if script.layout in UNDO_OPTIONAL or not script.steps:
        return
    if down is None:
        yield Hit("there is no rollback: when the file fails the service, nothing brings it back")
    elif not down.steps and not _DOES_NOTHING.search(
        down.text if down.path == script.path else down.content
    ):
        yield Hit(
            "the rollback does nothing and does not say why: it is recorded as undone with"
            " everything still there",
            path=down.path if down.path == script.path else None,
        )


RULE = Rule(
    name="rollback-missing",
    level="warning",
    title="The rollback is missing or empty",
    why="yoyo and dbmate then record the migration as rolled back and leave the schema as it"
    " is: the next apply runs it on top of itself.",
    instead="""-- write the reverse of each statement, last one first;
-- or, when there is nothing to undo, say so in the rollback:
-- no-op: the file changed nothing""",
    flagged=(
        "-- depends: 0000_base\nCREATE TABLE t (a int);",
        "-- migrate:up\nCREATE TABLE t (a int);\n-- migrate:down\n",
    ),
    passed=(
        "-- migrate:up\nCREATE TABLE t (a int);\n-- migrate:down\nDROP TABLE t;",
        "-- depends: 0000_base\nCREATE TABLE t (a int);\n-- file: 0001_example.rollback.sql\n"
        "DROP TABLE t;",
    ),
    script=_check,
)
