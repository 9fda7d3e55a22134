"""PRIMARY KEY USING INDEX on a column that may be NULL reads the table under lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.definitions import contype
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    node = getattr(step.node, "def").constraint
    index = context.world.index(tree.beside(step.table, node.indexname))
    if contype(node) != "PRIMARY" or index is None:
        return
    table = context.world.table(step.table)
    for name in index.columns:
        column = table.columns.get(name)
        known = column is not None and (column.born is not None or table.known)
        if known and column and not column.not_null and not table.proves_not_null(name):
            yield Hit(
                f"{name} may be NULL: PRIMARY KEY sets NOT NULL and reads all of {step.table}"
                " under ACCESS EXCLUSIVE",
                names={
                    "column": name,
                    "check": suggest.made(step.table, name, "filled"),
                    "statement": suggest.alone(step),
                },
            )


RULE = Rule(
    name="primary-key-nullable",
    level="error",
    title="PRIMARY KEY USING INDEX on a column that may be NULL reads the table under lock",
    why="A primary key makes its columns NOT NULL. When they are not yet, PostgreSQL reads the"
    " whole table to be sure, under the strongest lock.",
    instead="""ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID;
-- in the next files, one after the other:
ALTER TABLE {table} VALIDATE CONSTRAINT {check};
ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;
ALTER TABLE {table} DROP CONSTRAINT {check};
{statement};""",
    flagged=(
        "CREATE TABLE t (id bigint);\n-- file: 0002_index.sql\n-- transactional: false\n"
        "CREATE UNIQUE INDEX CONCURRENTLY t_pkey ON t (id);\n-- file: 0003_key.sql\n"
        "ALTER TABLE t ADD CONSTRAINT t_pkey PRIMARY KEY USING INDEX t_pkey;",
    ),
    passed=(
        "CREATE TABLE t (id bigint NOT NULL);\n-- file: 0002_index.sql\n-- transactional: false\n"
        "CREATE UNIQUE INDEX CONCURRENTLY t_pkey ON t (id);\n-- file: 0003_key.sql\n"
        "ALTER TABLE t ADD CONSTRAINT t_pkey PRIMARY KEY USING INDEX t_pkey;",
    ),
    step=_check,
    verbs=frozenset({"AddConstraint"}),
    window=False,
)
