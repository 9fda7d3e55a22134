"""A foreign key of another type than its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Chain


def _check(chain: Chain) -> Iterator[Hit]:
    world = chain.world
    for table, key in world.foreign_keys():
        parent, columns = key.references
        if parent not in world.tables:
            continue
        for own, other in zip(key.columns, columns or world.primary_key(parent), strict=False):
            mine = table.columns.get(own)
            theirs = world.tables[parent].columns.get(other)
            if mine is None or theirs is None or not mine.type or not theirs.type:
                continue
            if mine.converted or theirs.converted:
                continue  # key-type-without-references has looked at it.
            if tree.base_type(mine.type) != tree.base_type(theirs.type):
                yield Hit(
                    f"{own} is {mine.type} and {parent}.{other} is {theirs.type}: each check casts,"
                    " and the smaller type overflows first",
                    step=key.step,
                    path=key.script.path,
                    names={"table": table.name, "column": own, "type": suggest.Sql(theirs.type)},
                )


RULE = Rule(
    name="foreign-key-types-differ",
    level="warning",
    title="A foreign key of another type than its key",
    why="integer against bigint works until the key passes 2,147,483,647: then no child can be"
    " written.",
    instead="""-- in the definition of {table}, the type of the key: {column} {type}""",
    flagged=("CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a);",),
    passed=("CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE b (a_id bigint REFERENCES a);",),
    chain=_check,
)
