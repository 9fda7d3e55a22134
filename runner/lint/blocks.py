"""What is written inside DO blocks and functions, as texts of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.lint import tree
from runner.quoting import quote_ident, quote_literal

if TYPE_CHECKING:
    from runner.lint.tree import Node

_PLACEHOLDER = re.compile(r"%(?:(\d+)\$)?-?\d*([IsL])")
# What stands for a value that the text does not show; no user ever sees it so.
_UNSHOWN = "trueup_unshown_{}_eh"
_UNSHOWN_WORD = re.compile(r"\w*trueup_unshown_\w*?_eh\w*")
_UNSHOWN_PART = re.compile(r"trueup_unshown_(\w*?)_eh")
_LONGEST_SHOWN = 20


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
    """The SQL that an EXECUTE runs, as far as its expression shows it; `shown` for the rest."""
    try:
        select = tree.parse(f"SELECT {expression}")[0][0]
    except tree.GrammarError:
        return ""
    return _text_of(tree.inner(select.target_list[0]).val)


def is_unshown(text: str) -> bool:
    """Whether an executed text is known in no part."""
    return _UNSHOWN_PART.fullmatch(text.strip()) is not None


def shown(text: str, *, quoted: bool = False) -> str:
    """A text for users: `<t>` for what the variable t of a block holds.

    Args:
        text: a message, a name or SQL.
        quoted: whether it is SQL, where such a name needs quotes.
    """

    def readable(match: re.Match[str]) -> str:
        word = _UNSHOWN_PART.sub(r"<\1>", match[0])
        inside = match.string[match.start() - 1 : match.start()] in ("'", '"')
        return f'"{word}"' if quoted and not inside else word

    return _UNSHOWN_WORD.sub(readable, text) if "trueup_unshown" in text else text


def _unshown(node: Node) -> str:
    """The stand-in for an expression, with the name of the variable in it."""
    names = [tree.column(n) for n in tree.walk(node) if tree.kind(n) == "ColumnRef"]
    name = next((n for n in names if re.fullmatch(r"[a-z][a-z0-9_]*", n)), "value")
    return _UNSHOWN.format(name[:_LONGEST_SHOWN])


def _text_of(node: Node) -> str:
    node = tree.inner(node)
    value = tree.constant(node)
    if isinstance(value, str):
        return value
    if tree.kind(node) == "FuncCall" and tree.function_name(node) == "format" and node.args:
        return _formatted(_text_of(node.args[0]), list(node.args[1:]))
    if tree.kind(node) == "A_Expr" and tree.strings(node.name) == ("||",):
        return _text_of(node.lexpr) + _text_of(node.rexpr)
    return _unshown(node)


def _formatted(pattern: str, arguments: list[Node]) -> str:
    """What format() makes: constants as they are, a stand-in for the rest."""
    left = iter(arguments)

    def filled(match: re.Match[str]) -> str:
        number = int(match[1]) - 1 if match[1] else None
        if number is None:
            argument = next(left, None)
        else:
            argument = arguments[number] if number < len(arguments) else None
        text = _UNSHOWN.format("value") if argument is None else _text_of(argument)
        if match[2] == "L":
            return quote_literal(text)
        return quote_ident(text) if match[2] == "I" else text

    return _PLACEHOLDER.sub(filled, pattern).replace("%%", "%")
