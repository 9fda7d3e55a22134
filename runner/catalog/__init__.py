"""PostgreSQL's catalog as frozen dataclasses, and the differences between two of them."""

from runner.catalog.diff import Difference, diff
from runner.catalog.model import (
    Catalog,
    Column,
    Constraint,
    Dependent,
    Function,
    Index,
    NamedType,
    Policy,
    Publication,
    Relation,
    Rule,
    Statistics,
    Trigger,
)
from runner.catalog.read import read_catalog, with_dependents

__all__ = [
    "Catalog",
    "Column",
    "Constraint",
    "Dependent",
    "Difference",
    "Function",
    "Index",
    "NamedType",
    "Policy",
    "Publication",
    "Relation",
    "Rule",
    "Statistics",
    "Trigger",
    "diff",
    "read_catalog",
    "with_dependents",
]
