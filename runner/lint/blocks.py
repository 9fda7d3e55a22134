"""What is written inside DO blocks and functions, as texts of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.lint import tree

if TYPE_CHECKING:
    from runner.lint.tree import Node

_PLACEHOLDER = re.compile(r"%(?:\d+\$)?-?\d*([IsL])")
_FILLED = "trueup_placeholder"


def block_text(node: Node) -> str:
    """The body of a DO block or of a function that is written as a text."""
    options = node.args if tree.kind(node) == "DoStmt" else node.options
    body = tree.option(options, "as")
    if body is None:
        return ""
    argument = tree.inner(body.arg)
    if tree.kind(argument) == "List":
        return str(tree.inner(argument.items[0]).sval)
    return str(argument.sval)


@dataclass(frozen=True)
class BlockQuery:
    """A query inside a DO block.

    Args:
        text: the SQL, or the expression that gives it.
        dynamic: True for EXECUTE.
        loop: True inside a loop.
    """

    text: str
    dynamic: bool
    loop: bool


def block_queries(block: str) -> tuple[list[BlockQuery], bool]:
    """The queries of a DO block, and whether it commits.

    Args:
        block: its text, from DO to the end of its body.
    """
    found: list[BlockQuery] = []
    commits = False

    def visit(value: Any, loop: bool) -> None:
        nonlocal commits
        if isinstance(value, list):
            for item in value:
                visit(item, loop)
        if not isinstance(value, dict):
            return
        for key, item in value.items():
            if key == "PLpgSQL_stmt_execsql":
                found.append(BlockQuery(item["sqlstmt"]["PLpgSQL_expr"]["query"], False, loop))
            elif key == "PLpgSQL_stmt_dynexecute":
                found.append(BlockQuery(item["query"]["PLpgSQL_expr"]["query"], True, loop))
            elif key == "PLpgSQL_stmt_perform":
                found.append(BlockQuery(item["expr"]["PLpgSQL_expr"]["query"], False, loop))
            elif key == "PLpgSQL_stmt_commit":
                commits = True
            inside = loop or key in _LOOPS
            visit(item, inside)

    visit(tree.parse_plpgsql(block), False)
    return found, commits


_LOOPS = frozenset(
    f"PLpgSQL_stmt_{word}"
    for word in ("loop", "while", "fori", "fors", "forc", "foreach_a", "dynfors")
)


def executed_text(expression: str) -> str:
    """The SQL that an EXECUTE runs, as far as its expression shows it; names filled in."""
    try:
        select = tree.parse(f"SELECT {expression}")[0][0]
    except tree.GrammarError:
        return ""
    return _shown(tree.inner(select.target_list[0]).val)


def _shown(node: Node) -> str:
    node = tree.inner(node)
    value = tree.constant(node)
    if isinstance(value, str):
        return value
    if tree.kind(node) == "FuncCall" and tree.function_name(node) == "format" and node.args:
        pattern = _shown(node.args[0])
        filled = {"I": _FILLED, "s": _FILLED, "L": f"'{_FILLED}'"}
        return _PLACEHOLDER.sub(lambda m: filled[m[1]], pattern).replace("%%", "%")
    if tree.kind(node) == "A_Expr" and tree.strings(node.name) == ("||",):
        return _shown(node.lexpr) + _shown(node.rexpr)
    return _FILLED
