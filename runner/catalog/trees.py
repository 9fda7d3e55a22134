"""Questions asked of an expression as PostgreSQL keeps it: its tree of nodes, as text."""

from __future__ import annotations

import re
from collections.abc import Collection

# <, >, <= and >= of enums; max() and min(). An equality is no use of their order, and neither is
# the sort by which a group or a DISTINCT is found.
_OPERATORS = "3518|3519|3520|3521"
_AGGREGATES = "3526|3527"
_COMPARED = re.compile(rf":opno (?:{_OPERATORS})\b|:opnos \(o [\d ]*\b(?:{_OPERATORS})\b")
_CALLED = re.compile(rf":(?:agg|win)fnoid (?:{_AGGREGATES})\b")
_SORTED = re.compile(r":(?:sortClause|orderClause|aggorder) \((?P<by>(?:\{[^{}]*\} ?)*)\)")
_BY = re.compile(rf":sortop (?:{_OPERATORS})\b")
_CHOSEN = re.compile(r"\{MINMAXEXPR :minmaxtype (\d+)\b")


def uses_of_order(tree: str, enums: Collection[str]) -> int:
    """How often an expression uses the order of the labels of native enums.

    Args:
        tree: of it, as a pg_node_tree is printed.
        enums: the oids of all native enum types.
    """
    found = len(_COMPARED.findall(tree)) + len(_CALLED.findall(tree))
    found += sum(len(_BY.findall(m["by"])) for m in _SORTED.finditer(tree))
    return found + sum(oid in enums for oid in _CHOSEN.findall(tree))
