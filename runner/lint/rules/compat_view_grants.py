"""A compat view without the grants of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Chain


def _check(chain: Chain) -> Iterator[Hit]:
    for view in chain.world.past_views:
        if view.stands_for and not view.granted:
            yield Hit(
                f"{view.name} stands in for the renamed {view.stands_for} and has no grants: the"
                " application gets `permission denied`",
                step=view.step,
                path=view.script.path,
                names={"table": view.name},
            )


RULE = Rule(
    name="compat-view-grants",
    level="error",
    title="A compat view without the grants of its table",
    why="Grants follow the table to its new name. The view under the old name starts with none,"
    " and the old release, which uses it, runs as a role that does not own it.",
    instead="""GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO the_application;""",
    flagged=(
        "ALTER TABLE users RENAME TO app_user;\nCREATE VIEW users AS SELECT id FROM app_user;",
    ),
    passed=(
        "ALTER TABLE users RENAME TO app_user;\nCREATE VIEW users AS SELECT id FROM app_user;\n"
        "GRANT SELECT ON users TO app;",
    ),
    chain=_check,
)
