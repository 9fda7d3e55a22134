"""ATTACH PARTITION without a CHECK reads the partition under lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    part = tree.relation(getattr(step.node, "def").partition_cmd.name)
    if context.is_new(part):
        return
    checks = context.world.table(part).constraints
    if any(k.kind == "CHECK" and k.validated for k in checks):
        return
    yield Hit(
        f"no validated CHECK shows that the rows of {part} fit: it is read from start to end under"
        " ACCESS EXCLUSIVE",
        names={"part": part},
    )


RULE = Rule(
    name="attach-partition",
    level="error",
    title="ATTACH PARTITION without a CHECK reads the partition under lock",
    why="PostgreSQL must know that each row fits the bounds. A validated CHECK that says so"
    " spares the scan.",
    instead="""ALTER TABLE {part} ADD CONSTRAINT {part}_bounds
    CHECK (at >= '...' AND at < '...') NOT VALID;
-- next file:
ALTER TABLE {part} VALIDATE CONSTRAINT {part}_bounds;
-- next file:
ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES FROM ('...') TO ('...');""",
    flagged=("ALTER TABLE m ATTACH PARTITION m_2024 FOR VALUES FROM (1) TO (2);",),
    passed=(
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
