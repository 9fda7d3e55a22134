"""ATTACH PARTITION without a CHECK reads the partition under lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.tree import Node


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.target == "INDEX":
        return
    command = getattr(step.node, "def").partition_cmd
    part = tree.relation(command.name)
    if context.is_new(part):
        return
    checks = context.world.table(part).constraints
    rest = context.world.is_read_for(step.table)
    if rest and rest != part and not context.is_new(rest):
        yield Hit(
            f"all rows of {rest} are read under ACCESS EXCLUSIVE on it: one may belong to {part}",
            names={"rest": rest, "check": suggest.made(rest, "rest")},
            instead=suggest.REST_IS_READ,
        )
    if any(k.kind == "CHECK" and k.validated for k in checks):
        return
    bounds = _bounds(command.bound, context.world.table(step.table).partition_key)
    yield Hit(
        f"no validated CHECK shows that the rows of {part} fit: it is read from start to end under"
        " ACCESS EXCLUSIVE",
        names={
            "part": part,
            "check": suggest.made(part, "bounds"),
            "attach": suggest.alone(step),
            "bounds": bounds,
        },
        instead=None if bounds else _UNKNOWN,
    )


_UNKNOWN = """-- before it, a CHECK on {part} of the bounds: NOT VALID, then validated
{attach};"""


def _bounds(bound: Node, key: tuple[str, ...]) -> suggest.Sql:
    """A CHECK's expression that says the bounds; empty where the chain does not show the key."""
    if len(key) != 1 or bound.is_default or bound.strategy == "h":
        return suggest.Sql()
    column = f"{suggest.Identifier(key[0])}"
    if bound.strategy == "l":
        values = ", ".join(suggest.expression(item) for item in bound.listdatums)
        return suggest.Sql(f"{column} IS NOT NULL AND {column} IN ({values})")
    tests = [f"{column} IS NOT NULL"]
    for items, operator in ((bound.lowerdatums, ">="), (bound.upperdatums, "<")):
        value = suggest.expression(items[0])
        if value.lower() not in ("minvalue", "maxvalue"):
            tests.append(f"{column} {operator} {value}")
    return suggest.Sql(" AND ".join(tests))


RULE = Rule(
    name="attach-partition",
    level="error",
    title="ATTACH PARTITION without a CHECK reads the partition under lock",
    why="PostgreSQL must know that each row fits the bounds. A validated CHECK that says so"
    " spares the scan.",
    instead="""ALTER TABLE {part} ADD CONSTRAINT {check} CHECK ({bounds}) NOT VALID;
-- in the next file
ALTER TABLE {part} VALIDATE CONSTRAINT {check};
-- in the next file
{attach};""",
    flagged=("ALTER TABLE m ATTACH PARTITION m_2024 FOR VALUES FROM (1) TO (2);",),
    passed=(
        "ALTER INDEX m_at ATTACH PARTITION m_2024_at;",
        "CREATE TABLE m_2024 (LIKE m);\n"
        "ALTER TABLE m ATTACH PARTITION m_2024 FOR VALUES FROM (1) TO (2);",
        "ALTER TABLE m_2024 ADD CONSTRAINT b CHECK (n >= 1 AND n < 2) NOT VALID;\n"
        "-- file: 0002_validate.sql\nALTER TABLE m_2024 VALIDATE CONSTRAINT b;\n"
        "-- file: 0003_attach.sql\n"
        "ALTER TABLE m ATTACH PARTITION m_2024 FOR VALUES FROM (1) TO (2);",
    ),
    step=_check,
    verbs=frozenset({"AttachPartition"}),
    window=False,
)
