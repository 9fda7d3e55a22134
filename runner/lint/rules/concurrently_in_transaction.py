"""CONCURRENTLY or VACUUM inside a transaction fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import edits, suggest, tree
from runner.lint.context import in_transaction
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _what(step: Step) -> str:
    node = step.node
    match step.verb:
        case "Index" if node.concurrent:
            return "CREATE INDEX CONCURRENTLY"
        case "Drop" if node.concurrent:
            return "DROP INDEX CONCURRENTLY"
        case "Reindex" if tree.option(node.params, "concurrently") is not None:
            return "REINDEX CONCURRENTLY"
        case "DetachPartition" if getattr(node, "def").partition_cmd.concurrent:
            return "DETACH PARTITION CONCURRENTLY"
        case "Vacuum" if node.is_vacuumcmd:
            return "VACUUM"
        case "AlterSystem":
            return "ALTER SYSTEM"
        case "Createdb" | "Dropdb":
            return "CREATE or DROP DATABASE"
    return ""


_OUTSIDE = {
    "yoyo": "-- transactional: false",
    "dbmate": "-- migrate:up transaction:false",
    "goose": "-- +goose NO TRANSACTION",
    "flyway": "-- V2__name.sql.conf: executeInTransaction=false",
    "up-down": "-- in a file of its own",
}


def _check(step: Step, context: Context) -> Iterator[Hit]:
    what = _what(step)
    if not what or (not in_transaction(context) and not step.hidden):
        return
    inside = "a DO block" if step.hidden else "a transaction"
    around = None if step.hidden else edits.outside(context, step)
    yield Hit(
        f"{what} cannot run inside {inside}: PostgreSQL refuses it",
        edits=around or (),
        names={
            "outside": suggest.Sql(
                _OUTSIDE.get(context.script.layout, "-- without BEGIN and COMMIT")
            ),
            "statement": suggest.alone(step),
        },
    )


RULE = Rule(
    name="concurrently-in-transaction",
    level="error",
    title="CONCURRENTLY or VACUUM inside a transaction fails",
    why="These commit several times on the way, so PostgreSQL refuses them in a transaction"
    " block, in a function and in a DO block.",
    instead="""{outside}
{statement};  -- the only statement of its file""",
    flagged=(
        "-- depends: 0000_base\nCREATE INDEX CONCURRENTLY i ON users (email);",
        "-- migrate:up\nDROP INDEX CONCURRENTLY i;\n-- migrate:down\n",
        "BEGIN; CREATE INDEX CONCURRENTLY i ON users (email); COMMIT;",
    ),
    passed=(
        "-- transactional: false\nCREATE INDEX CONCURRENTLY i ON users (email);",
        "-- migrate:up transaction:false\nDROP INDEX CONCURRENTLY i;\n-- migrate:down\n",
    ),
    step=_check,
    verbs=frozenset(
        {
            "Index",
            "Drop",
            "Reindex",
            "DetachPartition",
            "Vacuum",
            "AlterSystem",
            "Createdb",
            "Dropdb",
        }
    ),
    new_tables=True,
    rollback=True,
    squawk=("ban-concurrent-index-creation-in-transaction",),
)
