"""Questions asked of an expression as PostgreSQL keeps it: its tree of nodes, as text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, TypeAlias

# <, >, <= and >= of enums; max() and min(). An equality is no use of their order, and neither is
# the sort by which a group or a DISTINCT is found.
_OPERATORS = "3518|3519|3520|3521"
_AGGREGATES = "3526|3527"
_COMPARED = re.compile(rf":opno (?:{_OPERATORS})\b|:opnos \(o [\d ]*\b(?:{_OPERATORS})\b")
_CALLED = re.compile(rf":(?:agg|win)fnoid (?:{_AGGREGATES})\b")
_SORTED = re.compile(r":(?:sortClause|orderClause|aggorder) \((?P<by>(?:\{[^{}]*\} ?)*)\)")
_BY = re.compile(rf":sortop (?:{_OPERATORS})\b")
# PostgreSQL 14 names these nodes without EXPR.
_CHOSEN = re.compile(r"\{MINMAX(?:EXPR)? :minmaxtype (\d+)\b")


# The same of arrays and of rows.
_SORTED_BY = ("1072", "1073", "2990", "2991")
_COMPARED_BY = (*_SORTED_BY, "1074", "1075", "2992", "2993")
_MOST = ("2050", "2051", "6373", "6374")
_OF_ARRAYS_OR_ROWS = re.compile(rf" (?:{'|'.join((*_COMPARED_BY, *_MOST))})\b|\{{MINMAX")
_ROW = "2249"
_TYPES = (
    "vartype consttype paramtype aggtype wintype funcresulttype opresulttype resulttype casetype"
    " array_typeid coalescetype minmaxtype row_typeid refrestype"
).split()
_TOKEN = re.compile(r"[{}()]|(?:\\.|[^\s{}()\\])+", re.DOTALL)

# A node's fields by name; that of its kind is "".
_Node: TypeAlias = dict[str, list[Any]]


def uses_of_order(tree: str, enums: Collection[str], arrays: Collection[str]) -> int:
    """How often an expression uses the order of the labels of native enums.

    Args:
        tree: of it, as a pg_node_tree is printed.
        enums: the oids of all native enum types.
        arrays: the oids of arrays of them.
    """
    found = len(_COMPARED.findall(tree)) + len(_CALLED.findall(tree))
    found += sum(len(_BY.findall(m["by"])) for m in _SORTED.finditer(tree))
    found += sum(oid in enums for oid in _CHOSEN.findall(tree))
    if _OF_ARRAYS_OR_ROWS.search(tree):
        found += sum(_uses(node, {*enums}, {*arrays}) for node in _nodes(_parsed(tree)))
    return found


def _parsed(tree: str) -> list[Any]:
    """The nodes of a tree: a dict for each, a list for each list, else its words."""
    stack: list[list[Any]] = [[]]
    for token in _TOKEN.findall(tree):
        if token in "{(":
            stack.append([])
        elif token == ")":
            items = stack.pop()
            stack[-1].append(items)
        elif token == "}":
            items = stack.pop()
            node: _Node = {"": items[:1]}
            values: list[Any] = []
            for item in items[1:]:
                if isinstance(item, str) and item.startswith(":"):
                    values = node[item[1:]] = []
                else:
                    values.append(item)
            stack[-1].append(node)
        else:
            stack[-1].append(token)
    return stack[0]


def _nodes(found: Any) -> Iterator[_Node]:
    """All nodes in a part of a tree."""
    if isinstance(found, dict):
        yield found
    parts = found.values() if isinstance(found, dict) else found
    for part in parts if not isinstance(found, str) else ():
        yield from _nodes(part)


def _listed(node: _Node, field: str) -> list[_Node]:
    """The nodes of a field: one, or a list of them."""
    values = node.get(field, [])
    values = values[0] if values and isinstance(values[0], list) else values
    return [v for v in values if isinstance(v, dict)]


def _uses(node: _Node, enums: set[str], arrays: set[str]) -> int:
    """How often a node itself uses the order of arrays of enums, or of rows with one in them."""
    kind = node[""][0].removesuffix("EXPR")
    own = {v for field in ("opno", "aggfnoid", "winfnoid") for v in node.get(field, [])}
    if kind == "MINMAX":
        return int(node["minmaxtype"][0] in arrays)
    if kind == "ROWCOMPARE":
        numbers = node["opnos"][0] if node["opnos"] else []
        pairs = zip(numbers[1:], _listed(node, "largs"), strict=False)
        return int(any(n in _COMPARED_BY and _sorts(e, enums, arrays) for n, e in pairs))
    targets = _listed(node, "targetList" if kind == "QUERY" else "args")
    found = 0
    if (kind == "OP" and own & {*_COMPARED_BY}) or own & {*_MOST}:
        found += any(_sorts(t, enums, arrays) for t in targets[:1])
    by = [*_listed(node, "sortClause"), *_listed(node, "aggorder")]
    by += [c for w in _listed(node, "windowClause") for c in _listed(w, "orderClause")]
    sorted_by = {c["tleSortGroupRef"][0] for c in by if c["sortop"][0] in _SORTED_BY}
    return found + sum(
        t["ressortgroupref"][0] in sorted_by and _sorts(t, enums, arrays)
        for t in targets
        if "ressortgroupref" in t
    )


def _sorts(expression: _Node, enums: set[str], arrays: set[str]) -> bool:
    """Whether it is an array of enums, or a row with an enum in it."""
    if expression[""][0] == "TARGETENTRY":
        (expression,) = _listed(expression, "expr")
    own = next((expression[f][0] for f in _TYPES if f in expression), "")
    if own != _ROW:
        return own in arrays
    types = {n[f][0] for n in _nodes(expression) for f in _TYPES if f in n}
    return not types.isdisjoint(enums | arrays)
