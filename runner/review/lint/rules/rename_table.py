"""A table is renamed and nothing keeps its old name alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.review.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.review.lint.context import Context
    from runner.review.lint.steps import Step

_READ = frozenset({"TABLE", "VIEW", "MATVIEW", "FOREIGN_TABLE"})


def _check(step: Step, context: Context) -> Iterator[Hit]:
    new = step.node.newname if step.verb == "Rename" else f"{step.name}.{step.table}"
    if step.target == "SCHEMA" and step.verb == "Rename":
        yield Hit(f"every client that names the schema {step.name or step.table} fails at once")
        return
    if step.target not in _READ or _swapped_in(step, context):
        return
    for other in context.later(step):
        if other.verb == "View" and other.table == step.table:
            return
        if other.verb == "Rename" and other.node.newname == step.table.rpartition(".")[2]:
            return
    yield Hit(
        f"clients that still say {step.table} fail at once; the old and the new release cannot"
        " run together",
        names={"new": new, "view": step.table},
    )


def _swapped_in(step: Step, context: Context) -> bool:
    """Whether the table takes a name that the file has made free."""
    return step.verb == "Rename" and any(
        other.verb == "Rename"
        and other.target == "TABLE"
        and other.table.rpartition(".")[2] == step.node.newname
        for other in context.earlier(step)
    )


RULE = Rule(
    name="rename-table",
    level="error",
    title="A table is renamed and nothing keeps its old name alive",
    why="The rename and the release of the code never happen at one moment. A view under the"
    " old name, made in the same transaction, with the table's grants, serves the old"
    " release.",
    instead="""BEGIN;
ALTER TABLE {table} RENAME TO {new};
CREATE VIEW {view} AS SELECT id, name FROM {new};  -- all columns by name
GRANT SELECT, INSERT, UPDATE, DELETE ON {view} TO the_application;
COMMIT;""",
    flagged=(
        "ALTER TABLE users RENAME TO app_user;",
        "ALTER TABLE users SET SCHEMA archive;",
        "ALTER VIEW active_users RENAME TO users_active;",
    ),
    passed=(
        "ALTER TABLE t RENAME TO t_old;\nALTER TABLE t_new RENAME TO t;",
        "ALTER TABLE users RENAME TO app_user;\nCREATE VIEW users AS SELECT id FROM app_user;\n"
        "GRANT SELECT ON users TO app;",
    ),
    step=_check,
    verbs=frozenset({"Rename", "SetSchema"}),
    window=False,
    squawk=("renaming-table", "renaming-object", "ban-set-schema"),
)
