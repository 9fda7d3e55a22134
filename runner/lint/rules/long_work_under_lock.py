"""Long work after a strong lock in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule
from runner.lint.work import LONG_VERBS, is_long, locks_held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "Do":
        return
    held = next((s for s in locks_held(context, "ACCESS EXCLUSIVE")), None)
    if held is not None and is_long(step, context):
        work = "the file sleeps" if step.verb == "Select" else f"{step.table} is worked through"
        yield Hit(
            f"{held.table} has been locked by ACCESS EXCLUSIVE since a statement above, and stays"
            f" locked while {work}",
            names={"locked": held.table},
        )


RULE = Rule(
    name="long-work-under-lock",
    level="error",
    title="Long work after a strong lock in the same transaction",
    why="A lock that ALTER TABLE takes for a millisecond is kept until COMMIT. What follows in"
    " the same transaction, a backfill or an index, makes an outage of it.",
    instead="""-- one file that changes {locked}, and one, applied after it, that does the work""",
    flagged=(
        "BEGIN; ALTER TABLE users ADD COLUMN a int; UPDATE users SET a = 1; COMMIT;",
        "-- migrate:up\nALTER TABLE users ADD COLUMN a int;\n"
        "INSERT INTO archived SELECT * FROM users;\n-- migrate:down\n",
        "BEGIN; LOCK TABLE users; REFRESH MATERIALIZED VIEW totals; COMMIT;",
        "BEGIN; ALTER TABLE users ADD COLUMN a int; SELECT PG_SLEEP(5); COMMIT;",
    ),
    passed=(
        "BEGIN; ALTER TABLE users ADD COLUMN a int; COMMIT;",
        "BEGIN; ALTER TABLE users ADD COLUMN a int; INSERT INTO kinds VALUES (1); COMMIT;",
        "BEGIN; LOCK TABLE users; CREATE MATERIALIZED VIEW totals AS SELECT sum(n) FROM users"
        " WITH NO DATA; COMMIT;",
    ),
    step=_check,
    verbs=LONG_VERBS,
    new_tables=True,
    window=False,
)
