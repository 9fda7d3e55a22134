"""The rollback leaves something behind, or drops what is not its own."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.model import Hit, Rule
from runner.lint.tree import TableKey
from runner.lint.work import former_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.layouts import Script
    from runner.lint.steps import Step

_WORD = re.compile(r"\w+")
_SHORT = 5_000  # characters of a text that is searched faster than taken apart
_IN_ROLLBACK = "-- in the rollback: "
# What a file makes, and what its rollback is to say.
_MADE = {
    "Create": ("table", "DROP TABLE {name};"),
    "View": ("view", "DROP VIEW {name};"),
    "AddColumn": ("column", "ALTER TABLE {table} DROP COLUMN {name};"),
    "AddConstraint": ("constraint", "ALTER TABLE {table} DROP CONSTRAINT {name};"),
    "Index": ("index", "DROP INDEX {name};"),
    "CreateTrig": ("trigger", "DROP TRIGGER {name} ON {table};"),
    "CreateEnum": ("type", "DROP TYPE {name};"),
}


def _check(context: Context) -> Iterator[Hit]:
    up, down = context.script, context.pair.down
    if down is None or not down.steps:
        return
    text = down.text.lower()
    yield from _unrelated(up, down)
    dropped = {s.table for s in down.steps if s.verb == "Drop"}
    gone = {s.table for s in up.steps if s.verb == "Drop"}
    names = {former_name(table, context) for table in dropped} | dropped
    cascades = "cascade" in text
    yield from _data_left(up, context, text)
    for step in up.steps:
        made = _MADE.get(step.verb)
        if made is None or step.hidden or cascades:
            continue
        if step.verb == "View" and step.node.replace:
            continue
        name = tree.bare(step.name or step.table)
        if not name or step.table in names or step.table in gone or _speaks_of(text, name.lower()):
            continue
        if _taken_back(step, up):
            continue
        if step.verb == "AddConstraint" and _goes_with_column(step, text):
            continue
        kind, dropped_by = made
        yield Hit(
            f"the rollback does not mention {kind} {name}, which this creates",
            step=step,
            names={"name": _with_schema(step)},
            instead=_IN_ROLLBACK + dropped_by,
        )


def _with_schema(step: Step) -> str:
    """The name of what a step makes; an index stands in the schema of its table."""
    if step.verb == "Index" and isinstance(step.table, TableKey):
        return TableKey(step.table.schema, step.name)
    return step.name or step.table


@lru_cache(4)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text))


def _speaks_of(text: str, name: str) -> bool:
    """Whether a name stands in a text as a word of its own."""
    if name not in text:
        return False
    if len(text) < _SHORT and name.isidentifier():
        return _is_word(text, name)
    if name in _words(text):
        return True
    return not name.isidentifier() and name.replace('"', '""') in text


def _is_word(text: str, name: str) -> bool:
    start = text.find(name)
    while start >= 0:
        end = start + len(name)
        around = text[start - 1 : start] + text[end : end + 1]
        if not around or _WORD.search(around) is None:
            return True
        start = text.find(name, start + 1)
    return False


def _unrelated(up: Script, down: Script) -> Iterator[Hit]:
    """What the rollback drops and the file never spoke of."""
    text = up.text.lower()
    for step in down.steps:
        if step.verb == "DropColumn":
            name, what = step.name, "column"
        elif step.verb == "Drop" and step.target == "TABLE":
            name, what = tree.bare(step.table), "table"
        else:
            continue
        if _speaks_of(text, name.lower()):
            continue
        if len(re.findall(rf"\b{re.escape(name)}\b", down.text, re.IGNORECASE)) == 1:
            yield Hit(
                f"the rollback drops {what} {name}, which this file does not speak of:"
                " what it holds is lost",
                instead=f"-- DROP {what.upper()} in the rollback of the file that creates it",
            )


def _data_left(up: Script, context: Context, text: str) -> Iterator[Hit]:
    """Values that the file replaces and the rollback does not speak of."""
    for step in up.steps:
        if step.verb != "Update" or step.hidden or context.is_new(step.table):
            continue
        columns = [tree.inner(target).name for target in step.node.target_list]
        if not any(_speaks_of(text, column.lower()) for column in columns):
            yield Hit(
                f"the rollback leaves {', '.join(columns)} of {step.table} as this UPDATE sets it",
                step=step,
                names={"column": columns[0]},
            )


def _taken_back(step: Step, up: Script) -> bool:
    """Whether the file itself removes what it made, such as the CHECK before SET NOT NULL."""
    after = up.steps[up.steps.index(step) + 1 :]
    return any(
        (other.verb == "Drop" and step.verb == "Index" and other.name.endswith(step.name))
        or (
            other.verb in ("DropConstraint", "DropColumn", "Drop")
            and (other.table, other.name) == (step.table, step.name)
        )
        for other in after
    )


def _goes_with_column(step: Step, text: str) -> bool:
    """A constraint goes with its column."""
    node = getattr(step.node, "def").constraint
    columns = set(tree.strings(node.fk_attrs)) | set(tree.strings(node.keys))
    columns |= tree.columns_of(node.raw_expr) if node.HasField("raw_expr") else frozenset()
    return any(
        re.search(rf"\bdrop column (?:if exists )?\"?{re.escape(c)}\b", text) for c in columns
    )


RULE = Rule(
    name="rollback-incomplete",
    level="warning",
    title="The rollback leaves something behind, or drops what is not its own",
    why="What stays behind makes the next apply fail (it exists) or keeps its lock and its"
    " cost. The names are compared; `trueup lint --trace` applies and rolls back on a server"
    " of its own and compares the schemas.",
    instead=_IN_ROLLBACK + "an UPDATE that puts {column} of {table} back as it was",
    flagged=(
        "-- migrate:up\nUPDATE a SET state = 'NEW' WHERE id = 1;\n-- migrate:down\nSELECT 1;",
        "-- migrate:up\nCREATE TABLE a (n int);\n-- migrate:down\n"
        "DROP TABLE a;\nDROP TABLE customers;",
        "-- migrate:up\nCREATE TABLE a (n int);\nCREATE TABLE b (n int);\n"
        "-- migrate:down\nDROP TABLE a;",
    ),
    passed=(
        "-- migrate:up\nALTER TABLE a RENAME TO b;\n-- migrate:down\nALTER TABLE b RENAME TO a;",
        "-- migrate:up\nCREATE TABLE a (n int);\nCREATE INDEX i ON a (n);\n"
        "-- migrate:down\nDROP TABLE a;",
    ),
    script=_check,
)
