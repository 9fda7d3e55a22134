"""VACUUM FULL and CLUSTER rewrite the table under lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    name = step.table or "every table"
    vacuum = suggest.fill("VACUUM (ANALYZE) {table}", {"table": step.table})
    names: dict[str, str] = {"vacuum": suggest.Sql(vacuum if step.table else "VACUUM (ANALYZE)")}
    if step.verb == "Cluster":
        yield Hit(f"CLUSTER writes {name} anew while nobody can read it", names=names)
    elif tree.option(step.node.options, "full") is not None:
        yield Hit(f"VACUUM FULL writes {name} anew while nobody can read it", names=names)


RULE = Rule(
    name="vacuum-full",
    level="error",
    title="VACUUM FULL and CLUSTER rewrite the table under lock",
    why="Both copy the table and build all its indexes under ACCESS EXCLUSIVE.",
    instead="""{vacuum};  -- gives space back to the table
-- to give it back to the disk without an outage: pg_repack""",
    flagged=("VACUUM FULL users;", "CLUSTER users USING users_pkey;"),
    passed=("-- transactional: false\nVACUUM (ANALYZE) users;",),
    step=_check,
    verbs=frozenset({"Vacuum", "Cluster"}),
    window=False,
    squawk=("prefer-repack",),
)
