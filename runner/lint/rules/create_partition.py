"""A partition is created under the lock of its parent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    node = step.node
    if not node.HasField("partbound") or not node.inh_relations:
        return
    parent = tree.relation(tree.inner(node.inh_relations[0]))
    if context.is_new(parent):
        return
    rest = context.world.is_read_for(parent)
    if rest and not node.partbound.is_default and not context.is_new(rest):
        yield Hit(
            f"all rows of {rest} are read under ACCESS EXCLUSIVE, as one may belong to the new"
            " partition",
            level="error",
            names={"rest": rest, "check": suggest.made(rest, "rest")},
            instead=suggest.REST_IS_READ,
        )
        return
    if context.lock_timeout > 0:
        return
    yield Hit(
        f"CREATE TABLE ... PARTITION OF takes ACCESS EXCLUSIVE on {parent}, and nothing limits how"
        " long it is waited for",
        names={"parent": parent, "bound": suggest.bound(node.partbound)},
    )


RULE = Rule(
    name="create-partition",
    level="warning",
    title="A partition is created under the lock of its parent",
    why="PARTITION OF locks the whole partitioned table against reads. A table that is made"
    " alone and then attached needs only a lock that lets reads and writes go on.",
    instead="""CREATE TABLE {table} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE {parent} ATTACH PARTITION {table} {bound};""",
    flagged=(
        "CREATE TABLE m_2030 PARTITION OF m FOR VALUES FROM (1) TO (2);",
        "CREATE TABLE m (n int) PARTITION BY RANGE (n);\n"
        "CREATE TABLE m_rest PARTITION OF m DEFAULT;\n"
        "ALTER TABLE m_rest ADD CONSTRAINT m_rest_rest CHECK (n < 1) NOT VALID;\n"
        "-- file: 0002_b.sql\nSET lock_timeout = '1s';\n"
        "CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (2);",
    ),
    passed=(
        "CREATE TABLE m (n int) PARTITION BY RANGE (n);\n"
        "CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (2);",
        "CREATE TABLE m (n int) PARTITION BY RANGE (n);\n"
        "CREATE TABLE m_rest PARTITION OF m DEFAULT;\n"
        "ALTER TABLE m_rest ADD CONSTRAINT m_rest_rest CHECK (n IS NOT NULL AND n < 1);\n"
        "-- file: 0002_b.sql\nSET lock_timeout = '1s';\n"
        "CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (2);",
    ),
    step=_check,
    verbs=frozenset({"Create"}),
    window=False,
)
