"""A column type that is regretted later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.definitions import column_type, contype, is_serial
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


def _definitions(step: Step) -> Iterator[tuple[Node, bool]]:
    """The columns that a step defines, and whether each is the primary key."""
    if step.verb == "AddColumn":
        yield getattr(step.node, "def").column_def, False
        return
    parts = [tree.inner(item) for item in step.node.table_elts]
    keys: set[str] = set()
    for part in parts:
        if tree.kind(part) == "Constraint" and contype(part) == "PRIMARY" and len(part.keys) == 1:
            keys |= set(tree.strings(part.keys))
    for part in parts:
        if tree.kind(part) == "ColumnDef":
            yield part, part.colname in keys or _is(part, "PRIMARY")


def _is(definition: Node, kind: str) -> bool:
    return any(contype(item.constraint) == kind for item in definition.constraints)


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if context.script.phase == "baseline":
        return  # It says what is there.
    for definition, is_key in _definitions(step):
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
        if not is_key or base not in _SMALL_KEYS or _is(definition, "FOREIGN"):
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
