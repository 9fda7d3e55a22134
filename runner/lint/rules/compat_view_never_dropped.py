"""A compat view that no file drops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Chain

_MANY_FILES = 3


def _check(chain: Chain) -> Iterator[Hit]:
    ids = [pair.up for pair in chain.pairs]
    for view in chain.world.past_views:
        if not view.stands_for or view.dropped or view.name not in chain.world.views:
            continue
        later = ids[ids.index(view.script) + 1 :]
        removes = any(
            step.verb in ("Drop", "DropColumn") and step.target not in ("INDEX", "TRIGGER")
            for script in later
            for step in script.steps
        )
        if removes or len(later) >= _MANY_FILES:
            yield Hit(
                f"{len(later)} files later {view.name} still stands in for {view.stands_for}: no"
                " file drops it",
                step=view.step,
                path=view.script.path,
                names={"table": view.name},
            )


RULE = Rule(
    name="compat-view-never-dropped",
    level="warning",
    title="A compat view that no file drops",
    why="The old contract lives until a file ends it: clients go on using the old name, and"
    " every change of the table must work around the view.",
    instead="""-- in a later file, once nobody uses the old name
DROP VIEW {table};""",
    flagged=(
        "ALTER TABLE users RENAME TO app_user;\nCREATE VIEW users AS SELECT id FROM app_user;\n"
        "GRANT SELECT ON users TO app;\n-- file: 0002_clean_up.sql\n"
        "DROP TABLE user_backup;",
    ),
    passed=(
        "ALTER TABLE users RENAME TO app_user;\nCREATE VIEW users AS SELECT id FROM app_user;\n"
        "GRANT SELECT ON users TO app;\n-- file: 0002_contract.sql\nDROP VIEW users;",
        "ALTER TABLE users RENAME TO app_user;\nCREATE VIEW users AS SELECT id FROM app_user;\n"
        "GRANT SELECT ON users TO app;",
    ),
    chain=_check,
)
