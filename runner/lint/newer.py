"""What a statement needs that the team's servers do not have yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.model import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.layouts import Script
    from runner.lint.steps import Statement
    from runner.lint.tree import Node

_WHY = (
    "The files are parsed by the grammar of PostgreSQL 18. The settings say that the servers are"
    " older, and an older server refuses the statement."
)
_FUNCTIONS = {
    "any_value": 16,
    "array_sample": 16,
    "array_shuffle": 16,
    "random_normal": 16,
    "to_bin": 17,
    "to_oct": 17,
    "uuid_extract_timestamp": 17,
    "casefold": 18,
    "uuidv4": 18,
    "uuidv7": 18,
}


def newer_than(script: Script, version: int) -> Iterator[Finding]:
    """What a script uses that came after a version.

    Args:
        script: one direction of a migration.
        version: the major version of the servers; 0 when it is not known.
    """
    if not version:
        return
    for statement in script.statements:
        told: set[str] = set()
        for what, since in _needs(statement):
            if since > version and what not in told:
                told.add(what)
                yield _finding(script, statement, f"{what} is new in PostgreSQL {since}", version)


def _needs(statement: Statement) -> Iterator[tuple[str, int]]:
    for node in tree.walk(statement.node) if statement.node is not None else ():
        match tree.kind(node):
            case "MergeStmt":
                yield "MERGE", 15
                if node.returning_list:
                    yield "MERGE ... RETURNING", 17
            case "IndexStmt" if node.nulls_not_distinct:
                yield "NULLS NOT DISTINCT", 15
            case "Constraint":
                yield from _constraint(node)
            case "AlterTableCmd" if tree.enum_name(node, "subtype") == "AT_SetExpression":
                yield "ALTER COLUMN ... SET EXPRESSION", 17
            case "AlterTableCmd" if tree.enum_name(node, "subtype") == "AT_AddConstraint":
                constraint = getattr(node, "def").constraint
                if tree.enum_name(constraint, "contype") == "CONSTR_NOTNULL":
                    yield "ADD CONSTRAINT ... NOT NULL", 18
            case "JsonTable":
                yield "JSON_TABLE", 17
            case "FuncCall":
                name = tree.function_name(node)
                if since := _FUNCTIONS.get(name):
                    yield f"{name}()", since
            case "ViewStmt" if tree.option(node.options, "security_invoker") is not None:
                yield "a view with security_invoker", 15


def _constraint(node: Node) -> Iterator[tuple[str, int]]:
    if node.nulls_not_distinct:
        yield "NULLS NOT DISTINCT", 15
    if node.generated_kind == "v":
        yield "a virtual generated column", 18
    if node.without_overlaps:
        yield "WITHOUT OVERLAPS", 18
    checked = tree.enum_name(node, "contype") in ("CONSTR_CHECK", "CONSTR_FOREIGN")
    if checked and not node.is_enforced:
        yield "NOT ENFORCED", 18


def _finding(script: Script, statement: Statement, what: str, version: int) -> Finding:
    line = script.content.count("\n", 0, statement.offset) + 1
    return Finding(
        rule="newer-than-server",
        level="error",
        path=script.path,
        line=line,
        column=statement.offset - (script.content.rfind("\n", 0, statement.offset) + 1) + 1,
        end_line=line + statement.text.rstrip().count("\n"),
        message=f"{what}, and the servers have {version}",
        why=_WHY,
        instead="",
    )
