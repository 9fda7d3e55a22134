"""What the definition of a column, a constraint or an index says."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

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
    return has_serial_type(definition) or any(
        contype(k.constraint) == "IDENTITY" for k in definition.constraints
    )


def has_serial_type(definition: Node) -> bool:
    """Whether a column's type is one of the serial ones."""
    names = definition.type_name.names
    return len(names) == 1 and names[0].string.sval in _SERIAL


class Part(NamedTuple):
    """A column or a constraint that a statement defines.

    Args:
        node: its definition.
        name: of a column; empty for a constraint of the table.
        constraints: those of the column, or the one of the table, each with its kind.
    """

    node: Node
    name: str
    constraints: tuple[tuple[str, Node], ...]


@lru_cache(4)  # each rule that looks at the step asks
def parts(step: Step) -> tuple[Part, ...]:
    """The columns and constraints of CREATE TABLE, ADD COLUMN and ADD CONSTRAINT, in order."""
    items = step.node.table_elts if step.verb == "Create" else (getattr(step.node, "def"),)
    found = []
    for item in items:
        which = item.WhichOneof("node")
        if which == "column_def":
            node = item.column_def
            below = tuple([(contype(k), k) for k in [i.constraint for i in node.constraints]])
            found.append(Part(node, node.colname, below))
        elif which == "constraint":
            found.append(Part(item.constraint, "", ((contype(item.constraint), item.constraint),)))
    return tuple(found)


def column_names(create: Step) -> frozenset[str]:
    """The columns that a CREATE TABLE names, without a look at what they are."""
    items = create.node.table_elts
    return frozenset([i.column_def.colname for i in items if i.WhichOneof("node") == "column_def"])


def contype(constraint: Node) -> str:
    """PRIMARY, UNIQUE, CHECK, FOREIGN, NOTNULL, DEFAULT, IDENTITY, GENERATED, EXCLUSION."""
    value: int = constraint.contype
    found = _CONTYPES.get(value)
    if found is None:
        message: Any = type(constraint)
        found = tree.enum_of(message, "contype", value).removeprefix("CONSTR_")
        _CONTYPES[value] = found
    return found


_CONTYPES: dict[int, str] = {}
