"""PostgreSQL's catalog as frozen dataclasses, and the differences between two of them.

Definitions are the server's own (`pg_get_indexdef`, `pg_get_constraintdef`, ...), read with an
empty search_path, so that every name in them is qualified. Source: PostgreSQL manual, chapter
"System Catalogs".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, LiteralString, NamedTuple, TypeVar

from psycopg import Connection
from psycopg.rows import dict_row

_T = TypeVar("_T")


class Name(NamedTuple):
    """A schema-qualified name."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or view."""

    name: str
    type: str
    not_null: bool
    default: str | None = None
    generated: str = ""
    identity: str = ""
    collation: str | None = None
    storage: str = ""
    compression: str = ""
    statistics_target: int | None = None
    options: tuple[str, ...] = ()
    acl: tuple[str, ...] = ()
    comment: str | None = None
    type_name: Name | None = None  # without the array, when it is one
    is_array: bool = False


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint of a table; `definition` is what follows `CONSTRAINT name`."""

    name: str
    kind: str  # p, u, f, c, x, n as in pg_constraint.contype
    definition: str
    columns: tuple[str, ...]
    validated: bool
    comment: str | None = None
    index: str | None = None
    references: Name | None = None
    referenced_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a table."""

    name: str
    definition: str
    columns: tuple[str, ...]  # every column it mentions: keys, included, expression, predicate
    unique: bool
    valid: bool
    constraint: str | None = None
    clustered: bool = False
    replica_identity: bool = False
    comment: str | None = None

    @property
    def method(self) -> str:
        """The definition from `USING` on: the part that names neither the index nor its table."""
        quoted = False
        for position, char in enumerate(self.definition):
            if char == '"':
                quoted = not quoted
            elif not quoted and self.definition.startswith(" USING ", position):
                return self.definition[position + 1 :]
        return self.definition


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that a user made."""

    name: str
    definition: str
    enabled: str
    function: Name
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """A row security policy."""

    name: str
    command: str
    permissive: bool
    roles: tuple[str, ...]
    using: str | None
    with_check: str | None


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view, materialized view, sequence or foreign table."""

    schema: str
    name: str
    kind: str  # r, p, v, m, S, f as in pg_class.relkind
    owner: str
    acl: tuple[str, ...] = ()
    comment: str | None = None
    options: tuple[str, ...] = ()
    persistence: str = "p"
    row_security: bool = False
    force_row_security: bool = False
    replica_identity: str = "d"
    definition: str | None = None
    parents: tuple[str, ...] = ()
    partition_key: str | None = None
    partition_bound: str | None = None
    owned_by: str | None = None
    publications: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    policies: tuple[Policy, ...] = ()
    rules: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()

    @property
    def qualified(self) -> Name:
        """The relation's schema-qualified name."""
        return Name(self.schema, self.name)

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((c for c in self.columns if c.name == name), None)

    def constraint(self, name: str) -> Constraint | None:
        """The constraint of that name, or None."""
        return next((c for c in self.constraints if c.name == name), None)

    @property
    def primary_key(self) -> Constraint | None:
        """The primary key, or None."""
        return next((c for c in self.constraints if c.kind == "p"), None)


@dataclass(frozen=True, slots=True)
class Function:
    """A function or procedure."""

    schema: str
    signature: str
    definition: str
    owner: str
    acl: tuple[str, ...]
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class NamedType:
    """A native enum type, or a domain: then `labels` is empty and `definition` says what it is."""

    schema: str
    name: str
    owner: str
    labels: tuple[str, ...] = ()
    definition: str | None = None


@dataclass(frozen=True, slots=True)
class _Definition:
    definition: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the chosen schemas of one database hold."""

    version: int
    schemas: tuple[str, ...]
    relations: Mapping[Name, Relation] = field(default_factory=dict)
    functions: Mapping[Name, Function] = field(default_factory=dict)
    types: Mapping[Name, NamedType] = field(default_factory=dict)

    @property
    def tables(self) -> Iterator[Relation]:
        """Ordinary and partitioned tables, in the order of their names."""
        return (r for _, r in sorted(self.relations.items()) if r.kind in "rp")


@dataclass(frozen=True, slots=True)
class Difference:
    """One property of one object in which a catalog differs from the expected one."""

    object: str
    property: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        if self.property == "exists":
            return f"{self.object}: {'missing' if self.expected else 'not expected'}"
        return f"{self.object}: {self.property} is {self.found!r}, expected {self.expected!r}"


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
    CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
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
    ) AS referenced_columns
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_class AS i ON i.oid = k.conindid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_class AS fc ON fc.oid = k.confrelid
LEFT JOIN pg_namespace AS fn ON fn.oid = fc.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND k.contype IN ('p', 'u', 'f', 'c', 'x', 'n')
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


_PARTS = ("columns", "constraints", "indexes", "triggers", "policies")


def diff(
    expected: Catalog, found: Catalog, *, column_order: bool = True, ignore: Iterable[str] = ()
) -> list[Difference]:
    """List every property of every object in which `found` differs from `expected`.

    Args:
        expected: the catalog that should be.
        found: the catalog that is.
        column_order: whether the physical order of columns counts.
        ignore: names of relations' properties that do not count, such as "owner".

    Returns:
        The differences, in the order of the objects' names; empty when there are none.
    """
    skipped = frozenset(ignore)
    differences: list[Difference] = []
    for kind in ("relations", "functions", "types"):
        old, new = getattr(expected, kind), getattr(found, kind)
        for name in sorted(old.keys() | new.keys()):
            label = f"{kind.removesuffix('s')} {name}"
            differences += _compare(label, old.get(name), new.get(name), skipped, column_order)
    return differences


def _compare(
    label: str, old: Any, new: Any, skipped: frozenset[str], column_order: bool
) -> Iterator[Difference]:
    if old is None or new is None:
        yield Difference(label, "exists", old is not None, new is not None)
        return
    for name in (f.name for f in fields(old)):
        before, after = getattr(old, name), getattr(new, name)
        if name in skipped or before == after:
            continue
        if name not in _PARTS:
            yield Difference(label, name, before, after)
            continue
        left, right = {x.name: x for x in before}, {x.name: x for x in after}
        for part in sorted(left.keys() | right.keys()):
            yield from _compare(
                f"{label} {name.removesuffix('s')} {part}",
                left.get(part),
                right.get(part),
                skipped,
                column_order,
            )
        if name == "columns" and column_order and left.keys() == right.keys():
            order = [x.name for x in before], [x.name for x in after]
            if order[0] != order[1]:
                yield Difference(label, "column order", *order)
