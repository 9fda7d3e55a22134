"""ADD PRIMARY KEY or UNIQUE without USING INDEX builds an index under lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import parser, suggest, tree
from runner.lint.definitions import contype
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.tree import Node


def _check(step: Step, context: Context) -> Iterator[Hit]:
    definition = getattr(step.node, "def")
    parts = [definition.constraint]
    if step.verb == "AddColumn":
        parts = [tree.inner(item) for item in definition.column_def.constraints]
    node = next((part for part in parts if contype(part) in ("PRIMARY", "UNIQUE")), None)
    if node is not None and node.indexname:
        yield from _unfit(step, node.indexname, context)
        return
    if node is None:
        return
    kind = {"PRIMARY": "PRIMARY KEY", "UNIQUE": "UNIQUE"}[contype(node)]
    columns = tree.strings(node.keys) or (step.name,)
    name = node.conname or (
        suggest.made(step.table, "pkey")
        if contype(node) == "PRIMARY"
        else suggest.made(step.table, *columns, "key")
    )
    first = ""
    if step.verb == "AddColumn":
        first = "ALTER TABLE {table} ADD COLUMN {definition};\n"
    yield Hit(
        f"{kind} builds its index while {step.table} is locked against reads and writes",
        names={
            "index": _index(step, node, name, columns),
            "constraint": suggest.definition(
                node, conname=name, indexname=name, **dict.fromkeys(_OF_THE_INDEX)
            ),
            "definition": suggest.column_without(definition.column_def, "PRIMARY", "UNIQUE")
            if first
            else suggest.Sql(),
        },
        instead=first + RULE.instead,
    )


def _unfit(step: Step, name: str, context: Context) -> Iterator[Hit]:
    """An index of the chain from which PostgreSQL makes no constraint."""
    index = context.world.index(tree.beside(step.table, name))
    if index is None or index.table != step.table:
        return
    reason = (
        "is not unique"
        if not index.unique
        else "is partial"
        if index.partial
        else "has an expression"
        if "" in index.columns
        else ""
    )
    if reason:
        yield Hit(
            f"{name} {reason}: PostgreSQL makes no constraint of it",
            instead="-- the index alone keeps values apart; a constraint needs a unique one over"
            " plain columns and all rows",
        )


_OF_THE_INDEX = ("keys", "including", "options", "indexspace", "nulls_not_distinct")


def _index(step: Step, node: Node, name: str, columns: Sequence[str]) -> suggest.Sql:
    """The statement that builds the constraint's index."""
    index = parser.parse("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)")[0][0]
    return suggest.statement(
        index,
        idxname=name,
        relation=suggest.range_var(step.table),
        index_params=[suggest.index_element(column) for column in columns],
        index_including_params=[suggest.index_element(c) for c in tree.strings(node.including)],
        options=list(map(tree.inner, node.options)),
        table_space=node.indexspace,
        nulls_not_distinct=node.nulls_not_distinct,
    )


RULE = Rule(
    name="add-primary-key",
    level="error",
    title="ADD PRIMARY KEY or UNIQUE without USING INDEX builds an index under lock",
    why="The index is built under ACCESS EXCLUSIVE. Built before, CONCURRENTLY, it is only"
    " given its new role.",
    instead="""-- in a file of its own, outside a transaction
{index};
-- in the next
ALTER TABLE {table} ADD {constraint};""",
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
