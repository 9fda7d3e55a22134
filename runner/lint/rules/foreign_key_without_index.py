"""A foreign key without an index on its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Chain


def _check(chain: Chain) -> Iterator[Hit]:
    world = chain.world
    for table, key in world.foreign_keys():
        if not all(c in table.columns for c in key.columns):
            continue
        if not table.known and not all(table.columns[c].born for c in key.columns):
            continue  # An index may have been there before the chain.
        if world.index_covers(table.name, key.columns):
            continue
        columns = ", ".join(key.columns)
        yield Hit(
            f"no index of {table.name} begins with {columns}: each DELETE or key change in"
            f" {key.references[0]} reads all of {table.name}",
            step=key.step,
            path=key.script.path,
            names={
                "table": table.name,
                "columns": suggest.listed(key.columns),
                "index": suggest.made(table.name, *key.columns, "idx"),
            },
        )


RULE = Rule(
    name="foreign-key-without-index",
    level="warning",
    title="A foreign key without an index on its columns",
    why="PostgreSQL indexes the referenced side only. Deleting a parent then reads the whole"
    " child table, with row locks held.",
    instead="""-- in a file of its own, outside a transaction
CREATE INDEX CONCURRENTLY {index} ON {table} ({columns});""",
    flagged=(
        "CREATE TABLE o (id bigint PRIMARY KEY, user_id bigint REFERENCES users (id));",
        "ALTER TABLE o ADD COLUMN user_id bigint REFERENCES users (id);",
    ),
    passed=(
        "CREATE TABLE o (id bigint PRIMARY KEY, user_id bigint REFERENCES users (id));"
        " CREATE INDEX o_user_id_idx ON o (user_id);",
        "CREATE TABLE p (user_id bigint PRIMARY KEY REFERENCES users (id));",
    ),
    chain=_check,
)
