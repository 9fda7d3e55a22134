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
    # An index or a constraint beside it is no way out: PostgreSQL takes every one that fits.
    for known in table.constraints:
        is_unique = known.kind in ("PRIMARY", "UNIQUE") and set(known.columns) == columns
        if is_unique and known.deferrable:
            yield _refused(f"{known.name} on ({', '.join(sorted(columns))})")
            return


def _refused(what: str) -> Hit:
    return Hit(f"{what} is deferrable: PostgreSQL refuses ON CONFLICT on it")


RULE = Rule(
    name="conflict-arbiter",
    level="error",
    title="ON CONFLICT on a constraint that is deferrable",
    why="A deferrable constraint is checked at the end of the statement or the transaction, so it"
    " cannot tell whether a row is to be inserted. PostgreSQL refuses it as arbiter, in the file"
    " and in every statement of the clients.",
    instead="-- a constraint without DEFERRABLE in its place: one beside it does not help",
    flagged=(
        "CREATE TABLE seat (id bigint, no int, CONSTRAINT seat_no UNIQUE (no) DEFERRABLE);\n"
        "-- file: 0002_seed.sql\nINSERT INTO seat (id, no) VALUES (1, 1) ON CONFLICT (no)"
        " DO NOTHING;",
        "CREATE TABLE seat (no int CONSTRAINT seat_no UNIQUE INITIALLY DEFERRED);\n"
        "-- file: 0002_seed.sql\nINSERT INTO seat (no) VALUES (1)\n"
        "ON CONFLICT ON CONSTRAINT seat_no DO NOTHING;",
        "CREATE TABLE seat (no int UNIQUE DEFERRABLE);\nCREATE UNIQUE INDEX i ON seat (no);\n"
        "INSERT INTO seat (no) VALUES (1) ON CONFLICT (no) DO NOTHING;",
    ),
    passed=(
        "CREATE TABLE seat (no int UNIQUE);\nINSERT INTO seat (no) VALUES (1) ON CONFLICT (no)"
        " DO NOTHING;",
        "CREATE TABLE seat (no int UNIQUE DEFERRABLE);\n"
        "INSERT INTO seat (no) VALUES (1) ON CONFLICT DO NOTHING;",
    ),
    step=_check,
    verbs=frozenset({"Insert"}),
    new_tables=True,
)
