"""How many rows a WHERE lets through, as far as its text shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from runner.lint import tree

if TYPE_CHECKING:
    from runner.lint.steps import Step
    from runner.lint.tree import Node
    from runner.lint.world import Table

# all: no WHERE; always: a WHERE that is always true; open: no bound; bounded: by key or batch.
Reach = Literal["all", "always", "open", "bounded"]

_KEY = re.compile(r"(?:^|_|[a-z])(?:id|ID|Id)$")
_LIMITS = re.compile(r"\b(?:LIMIT|FETCH)\b", re.IGNORECASE)
_COMPARISONS = frozenset({"<", ">", "<=", ">="})
# Where migration tools write down what they have run: a row each, or one.
_OF_ONE_ROW = "alembic_version"
_OF_TOOLS = frozenset(
    """
    alembic_version ar_internal_metadata databasechangelog databasechangeloglock django_migrations
    flyway_schema_history goose_db_version knex_migrations pgmigrations schema_migrations
    schema_version __diesel_schema_migrations _prisma_migrations _sqlx_migrations _yoyo_migration
    """.split()
)


def reach(step: Step, table: Table | None) -> Reach:
    """Judge an UPDATE or DELETE.

    Args:
        step: its step.
        table: what is known of its table.

    Returns:
        How far it reaches.
    """
    node = step.node
    name = tree.bare(step.table)
    if step.verb == "Update" and name == _OF_ONE_ROW:
        return "bounded"
    if not node.HasField("where_clause"):
        joined = node.from_clause if step.verb == "Update" else node.using_clause
        return "open" if joined else "all"
    where = node.where_clause
    if any(_limited(tree.inner(item)) for item in node.with_clause.ctes):
        return "bounded"
    if truth(where, table) is True:
        return "always"
    # Of what trueup itself keeps, a file takes out what nothing refers to any more.
    is_own = isinstance(step.table, tree.TableKey) and step.table.schema == "trueup"
    if is_own or name in _OF_TOOLS or _bounded(where, step) or _joins_values_only(step):
        return "bounded"
    return "open"


def _limited(cte: Node) -> bool:
    query = tree.inner(cte.ctequery)
    return tree.kind(query) == "SelectStmt" and query.HasField("limit_count")


def _joins_values_only(step: Step) -> bool:
    joined = step.node.from_clause if step.verb == "Update" else step.node.using_clause
    return bool(joined) and all(
        tree.kind(tree.inner(item)) == "RangeSubselect"
        and len(tree.inner(item).subquery.select_stmt.values_lists) > 0
        for item in joined
    )


def truth(node: Node, table: Table | None) -> bool | None:
    """Whether a condition is true, or false, for every row; None when it depends on the row."""
    node = tree.inner(node)
    kind = tree.kind(node)
    value = tree.constant(node)
    if isinstance(value, bool):
        return value
    if kind == "TypeCast" and value in ("t", "true", "f", "false"):
        return value in ("t", "true")
    if kind == "BoolExpr":
        return _bool_truth(node, table)
    if kind == "NullTest":
        return _null_truth(node, table)
    if kind == "BooleanTest":
        return None
    if kind == "SubLink" and tree.enum_name(node, "sub_link_type") == "EXISTS_SUBLINK":
        select = node.subselect.select_stmt
        whole = not select.from_clause and not select.HasField("where_clause")
        return True if whole and not select.values_lists else None
    if kind == "A_Expr":
        return _comparison_truth(node)
    return None


def _bool_truth(node: Node, table: Table | None) -> bool | None:
    operator = tree.enum_name(node, "boolop")
    truths = [truth(argument, table) for argument in node.args]
    if operator == "NOT_EXPR":
        return None if truths[0] is None else not truths[0]
    if operator == "AND_EXPR":
        if False in truths:
            return False
        return True if all(t is True for t in truths) else None
    if True in truths:
        return True
    tests = [tree.inner(a) for a in node.args if tree.kind(tree.inner(a)) == "NullTest"]
    for test in tests:
        for other in tests:
            if test.nulltesttype != other.nulltesttype and tree.same(test.arg, other.arg):
                return True
    return False if truths and all(t is False for t in truths) else None


def _null_truth(node: Node, table: Table | None) -> bool | None:
    name = tree.column(node.arg)
    known = table.columns.get(name) if table else None
    if tree.enum_name(node, "nulltesttype") == "IS_NOT_NULL" and (
        name in ("id", "ctid") or (known is not None and known.not_null)
    ):
        return True
    return None


def _comparison_truth(node: Node) -> bool | None:
    operator = tree.strings(node.name)[-1:]
    if not operator or not node.HasField("lexpr") or not node.HasField("rexpr"):
        return None
    left, right = tree.constant(node.lexpr), tree.constant(node.rexpr)
    if left is not None and right is not None and type(left) is type(right):
        results = {"=": left == right, "<>": left != right, "<": left < right, ">": left > right}
        results |= {"<=": left <= right, ">=": left >= right}
        return results.get(operator[0])
    if operator[0] in ("=", ">=", "<=") and tree.same(node.lexpr, node.rexpr):
        return True
    # A key counts up from 1.
    if tree.column(node.lexpr) == "id" and isinstance(right, int):
        if operator[0] in (">", ">=", "<>") and right <= 0:
            return True
        if operator[0] == ">=" and right == 1:
            return True
    if operator[0] == "~~" and right == "%":
        return True
    return None


def _bounded(where: Node, step: Step) -> bool:
    """Whether a condition limits the rows: a key, a closed range, a batch of a LIMIT."""
    may_limit = step.hidden or _LIMITS.search(step.statement.text)
    if may_limit and any(
        n.HasField("limit_count") for n in tree.walk(where) if tree.kind(n) == "SelectStmt"
    ):
        return True
    written = (
        {tree.inner(t).name for t in step.node.target_list} if step.verb == "Update" else set()
    )
    sides: set[tuple[str, str]] = set()
    for node in _conjuncts(where):
        if tree.kind(node) == "SubLink" and _asks_by_key(node, written):
            return True
        if tree.kind(node) != "A_Expr":
            continue
        kind = tree.enum_name(node, "kind")
        name = tree.column(node.lexpr)
        if kind in ("AEXPR_BETWEEN", "AEXPR_BETWEEN_SYM"):
            return True
        if kind == "AEXPR_IN" and name not in written:
            return True
        if kind == "AEXPR_OP_ANY" and not (written & tree.columns_of(node.lexpr)):
            return True
        operator = tree.strings(node.name)[-1]
        if kind == "AEXPR_OP" and operator == "=" and _names_rows(node, written, step):
            return True
        if kind == "AEXPR_OP" and operator in _COMPARISONS:
            subject = next((c for c in (name, tree.column(node.rexpr)) if c), "")
            direction = operator[0] if name else {"<": ">", ">": "<"}[operator[0]]
            sides.add((subject, direction))
            # Keys count up from 1: an upper limit is a range.
            is_key = _KEY.search(name) is not None
            if direction == "<" and is_key and isinstance(tree.constant(node.rexpr), int):
                return True
    return any((subject, "<") in sides and (subject, ">") in sides for subject, _ in sides)


def _names_rows(node: Node, written: set[str], step: Step) -> bool:
    """`key = value`: but not when the value that is looked for is the one that is replaced."""
    joined = _joined(step)
    for subject, other in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)):
        if joined & _qualifiers(subject):
            continue  # Which rows of another table count says nothing of this one's.
        fixed = tree.constant(other) is not None or tree.kind(tree.inner(other)) == "ParamRef"
        fixed = fixed or _is_one_value(other)
        if step.hidden and tree.column(other) and not tree.column(other).startswith("new_"):
            fixed = True
        if fixed and tree.columns_of(subject) and not (tree.columns_of(subject) & written):
            return True
    return False


def _joined(step: Step) -> frozenset[str]:
    """The names that the tables beside the one that is written have in the statement."""
    node = step.node
    items = node.from_clause if step.verb == "Update" else node.using_clause
    names: set[str] = set()
    for found in (n for item in items for n in tree.walk(item)):
        if tree.kind(found) == "RangeVar":
            names.add(found.alias.aliasname or found.relname)
    own = node.relation.alias.aliasname or node.relation.relname
    return frozenset(names - {own})


def _qualifiers(expression: Node) -> frozenset[str]:
    """The tables that the columns of an expression are written with."""
    references = (n for n in tree.walk(expression) if tree.kind(n) == "ColumnRef")
    parts = (tree.strings(n.fields) for n in references if len(n.fields) > 1)
    return frozenset(names[-2] for names in parts)


def _is_one_value(node: Node) -> bool:
    """Whether it is a subquery that gives one value."""
    node = tree.inner(node)
    return tree.kind(node) == "SubLink" and tree.enum_name(node, "sub_link_type") == "EXPR_SUBLINK"


def _asks_by_key(node: Node, written: set[str]) -> bool:
    """`x IN (SELECT ... WHERE key = value)`, EXISTS alike; LIMIT is looked for elsewhere."""
    kind = tree.enum_name(node, "sub_link_type")
    select = tree.inner(node.subselect)
    if kind not in ("ANY_SUBLINK", "EXISTS_SUBLINK") or tree.kind(select) != "SelectStmt":
        return False
    if kind == "ANY_SUBLINK" and tree.columns_of(node.testexpr) & written:
        return False
    if select.values_lists:
        return True
    if not select.HasField("where_clause"):
        return False
    return any(
        tree.kind(test) == "A_Expr"
        and tree.enum_name(test, "kind") in ("AEXPR_OP", "AEXPR_IN")
        and tree.strings(test.name)[-1:] == ("=",)
        and _is_fixed(test)
        for test in _conjuncts(select.where_clause)
    )


def _is_fixed(test: Node) -> bool:
    """Whether a comparison is one with constants."""
    if tree.enum_name(test, "kind") == "AEXPR_IN":
        return all(tree.constant(item) is not None for item in tree.inner(test.rexpr).items)
    return tree.constant(test.rexpr) is not None or tree.constant(test.lexpr) is not None


def _conjuncts(where: Node) -> list[Node]:
    node = tree.inner(where)
    if tree.kind(node) == "BoolExpr" and tree.enum_name(node, "boolop") == "AND_EXPR":
        return [found for argument in node.args for found in _conjuncts(argument)]
    return [node]
