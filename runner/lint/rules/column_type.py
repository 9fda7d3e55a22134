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
            own = any(contype(tree.inner(k)) == "PRIMARY" for k in part.constraints)
            yield part, own or part.colname in keys


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if context.script.phase == "baseline":
        return  # It says what is there.
    for definition, is_key in _definitions(step):
        type_ = column_type(definition)
        base = tree.base_type(type_)
        offset = step.statement.place(definition.location)
        if base in _BETTER and type_ != "char(1)":
            better, reason = _BETTER[base]
            yield Hit(
                f"{definition.colname} {type_}: {reason}",
                offset=None if step.hidden else offset,
                names={"column": definition.colname, "type": suggest.Sql(better)},
            )
        references = any(contype(tree.inner(k)) == "FOREIGN" for k in definition.constraints)
        numbered = is_serial(definition)
        if is_key and numbered and not references and base in _SMALL_KEYS:
            yield Hit(
                f"{definition.colname} counts in {base}, which ends at {_SMALL_KEYS[base]}: then no"
                " row can be added, and widening rewrites the table",
                offset=None if step.hidden else offset,
                names={"column": definition.colname, "type": suggest.Sql("bigint")},
            )


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
