"""A column type that is regretted later."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.definitions import Part, column_type, is_serial, parts
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.tree import Node

_BETTER = {
    "timestamp": (
        "timestamptz",
        "it holds no time zone: the same moment reads differently elsewhere",
    ),
    "char": ("text", "it is filled up with blanks, which comparisons and lengths meet"),
    "json": ("jsonb", "it cannot be compared: DISTINCT, GROUP BY and UNION over it fail"),
    "money": ("numeric", "it changes with lc_monetary"),
    "time with time zone": ("timestamptz", "an offset without a date means nothing"),
}
_SMALL_KEYS = {"integer": "2,147,483,647", "smallint": "32,767"}
# As the parser writes them: most columns are of none of these.
_LOOKED_AT = frozenset(
    "timestamp bpchar json money timetz int4 int2 serial serial4 serial2 smallserial".split()
)


# Their words in a text, and those of numbers, which are looked at where they count by themselves.
_WORDS = re.compile(
    r"\b(?:timestamp|char|character|bpchar|nchar|json|money|timetz|time|serial[24]?|smallserial)\b"
    r'|u&"'
)
_NUMBERS = re.compile(r"\b(?:smallint|int(?:eger|[24])?)\b")


@lru_cache
def _may_have(text: str) -> bool:
    """Whether a text has a word of such a type: most have none."""
    counts = text.rfind("identity")
    if counts > 0 and _NUMBERS.search(text, 0, counts):
        return True
    return _WORDS.search(text) is not None


def _definitions(step: Step) -> Iterator[tuple[Part, bool]]:
    """The columns that a step defines, and whether each is the primary key."""
    all_parts = parts(step)
    keys: set[str] = set()
    for part in all_parts if step.verb == "Create" else ():
        if not part.name and part.constraints[0][0] == "PRIMARY" and len(part.node.keys) == 1:
            keys |= set(tree.strings(part.node.keys))
    for part in all_parts:
        if part.name:
            is_key = part.name in keys or _is(part, "PRIMARY")
            yield part, step.verb == "Create" and is_key


def _is(part: Part, kind: str) -> bool:
    return any(of == kind for of, _ in part.constraints)


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if context.script.phase == "baseline" or not (step.hidden or _may_have(step.statement.lowered)):
        return  # A baseline says what is there.
    for part, is_key in _definitions(step):
        definition = part.node
        if definition.type_name.names[-1].string.sval not in _LOOKED_AT:
            continue
        type_ = column_type(definition)
        base = tree.base_type(type_)
        if base in _BETTER and type_ != "char(1)":
            better, reason = _BETTER[base]
            yield Hit(
                f"{definition.colname} {type_}: {reason}",
                offset=_place(step, definition),
                names={"column": definition.colname, "type": suggest.Sql(better)},
            )
        if not is_key or base not in _SMALL_KEYS or _is(part, "FOREIGN"):
            continue
        if is_serial(definition):
            yield Hit(
                f"{definition.colname} counts in {base}, which ends at {_SMALL_KEYS[base]}: then no"
                " row can be added, and widening rewrites the table",
                offset=_place(step, definition),
                names={"column": definition.colname, "type": suggest.Sql("bigint")},
            )


def _place(step: Step, definition: Node) -> int | None:
    return None if step.hidden else step.statement.place(definition.location)


RULE = Rule(
    name="column-type",
    level="style",
    title="A column type that is regretted later",
    why="Changing a type later rewrites the table, or takes a migration in several releases.",
    instead="""-- in the column's definition: {column} {type}""",
    flagged=(
        "CREATE TABLE t (at timestamp);",
        "CREATE TABLE t (code char(8));",
        "CREATE TABLE t (id serial PRIMARY KEY);",
    ),
    passed=(
        "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz);",
        "CREATE TABLE t (id text PRIMARY KEY, n int);",
    ),
    step=_check,
    verbs=frozenset({"Create", "AddColumn"}),
    new_tables=True,
    squawk=(
        "prefer-bigint-over-int",
        "prefer-bigint-over-smallint",
        "prefer-timestamp-tz",
        "ban-char-field",
        "prefer-text-field",
        "prefer-identity",
    ),
)
