"""Reads PostgreSQL's catalog.

Definitions are the server's own (`pg_get_indexdef`, `pg_get_constraintdef`, ...), read with an
empty search_path, so that every name in them is qualified. Source: PostgreSQL manual, chapter
"System Catalogs".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, LiteralString, TypeVar

from psycopg import Connection
from psycopg.rows import dict_row

from runner.catalog.model import (
    Catalog,
    Column,
    Constraint,
    Dependent,
    Function,
    Index,
    Name,
    NamedType,
    Policy,
    Relation,
    Trigger,
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Definition:
    definition: str


_ACL: LiteralString = """
    ARRAY(
        SELECT coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC') || '=' || privilege_type
            || CASE WHEN is_grantable THEN '*' ELSE '' END
        FROM aclexplode({acl})
        ORDER BY 1
    )
"""

_RELATIONS: LiteralString = """
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
    pg_get_userbyid(c.relowner) AS owner,
    {acl} AS acl,
    obj_description(c.oid, 'pg_class') AS comment,
    coalesce(c.reloptions, '{{}}') AS options, c.relpersistence::text AS persistence,
    c.relrowsecurity AS row_security, c.relforcerowsecurity AS force_row_security,
    c.relreplident::text AS replica_identity,
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS definition,
    ARRAY(
        SELECT i.inhparent::regclass::text FROM pg_inherits AS i
        WHERE i.inhrelid = c.oid ORDER BY i.inhseqno
    ) AS parents,
    ARRAY(
        SELECT i.inhrelid::regclass::text FROM pg_inherits AS i
        WHERE i.inhparent = c.oid ORDER BY 1
    ) AS children,
    CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
    ARRAY(
        SELECT a.attname FROM pg_depend AS d
        JOIN pg_attribute AS a ON a.attrelid = d.objid AND a.attnum = d.objsubid
        WHERE c.relkind = 'p' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.deptype = 'i'
        ORDER BY 1
    ) AS partition_columns,
    pg_get_expr(c.relpartbound, c.oid) AS partition_bound,
    (
        SELECT d.refobjid::regclass::text || '.' || a.attname
        FROM pg_depend AS d
        JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
            AND d.deptype IN ('a', 'i')
    ) AS owned_by,
    ARRAY(
        SELECT p.pubname FROM pg_publication_rel AS r
        JOIN pg_publication AS p ON p.oid = r.prpubid WHERE r.prrelid = c.oid ORDER BY 1
    ) AS publications
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
"""

_COLUMNS: LiteralString = """
SELECT a.attrelid AS relation, a.attname AS name,
    format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS not_null,
    CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS default,
    CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) ELSE '' END AS generated,
    a.attidentity::text AS identity,
    CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END
        AS collation,
    a.attstorage::text AS storage, a.attcompression::text AS compression,
    nullif(a.attstattarget, -1)::integer AS statistics_target,
    coalesce(a.attoptions, '{{}}') AS options,
    CASE WHEN a.attacl IS NULL THEN '{{}}'::text[] ELSE {acl} END AS acl,
    col_description(a.attrelid, a.attnum) AS comment,
    ARRAY[coalesce(en.nspname, tn.nspname), coalesce(e.typname, t.typname)] AS type_name,
    e.oid IS NOT NULL AS is_array
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_type AS t ON t.oid = a.atttypid
JOIN pg_namespace AS tn ON tn.oid = t.typnamespace
LEFT JOIN pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
LEFT JOIN pg_namespace AS en ON en.oid = e.typnamespace
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""

_CONSTRAINTS: LiteralString = """
SELECT k.conrelid AS relation, k.conname AS name, k.contype::text AS kind,
    pg_get_constraintdef(k.oid) AS definition, k.convalidated AS validated,
    obj_description(k.oid, 'pg_constraint') AS comment, i.relname AS index,
    ARRAY(
        SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY AS x (attnum, position)
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = x.attnum
        ORDER BY x.position
    ) AS columns,
    CASE WHEN fc.oid IS NOT NULL THEN ARRAY[fn.nspname, fc.relname] END AS references,
    ARRAY(
        SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY AS x (attnum, position)
        JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = x.attnum
        ORDER BY x.position
    ) AS referenced_columns,
    k.coninhcount > 0 AS inherited, u.conname AS parent
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_class AS i ON i.oid = k.conindid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_class AS fc ON fc.oid = k.confrelid
LEFT JOIN pg_namespace AS fn ON fn.oid = fc.relnamespace
LEFT JOIN pg_constraint AS u ON u.oid = k.conparentid
WHERE n.nspname = ANY (%(schemas)s) AND k.contype IN ('p', 'u', 'f', 'c', 'x', 'n')
    -- A foreign key to a partitioned table has a row for each partition too.
    AND u.conrelid IS DISTINCT FROM k.conrelid
ORDER BY k.conrelid, k.conname
"""

