"""What the definition of a column, a constraint or an index says."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from runner.lint import tree

if TYPE_CHECKING:
    from runner.lint.steps import Step
    from runner.lint.tree import Node

_SERIAL = {
    "serial": "integer",
    "serial4": "integer",
    "bigserial": "bigint",
    "serial8": "bigint",
    "smallserial": "smallint",
    "serial2": "smallint",
}


def allowed_values(step: Step, column: str) -> frozenset[str]:
    """The texts that a CHECK (column IN (...)) lets in; empty for any other CHECK."""
    definition = getattr(step.node, "def", None) if step.verb == "AddConstraint" else None
    if definition is None:
        return frozenset()
    test = tree.inner(definition.constraint.raw_expr)
    if tree.kind(test) != "A_Expr" or tree.column(test.lexpr) != column:
        return frozenset()
    if tree.enum_name(test, "kind") != "AEXPR_IN" or tree.strings(test.name) != ("=",):
        return frozenset()
    values = [tree.constant(item) for item in tree.inner(test.rexpr).items]
    return frozenset(value for value in values if isinstance(value, str))


def check_expression(step: Step) -> Node | None:
    """What the CHECK says that a step adds; None when it adds none."""
    if step.verb != "AddConstraint":
        return None
    constraint = getattr(step.node, "def").constraint
    return constraint.raw_expr if contype(constraint) == "CHECK" else None


def index_columns(parameters: object) -> tuple[str, ...]:
    """The columns of an index; an expression stands as an empty name."""
    return tuple(tree.inner(p).name for p in parameters)  # type: ignore[attr-defined]


def column_type(definition: Node) -> str:
    """The type of a column, serial as what it is."""
    type_ = tree.type_name(definition.type_name)
    return _SERIAL.get(type_, type_)


def is_serial(definition: Node) -> bool:
    """Whether a column is a serial or an identity."""
    names = definition.type_name.names
    return (len(names) == 1 and names[0].string.sval in _SERIAL) or any(
        contype(k.constraint) == "IDENTITY" for k in definition.constraints
    )


def contype(constraint: Node) -> str:
    """PRIMARY, UNIQUE, CHECK, FOREIGN, NOTNULL, DEFAULT, IDENTITY, GENERATED, EXCLUSION."""
    message: Any = type(constraint)
    return _contype(message, constraint.contype)


@cache
def _contype(message: Any, value: int) -> str:
    return tree.enum_of(message, "contype", value).removeprefix("CONSTR_")
