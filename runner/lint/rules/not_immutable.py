"""An index, a generated column or a CHECK asks for what is not the same for ever."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.definitions import parts
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.tree import Node

# The same within a statement or a session: PostgreSQL calls them stable, or volatile.
_CHANGING = frozenset(
    """
    age clock_timestamp current_database current_schema current_setting gen_random_uuid
    inet_client_addr nextval now random session_user statement_timestamp timeofday
    transaction_timestamp uuid_generate_v4 uuidv4 uuidv7
    """.split()
)
# A CHECK, or GENERATED ALWAYS AS an expression: most statements that define columns have none.
_MAY_HAVE = re.compile(r"\bcheck\b|\bas\b(?!\s+identity\b)")
_WORDS = {"SVFOP_CURRENT_USER": "current_user", "SVFOP_SESSION_USER": "session_user"}


def _check(step: Step, context: Context) -> Iterator[Hit]:
    for what, expression, is_refused in _expressions(step):
        found = _changing(expression)
        if found == _QUERY:
            yield Hit(f"{what} has a subquery: PostgreSQL refuses it")
        elif found and is_refused:
            yield Hit(f"{what} calls {found}, which is not immutable: PostgreSQL refuses it")
        elif found:
            yield Hit(
                f"{what} calls {found}: it is asked when a row is written, so rows that it let in"
                " break it later, and a dump of them cannot be restored",
                level="warning",
            )


_QUERY = "a subquery"


@lru_cache
def _may_have(text: str) -> bool:
    return _MAY_HAVE.search(text) is not None


def _expressions(step: Step) -> Iterator[tuple[str, Node, bool]]:
    """What must stay the same: in words, its expression, and whether PostgreSQL insists."""
    node = step.node
    if step.verb == "Index":
        if node.HasField("where_clause"):
            yield f"the WHERE of {step.name or 'the index'}", node.where_clause, True
        for item in node.index_params:
            if (part := tree.inner(item)).HasField("expr"):
                yield step.name or "the index", part.expr, True
        return
    if not step.hidden and not _may_have(step.statement.lowered):
        return
    for part in parts(step):
        for kind, made in part.constraints:
            if kind in ("CHECK", "GENERATED") and made.HasField("raw_expr"):
                yield made.conname or part.name or "the CHECK", made.raw_expr, kind == "GENERATED"


def _changing(expression: Node) -> str:
    """The first thing in an expression that is not the same for ever; empty for none."""
    for node in tree.walk(expression):
        kind = tree.kind(node)
        if kind == "SubLink":
            return _QUERY
        name = tree.function_name(node) if kind == "FuncCall" else ""
        if name in _CHANGING and (name != "age" or len(node.args) == 1):
            return f"{name}()"
        if kind == "SQLValueFunction":
            word = tree.enum_name(node, "op")
            return _WORDS.get(word, word.removeprefix("SVFOP_").lower())
    return ""


RULE = Rule(
    name="not-immutable",
    level="error",
    title="An index, a generated column or a CHECK depends on the moment",
    why="What is stored must not change by itself: PostgreSQL takes only immutable functions for"
    " indexes and generated columns. A CHECK may call others, and is never asked again.",
    instead="""-- without it: in the query instead, or in a column that is written with the row""",
    flagged=(
        "CREATE INDEX CONCURRENTLY i ON users (id) WHERE created_at > now() - interval '1 day';",
        "CREATE TABLE t (at date CHECK (at < current_date));",
        "CREATE TABLE t (at date, CHECK (at < now()));",
        "CREATE TABLE t (at date, days int GENERATED ALWAYS AS (current_date - at) STORED);",
        "ALTER TABLE users ADD CONSTRAINT past CHECK (created_at < current_date) NOT VALID;",
    ),
    passed=(
        "CREATE INDEX CONCURRENTLY i ON users (lower(email)) WHERE left_at IS NULL;",
        "ALTER TABLE users ADD COLUMN at timestamptz DEFAULT now();",
        "CREATE TABLE t (at timestamptz DEFAULT now() CHECK (at > '2000-01-01'));",
        "ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0) NOT VALID;",
    ),
    step=_check,
    verbs=frozenset({"Index", "AddConstraint", "AddColumn", "Create"}),
    new_tables=True,
)