_INDEXES: LiteralString = """
SELECT x.indrelid AS relation, i.relname AS name, pg_get_indexdef(x.indexrelid) AS definition,
    x.indisunique AS unique, x.indisvalid AS valid, x.indisclustered AS clustered,
    x.indisreplident AS replica_identity,
    (
        SELECT k.conname FROM pg_constraint AS k
        WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')
    ) AS constraint,
    obj_description(x.indexrelid, 'pg_class') AS comment,
    (
        SELECT p.relname FROM pg_inherits AS h JOIN pg_class AS p ON p.oid = h.inhparent
        WHERE h.inhrelid = x.indexrelid
    ) AS parent,
    ARRAY(
        SELECT a.attname FROM pg_depend AS d
        JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = x.indexrelid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = x.indrelid
            AND d.refobjsubid > 0
        UNION
        SELECT a.attname FROM unnest(x.indkey) AS k (attnum)
        JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
        WHERE k.attnum > 0
        ORDER BY 1
    ) AS columns
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_namespace AS n ON n.oid = i.relnamespace
WHERE n.nspname = ANY (%(schemas)s)
ORDER BY x.indrelid, i.relname
"""

_TRIGGERS: LiteralString = """
SELECT t.tgrelid AS relation, t.tgname AS name, pg_get_triggerdef(t.oid) AS definition,
    t.tgenabled::text AS enabled, ARRAY[fn.nspname, f.proname] AS function,
    obj_description(t.oid, 'pg_trigger') AS comment
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_proc AS f ON f.oid = t.tgfoid
JOIN pg_namespace AS fn ON fn.oid = f.pronamespace
WHERE n.nspname = ANY (%(schemas)s) AND NOT t.tgisinternal
ORDER BY t.tgrelid, t.tgname
"""

_POLICIES: LiteralString = """
SELECT p.polrelid AS relation, p.polname AS name, p.polcmd::text AS command,
    p.polpermissive AS permissive,
    ARRAY(
        SELECT coalesce(nullif(r, 0)::regrole::text, 'PUBLIC')
        FROM unnest(p.polroles) AS r ORDER BY 1
    ) AS roles,
    pg_get_expr(p.polqual, p.polrelid) AS using,
    pg_get_expr(p.polwithcheck, p.polrelid) AS with_check
FROM pg_policy AS p
JOIN pg_class AS c ON c.oid = p.polrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s)
ORDER BY p.polrelid, p.polname
"""

_RULES: LiteralString = """
SELECT r.ev_class AS relation, pg_get_ruledef(r.oid) AS definition
FROM pg_rewrite AS r
JOIN pg_class AS c ON c.oid = r.ev_class
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND r.rulename <> '_RETURN'
ORDER BY r.ev_class, r.rulename
"""

_STATISTICS: LiteralString = """
SELECT s.stxrelid AS relation, pg_get_statisticsobjdef(s.oid) AS definition
FROM pg_statistic_ext AS s
JOIN pg_class AS c ON c.oid = s.stxrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s)
ORDER BY s.stxrelid, s.stxname
"""

_DEPENDENTS: LiteralString = """
SELECT DISTINCT d.refobjid AS relation, a.attname AS column,
    CASE
        WHEN r.oid IS NOT NULL THEN pg_describe_object('pg_class'::regclass, r.ev_class, 0)
        ELSE pg_describe_object(d.classid, d.objid, 0)
    END AS name
FROM pg_depend AS d
JOIN pg_class AS c ON c.oid = d.refobjid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p')
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype = 'n'
    AND d.classid = ANY (
        ARRAY['pg_rewrite', 'pg_policy', 'pg_trigger', 'pg_proc']::regclass[]
    )
ORDER BY 1, 3, 2
"""

