"""Reads PostgreSQL's catalog into dataclasses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, LiteralString, TypeVar

from psycopg import Connection
from psycopg.rows import dict_row

from runner.catalog import dependent_queries, queries
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
from runner.catalog.trees import uses_of_order
from runner.quoting import Name

_T = TypeVar("_T")


def read_catalog(connection: Connection[Any], schemas: Sequence[str] = ("public",)) -> Catalog:
    """Read everything the given schemas hold, in one transaction that writes nothing.

    Args:
        connection: a connection of any row factory; a transaction that is open stays open.
        schemas: the schemas to read; one that does not exist reads as empty.

    Returns:
        The catalog.
    """
    wanted = {"schemas": list(schemas)}
    version = connection.info.server_version // 10000
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SELECT set_config('search_path', '', true)")

        orders = {
            row["oid"]: uses_of_order(row["tree"], row["enums"], row["arrays"])
            for row in cursor.execute(queries.ORDERS)
        }

        def parts(part: type[_T], query: LiteralString) -> Mapping[int, list[Any]]:
            grouped: dict[int, list[Any]] = defaultdict(list)
            for row in cursor.execute(query, wanted):
                counted = {"orders": orders.get(row.get("tree", 0), 0)}
                grouped[row["relation"]].append(_build(part, row | counted))
            return grouped

        column_acl = queries.ACL.format(acl="a.attacl")
        by_relation = {
            "columns": parts(Column, queries.COLUMNS.format(acl=column_acl)),
            "constraints": parts(Constraint, queries.CONSTRAINTS),
            "indexes": parts(Index, queries.INDEXES),
            "triggers": parts(Trigger, dependent_queries.TRIGGERS),
            "policies": parts(Policy, dependent_queries.POLICIES),
            "rules": parts(Rule, dependent_queries.RULES),
            "statistics": parts(Statistics, dependent_queries.STATISTICS),
            "dependents": parts(Dependent, dependent_queries.DEPENDENTS),
            "publications": parts(
                Publication,
                dependent_queries.PUBLICATIONS.format(
                    **(dependent_queries.LISTS if version >= 15 else dependent_queries.NO_LISTS)
                ),
            ),
        }
        relation_acl = queries.ACL.format(
            acl="coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END"
            '::"char", c.relowner))'
        )
        relations = {}
        for row in cursor.execute(queries.RELATIONS.format(acl=relation_acl), wanted):
            of = {kind: tuple(groups.get(row["oid"], ())) for kind, groups in by_relation.items()}
            relation = _build(Relation, row | of)
            relations[relation.qualified] = relation
        function_acl = queries.ACL.format(acl="coalesce(p.proacl, acldefault('f', p.proowner))")
        functions = {
            Name(row["schema"], row["signature"]): _build(Function, row)
            for row in cursor.execute(dependent_queries.FUNCTIONS.format(acl=function_acl), wanted)
        }
        types = {
            Name(row["schema"], row["name"]): _build(NamedType, row)
            for row in cursor.execute(queries.TYPES, wanted)
        }
    return Catalog(version, tuple(schemas), relations, functions, types)


def with_dependents(connection: Connection[Any], schemas: Sequence[str]) -> tuple[str, ...]:
    """Schemas, and those of views and functions that stand on what they hold.

    Args:
        connection: a connection of any row factory.
        schemas: the schemas to begin with, which come first.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(dependent_queries.DEPENDENT_SCHEMAS, {"schemas": list(schemas)})
        return tuple(dict.fromkeys([*schemas, *(row["nspname"] for row in rows)]))


def _build(part: type[_T], row: Mapping[str, Any]) -> _T:
    """Make a part from those columns of a row that are its fields."""
    values = {f.name: row[f.name] for f in fields(part) if f.name in row}  # type: ignore[arg-type]
    for name, value in values.items():
        if name in _NAMES:
            values[name] = Name(*value) if value else None
        elif isinstance(value, list):
            values[name] = tuple(tuple(v) if isinstance(v, list) else v for v in value)
    return part(**values)


_NAMES = {"type_name", "function", "references", "host"}
