"""Whether a known value meets a CHECK, and which spelling a CHECK asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.lint import tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.lint.tree import Node

_FUNCTIONS: dict[str, Callable[[str], object]] = {
    "upper": str.upper,
    "lower": str.lower,
    "btrim": str.strip,
    "trim": str.strip,
    "ltrim": str.lstrip,
    "rtrim": str.rstrip,
    "length": len,
    "char_length": len,
}
_SPELLINGS = frozenset({"upper", "lower", "btrim", "trim", "ltrim", "rtrim", "initcap"})


class _UnknownError(Exception):
    """The expression has a part that is not worked out here."""


def meets(check: Node, column: str, value: object) -> bool | None:
    """Whether a value of a column meets a CHECK.

    Args:
        check: its expression.
        column: the only column that it names.
        value: a text, a number, a truth value.

    Returns:
        False when PostgreSQL would refuse the row; None when that is not worked out here.
    """
    try:
        result = _value(check, column, value)
    except (_UnknownError, TypeError):
        return None
    return None if result is None else bool(result)


def _value(node: Node, column: str, value: object) -> Any:
    node = tree.inner(node)
    match tree.kind(node):
        case "TypeCast":
            return _value(node.arg, column, value)
        case "ColumnRef" if tree.column(node) == column:
            return value
        case "A_Const" if not node.isnull:
            return tree.constant(node)
        case "FuncCall" if len(node.args) == 1 and tree.function_name(node) in _FUNCTIONS:
            argument = _value(node.args[0], column, value)
            if not isinstance(argument, str):
                raise _UnknownError
            return _FUNCTIONS[tree.function_name(node)](argument)
        case "NullTest":
            null = _value(node.arg, column, value) is None
            return null == (tree.enum_name(node, "nulltesttype") == "IS_NULL")
        case "BoolExpr":
            return _joined(node, column, value)
        case "A_Expr":
            return _compared(node, column, value)
    raise _UnknownError


def _joined(node: Node, column: str, value: object) -> bool:
    parts = [bool(_value(argument, column, value)) for argument in node.args]
    match tree.enum_name(node, "boolop"):
        case "AND_EXPR":
            return all(parts)
        case "OR_EXPR":
            return any(parts)
    return not parts[0]


def _compared(node: Node, column: str, value: object) -> bool:
    left = _value(node.lexpr, column, value)
    operator = tree.strings(node.name)[-1]
    kind = tree.enum_name(node, "kind")
    if kind in ("AEXPR_IN", "AEXPR_BETWEEN"):
        items = [_value(item, column, value) for item in tree.inner(node.rexpr).items]
        if kind == "AEXPR_BETWEEN":
            return bool(items[0] <= left <= items[1])
        return (left in items) == (operator == "=")
    if kind == "AEXPR_OP_ANY" and operator == "=":
        array = tree.inner(node.rexpr)
        while tree.kind(array) == "TypeCast":
            array = tree.inner(array.arg)
        if tree.kind(array) != "A_ArrayExpr":
            raise _UnknownError
        return left in [_value(item, column, value) for item in array.elements]
    if kind != "AEXPR_OP":
        raise _UnknownError
    right = _value(node.rexpr, column, value)
    if type(left) is not type(right) and not _are_numbers(left, right):
        raise _UnknownError
    match operator:
        case "=":
            return bool(left == right)
        case "<>":
            return bool(left != right)
        case "<" | ">" | "<=" | ">=" if _are_numbers(left, right):
            less, equal = left < right, left == right
            return bool(
                (less if operator[0] == "<" else not less and not equal)
                or (equal and len(operator) == 2)
            )
    raise _UnknownError


def _are_numbers(left: object, right: object) -> bool:
    return isinstance(left, int | float) and isinstance(right, int | float)


def spelled_column(check: Node) -> str:
    """The column that a CHECK wants in one spelling, as `c = upper(c)`; empty when it is none."""
    node = tree.inner(check)
    if tree.kind(node) != "A_Expr" or tree.strings(node.name)[-1:] != ("=",):
        return ""
    for side, other in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)):
        call = tree.inner(other)
        while tree.kind(call) == "TypeCast":
            call = tree.inner(call.arg)
        name = tree.column(side)
        if (
            name
            and tree.kind(call) == "FuncCall"
            and tree.function_name(call) in _SPELLINGS
            and any(tree.column(argument) == name for argument in call.args)
        ):
            return name
    return ""
