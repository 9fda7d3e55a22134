"""A CHECK refuses the column's own default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.definitions import allowed_values, check_expression
from runner.lint.model import Hit, Rule
from runner.lint.values import meets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Chain


def _check(chain: Chain) -> Iterator[Hit]:
    for table in chain.world.tables.values():
        for constraint in table.constraints if table.may_have("check") else ():
            if constraint.kind != "CHECK" or len(constraint.mentions) != 1:
                continue
            name = next(iter(constraint.mentions))
            column = table.columns.get(name)
            default = column.default if column else None
            values = allowed_values(constraint.step, name)
            expression = check_expression(constraint.step)
            if expression is None or default is None:
                continue
            if meets(expression, name, default) is False:
                yield Hit(
                    f"{table.name}.{name} has DEFAULT {default!r}, which {constraint.name} refuses:"
                    " every INSERT that leaves the column out fails",
                    step=constraint.step,
                    path=constraint.script.path,
                    names={
                        "table": table.name,
                        "check": constraint.name,
                        "column": name,
                        "value": suggest.literal(min(values, default="")),
                    },
                    instead=None if values else "-- a DEFAULT of {column} that {check} lets in",
                )


RULE = Rule(
    name="check-against-default",
    level="error",
    title="A CHECK refuses the column's own default",
    why="Converting the rows and adding the CHECK leaves the default as it was: 'active' where only"
    " 'ACTIVE' is let in.",
    instead="""ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {value};""",
    flagged=(
        "CREATE TABLE t (state text DEFAULT 'active');\n-- file: 0002_check.sql\n"
        "ALTER TABLE t ADD CONSTRAINT c CHECK (state IN ('ACTIVE', 'GONE')) NOT VALID;",
        "CREATE TABLE t (state text DEFAULT 'active');\n-- file: 0002_check.sql\n"
        "ALTER TABLE t ADD CONSTRAINT c CHECK (state = upper(state)) NOT VALID;",
    ),
    passed=(
        "CREATE TABLE t (state text DEFAULT 'ACTIVE');\n-- file: 0002_check.sql\n"
        "ALTER TABLE t ADD CONSTRAINT c CHECK (state IN ('ACTIVE', 'GONE')) NOT VALID;",
    ),
    chain=_check,
)
