"""CASCADE drops or empties objects that the file does not name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


_RESTRICT = 1  # DROP_RESTRICT of parsenodes.h.


def _check(step: Step, context: Context) -> Iterator[Hit]:
    node = step.node
    if tree.enum_name(node, "behavior") != "DROP_CASCADE":
        return
    what = f"{step.table} {step.name}".strip()
    restricted = suggest.changed(node, behavior=_RESTRICT)
    names: dict[str, str] = {"statement": suggest.alone(step, restricted)}
    if step.verb == "Truncate":
        yield Hit(
            f"every table that references {step.table}, directly or not, is emptied, too",
            names=names,
        )
    else:
        yield Hit(
            f"whatever depends on {what} is dropped, too, and the file does not say what",
            names=names,
        )


RULE = Rule(
    name="drop-cascade",
    level="error",
    title="CASCADE drops or empties objects that the file does not name",
    why="What depends on an object is different in each database, and a reviewer cannot see it:"
    " views and foreign keys vanish, or other tables lose their rows.",
    instead="""-- without CASCADE PostgreSQL lists what depends on it: first drop that, by name
{statement};""",
    flagged=(
        "DROP TYPE mood CASCADE;",
        "ALTER TABLE users DROP COLUMN mail CASCADE;",
        "TRUNCATE users CASCADE;",
    ),
    passed=("DROP VIEW active_users;",),
    step=_check,
    verbs=frozenset({"Drop", "DropColumn", "DropConstraint", "Truncate", "DropOwned"}),
    squawk=("ban-truncate-cascade",),
)
