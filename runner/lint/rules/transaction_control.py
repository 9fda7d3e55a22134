"""BEGIN, COMMIT or ROLLBACK against the tool's own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.blocks import block_queries
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_TOOLS = frozenset({"yoyo", "dbmate", "goose", "flyway", "up-down"})


def _check(context: Context) -> Iterator[Hit]:
    script = context.script
    begun: Step | None = None
    for step in script.steps:
        if step.hidden:
            continue
        if step.verb == "Do" and script.transactional and block_queries(step.statement.text)[1]:
            yield Hit(
                "COMMIT in a DO block fails inside the transaction that the tool puts around the"
                " file: invalid transaction termination",
                step=step,
            )
        if step.verb != "Transaction":
            continue
        word = tree.enum_name(step.node, "kind").removeprefix("TRANS_STMT_")
        if word not in ("BEGIN", "START", "COMMIT", "ROLLBACK", "PREPARE"):
            continue
        if script.transactional and script.layout in _TOOLS:
            yield Hit(
                f"{script.layout} puts a transaction around the file: {word} ends or doubles it,"
                " and the record of the migration no longer belongs to its work",
                step=step,
            )
            return
        if word in ("BEGIN", "START"):
            if begun is not None:
                yield Hit("BEGIN inside a transaction does nothing but warn", step=step)
            begun = step
        elif word == "PREPARE":
            yield Hit(
                "PREPARE TRANSACTION keeps its locks when the session is gone, until somebody"
                " commits it: VACUUM stops, and the tool records the file as applied",
                step=step,
            )
            begun = None
        elif word == "ROLLBACK":
            yield Hit("ROLLBACK undoes the file, and the tool records it as applied", step=step)
            begun = None
        else:
            begun = None  # Without a BEGIN it may end a transaction that the caller has begun.
    if begun is not None:
        yield Hit("this transaction is never committed: all of it is undone at the end", step=begun)


RULE = Rule(
    name="transaction-control",
    level="error",
    title="BEGIN, COMMIT or ROLLBACK against the tool's own transaction",
    why="Most tools run a file in one transaction and record it there. A COMMIT in the file"
    " leaves the rest, and the record, outside; a BEGIN that is never committed is rolled"
    " back at the end.",
    instead="""-- remove BEGIN and COMMIT, or switch the tool's transaction off for the file""",
    flagged=(
        "-- depends: 0000_base\nBEGIN; SELECT 1; COMMIT;",
        "BEGIN; CREATE TABLE t (a int);",
        "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'x';",
    ),
    passed=("BEGIN; CREATE TABLE t (a int); COMMIT;",),
    script=_check,
    rollback=True,
    squawk=("transaction-nesting", "ban-uncommitted-transaction"),
)
