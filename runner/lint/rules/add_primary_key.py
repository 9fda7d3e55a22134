"""ADD PRIMARY KEY or UNIQUE without USING INDEX builds an index under lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.definitions import contype
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "AddColumn":
        parts = [tree.inner(i) for i in getattr(step.node, "def").column_def.constraints]
        found = next((contype(p) for p in parts if contype(p) in ("PRIMARY", "UNIQUE")), "")
        columns = step.name
    else:
        node = getattr(step.node, "def").constraint
        found = contype(node) if contype(node) in ("PRIMARY", "UNIQUE") else ""
        if node.indexname:
            return
        columns = ", ".join(tree.strings(node.keys))
    if found:
        kind = {"PRIMARY": "PRIMARY KEY", "UNIQUE": "UNIQUE"}[found]
        yield Hit(
            f"{kind} builds its index while {step.table} is locked against reads and writes",
            names={"columns": columns, "kind": kind, "name": _name(step, found)},
        )


def _name(step: Step, kind: str) -> str:
    ending = "pkey" if kind == "PRIMARY" else "key"
    return step.name if step.verb == "AddConstraint" and step.name else f"{step.table}_{ending}"


RULE = Rule(
    name="add-primary-key",
    level="error",
    title="ADD PRIMARY KEY or UNIQUE without USING INDEX builds an index under lock",
    why="The index is built under ACCESS EXCLUSIVE. Built before, CONCURRENTLY, it is only"
    " given its new role.",
    instead="""-- in a file of its own, outside a transaction
CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({columns});
-- in the next
ALTER TABLE {table} ADD CONSTRAINT {name} {kind} USING INDEX {name};""",
    flagged=(
        "ALTER TABLE users ADD PRIMARY KEY (id);",
        "ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);",
        "ALTER TABLE users ADD COLUMN email text UNIQUE;",
    ),
    passed=(
        "ALTER TABLE users ADD CONSTRAINT k UNIQUE USING INDEX users_email_idx;",
        "CREATE TABLE t (id bigint); ALTER TABLE t ADD PRIMARY KEY (id);",
    ),
    step=_check,
    verbs=frozenset({"AddConstraint", "AddColumn"}),
    window=False,
    squawk=("disallowed-unique-constraint",),
)