_FUNCTIONS: LiteralString = """
SELECT n.nspname AS schema,
    p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS signature,
    pg_get_functiondef(p.oid) AS definition, pg_get_userbyid(p.proowner) AS owner,
    {acl} AS acl, obj_description(p.oid, 'pg_proc') AS comment
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = ANY (%(schemas)s) AND p.prokind IN ('f', 'p')
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
"""

_TYPES: LiteralString = """
SELECT n.nspname AS schema, t.typname AS name, pg_get_userbyid(t.typowner) AS owner,
    ARRAY(
        SELECT e.enumlabel::text FROM pg_enum AS e WHERE e.enumtypid = t.oid
        ORDER BY e.enumsortorder
    ) AS labels,
    CASE WHEN t.typtype = 'd' THEN concat_ws(
        ' ', format_type(t.typbasetype, t.typtypmod), 'DEFAULT ' || t.typdefault,
        (SELECT string_agg(pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname)
         FROM pg_constraint AS k WHERE k.contypid = t.oid)
    ) END AS definition
FROM pg_type AS t
JOIN pg_namespace AS n ON n.oid = t.typnamespace
WHERE n.nspname = ANY (%(schemas)s) AND t.typtype IN ('e', 'd')
"""


def read_catalog(connection: Connection[Any], schemas: Sequence[str] = ("public",)) -> Catalog:
    """Read everything the given schemas hold, in one transaction that writes nothing.

    Args:
        connection: a connection of any row factory; a transaction that is open stays open.
        schemas: the schemas to read; one that does not exist reads as empty.

    Returns:
        The catalog.
    """
    wanted = {"schemas": list(schemas)}
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SELECT set_config('search_path', '', true)")

        def parts(part: type[_T], query: LiteralString) -> Mapping[int, list[Any]]:
            grouped: dict[int, list[Any]] = defaultdict(list)
            for row in cursor.execute(query, wanted):
                grouped[row["relation"]].append(_build(part, row))
            return grouped

        by_relation = {
            "columns": parts(Column, _COLUMNS.format(acl=_ACL.format(acl="a.attacl"))),
            "constraints": parts(Constraint, _CONSTRAINTS),
            "indexes": parts(Index, _INDEXES),
            "triggers": parts(Trigger, _TRIGGERS),
            "policies": parts(Policy, _POLICIES),
            "rules": parts(_Definition, _RULES),
            "statistics": parts(_Definition, _STATISTICS),
            "dependents": parts(Dependent, _DEPENDENTS),
        }
        relation_acl = _ACL.format(
            acl="coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END"
            '::"char", c.relowner))'
        )
        relations = {}
        for row in cursor.execute(_RELATIONS.format(acl=relation_acl), wanted):
            of = {kind: tuple(groups.get(row["oid"], ())) for kind, groups in by_relation.items()}
            for kind in ("rules", "statistics"):
                of[kind] = tuple(x.definition for x in of[kind])
            relation = _build(Relation, row | of)
            relations[relation.qualified] = relation
        function_acl = _ACL.format(acl="coalesce(p.proacl, acldefault('f', p.proowner))")
        functions = {
            Name(row["schema"], row["signature"]): _build(Function, row)
            for row in cursor.execute(_FUNCTIONS.format(acl=function_acl), wanted)
        }
        types = {
            Name(row["schema"], row["name"]): _build(NamedType, row)
            for row in cursor.execute(_TYPES, wanted)
        }
    version = connection.info.server_version // 10000
    return Catalog(version, tuple(schemas), relations, functions, types)


def _build(part: type[_T], row: Mapping[str, Any]) -> _T:
    """Make a part from those columns of a row that are its fields."""
    values = {f.name: row[f.name] for f in fields(part) if f.name in row}  # type: ignore[arg-type]
    for name, value in values.items():
        if name in _NAMES:
            values[name] = Name(*value) if value else None
        elif isinstance(value, list):
            values[name] = tuple(value)
    return part(**values)


_NAMES = {"type_name", "function", "references"}
