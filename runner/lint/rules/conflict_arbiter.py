"""ON CONFLICT on columns that no unique index can decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.definitions import index_columns
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    infer = step.node.on_conflict_clause.infer
    table = context.world.tables.get(step.table)
    if table is None or step.hidden or not step.node.HasField("on_conflict_clause"):
        return
    if infer.conname:
        for known in table.constraints:
            if known.name == infer.conname and known.deferrable:
                yield _refused(f"the constraint {infer.conname}")
        return
    columns = set(index_columns(infer.index_elems))
    if not columns or "" in columns:
        return
    unique = [
        k
        for k in table.constraints
        if k.kind in ("PRIMARY", "UNIQUE") and set(k.columns) == columns
    ]
    indexes = [
        i
        for i in context.world.indexes.values()
        if i.table == step.table and i.unique and set(i.columns) == columns
    ]
    if unique and not indexes and all(known.deferrable for known in unique):
        yield _refused(f"{unique[0].name} on ({', '.join(sorted(columns))})")


def _refused(what: str) -> Hit:
    return Hit(f"{what} is deferrable: PostgreSQL refuses ON CONFLICT on it")


RULE = Rule(
    name="conflict-arbiter",
    level="error",
    title="ON CONFLICT on a constraint that is deferrable",
    why="A deferrable constraint is checked at the end of the statement or the transaction, so it"
    " cannot tell whether a row is to be inserted. PostgreSQL refuses it as arbiter, in the file"
    " and in every statement of the clients.",
    instead="-- a unique index beside it, built CONCURRENTLY; or a constraint without DEFERRABLE",
    flagged=(
        "CREATE TABLE seat (id bigint, no int, CONSTRAINT seat_no UNIQUE (no) DEFERRABLE);\n"
        "-- file: 0002_seed.sql\nINSERT INTO seat (id, no) VALUES (1, 1) ON CONFLICT (no)"
        " DO NOTHING;",
        "CREATE TABLE seat (no int CONSTRAINT seat_no UNIQUE INITIALLY DEFERRED);\n"
        "-- file: 0002_seed.sql\nINSERT INTO seat (no) VALUES (1)\n"
        "ON CONFLICT ON CONSTRAINT seat_no DO NOTHING;",
    ),
    passed=(
        "CREATE TABLE seat (no int UNIQUE);\nINSERT INTO seat (no) VALUES (1) ON CONFLICT (no)"
        " DO NOTHING;",
        "CREATE TABLE seat (no int UNIQUE DEFERRABLE);\nCREATE UNIQUE INDEX i ON seat (no);\n"
        "INSERT INTO seat (no) VALUES (1) ON CONFLICT (no) DO NOTHING;",
        "CREATE TABLE seat (no int UNIQUE DEFERRABLE);\n"
        "INSERT INTO seat (no) VALUES (1) ON CONFLICT DO NOTHING;",
    ),
    step=_check,
    verbs=frozenset({"Insert"}),
    new_tables=True,
)
