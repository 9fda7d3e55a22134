"""Rows for a rehearsal: a sample of a live database that no foreign key is missing a parent in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psycopg import Connection, Error, sql

from runner.catalog import Catalog, Constraint, Relation
from runner.execute.drift import is_record
from runner.quoting import Name

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_ROUNDS = 100  # of fetching parents; each is one step up a chain of foreign keys
_BATCH = 5000


@dataclass(frozen=True)
class Size:
    """How large a table is: rows as the server estimates them, bytes without indexes."""

    rows: int
    bytes: int


def service_tables(catalog: Catalog) -> list[Relation]:
    """The tables of a service: no records, nothing of the schema trueup, no partitions."""
    return [
        table
        for table in catalog.tables
        if table.schema != "trueup" and not is_record(table.qualified) and not _is_part(table)
    ]


def read_sizes(connection: Connection[Any], catalog: Catalog) -> dict[Name, Size]:
    """The sizes of a service's tables; the sum over its partitions for a partitioned one.

    Args:
        connection: to the database.
        catalog: what it holds.

    Returns:
        By name. A table that was never analyzed and may not be read has 0 rows.
    """
    sizes = {}
    for table in service_tables(catalog):
        row = connection.execute(
            """
            SELECT
                sum(c.reltuples / greatest(c.relpages, 1)
                    * pg_catalog.pg_relation_size(c.oid)
                    / current_setting('block_size')::integer)
                    FILTER (WHERE c.reltuples > 0)::bigint,
                sum(pg_catalog.pg_table_size(c.oid))::bigint,
                bool_or(c.reltuples < 0 AND c.relkind = 'r')
            -- A name cast to regclass would fail where the schema is closed to this role.
            FROM pg_catalog.pg_class AS t
            JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
            JOIN pg_catalog.pg_class AS c ON c.oid = t.oid
                OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(t.oid))
            WHERE (n.nspname, t.relname) = (%s, %s)
            """,
            table.qualified,
        ).fetchone()
        assert row is not None
        rows, size, unknown = row
        if unknown:
            rows = _count(connection, table) or rows
        sizes[table.qualified] = Size(rows or 0, size or 0)
    return sizes


def copy_sample(
    source: Connection[Any], target: Connection[Any], catalog: Catalog, rows: int
) -> dict[Name, int]:
    """Copy a sample of each table, and every row that the sample references.

    Args:
        source: the database to read; in a read-only transaction.
        target: the database to fill; its tables are empty, and no foreign key is checked.
        catalog: the tables, as both have them.
        rows: most rows a table, before parents are fetched.

    Returns:
        How many rows each table has now.

    Raises:
        psycopg.Error: a table may not be read, or a row does not fit.
    """
    sizes = read_sizes(source, catalog)
    copied: dict[Name, int] = {}
    for table in catalog.tables:
        if _is_part(table) or (is_record(table.qualified) and _has_rows(target, table)):
            continue
        known = sizes.get(table.qualified)
        whole = known is None or known.rows <= rows
        copied[table.qualified] = _copy(source, target, table, _sample(table, rows, known, whole))
    for _ in range(MOST_ROUNDS):
        fetched = 0
        for table, key in _foreign_keys(catalog):
            count = _fetch_parents(source, target, catalog, table, key)
            assert key.references is not None
            copied[key.references] = copied.get(key.references, 0) + count
            fetched += count
        if not fetched:
            break
    return copied


def visible(connection: Connection[Any], catalog: Catalog) -> Catalog:
    """The catalog without tables whose rows are hidden from the role: anybody's policies would run.

    Args:
        connection: to the database.
        catalog: what it holds.
    """
    found = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relrowsecurity AND pg_catalog.row_security_active(c.oid)"
    ).fetchall()
    hidden = {Name(*row) for row in found}
    relations = {name: r for name, r in catalog.relations.items() if name not in hidden}
    return replace(catalog, relations=relations)


def columns_of(table: Relation) -> sql.Composed:
    """The columns that can be written, as a list for SELECT and COPY."""
    return sql.SQL(", ").join(sql.Identifier(c.name) for c in table.columns if not c.generated)


def name_of(table: Relation) -> sql.Composable:
    """The table in a FROM clause, without the tables that inherit from it."""
    name = sql.Identifier(*table.qualified)
    return name if table.kind == "p" else sql.SQL("ONLY {}").format(name)


def _sample(table: Relation, rows: int, known: Size | None, whole: bool) -> sql.Composed:
    query = sql.SQL("SELECT {} FROM {}").format(columns_of(table), name_of(table))
    if whole or known is None:
        return query
    # A little more than needed, as a block sample has no exact size; the limit cuts it.
    share = min(100.0, 100.0 * rows / known.rows * 1.3 + 0.1)
    return query + sql.SQL(" TABLESAMPLE SYSTEM ({}) REPEATABLE (1) LIMIT {}").format(
        sql.Literal(share), sql.Literal(rows)
    )


def _copy(
    source: Connection[Any], target: Connection[Any], table: Relation, query: sql.Composed
) -> int:
    read = sql.SQL("COPY ({}) TO STDOUT").format(query)
    write = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(*table.qualified), columns_of(table)
    )
    with target.cursor() as cursor:
        with source.cursor().copy(read) as out, cursor.copy(write) as into:
            for block in out:
                into.write(block)
        return max(0, cursor.rowcount)


def _foreign_keys(catalog: Catalog) -> Iterator[tuple[Relation, Constraint]]:
    for table in catalog.tables:
        for constraint in table.constraints:
            if constraint.kind == "f" and constraint.references in catalog.relations:
                yield table, constraint


def _fetch_parents(
    source: Connection[Any],
    target: Connection[Any],
    catalog: Catalog,
    table: Relation,
    key: Constraint,
) -> int:
    """Copy the parents that rows of the target's child table miss."""
    assert key.references is not None
    parent = catalog.relations[key.references]
    pairs = list(zip(key.columns, key.referenced_columns, strict=True))
    missing = target.execute(
        sql.SQL(
            "SELECT DISTINCT {columns} FROM {child} AS c WHERE {filled} AND NOT EXISTS"
            " (SELECT FROM {parent} AS p WHERE {same})"
        ).format(
            columns=sql.SQL(", ").join(
                sql.SQL("{}::text").format(sql.Identifier("c", c)) for c, _ in pairs
            ),
            child=name_of(table),
            parent=sql.Identifier(*parent.qualified),
            filled=sql.SQL(" AND ").join(
                sql.SQL("{} IS NOT NULL").format(sql.Identifier("c", c)) for c, _ in pairs
            ),
            same=sql.SQL(" AND ").join(
                sql.SQL("{} = {}").format(sql.Identifier("p", p), sql.Identifier("c", c))
                for c, p in pairs
            ),
        )
    ).fetchall()
    types = {column.name: column.type for column in parent.columns}
    fetched = 0
    for start in range(0, len(missing), _BATCH):
        batch = missing[start : start + _BATCH]
        lists = [
            sql.SQL("{}::{}[]").format(sql.Literal([row[i] for row in batch]), sql.SQL(types[p]))
            for i, (_, p) in enumerate(pairs)
        ]
        query = sql.SQL(
            "SELECT {columns} FROM {parent} WHERE ({keys}) IN (SELECT * FROM unnest({lists}))"
        ).format(
            columns=columns_of(parent),
            parent=name_of(parent),
            keys=sql.SQL(", ").join(sql.Identifier(p) for _, p in pairs),
            lists=sql.SQL(", ").join(lists),
        )
        fetched += _copy(source, target, parent, query)
    return fetched


def _is_part(table: Relation) -> bool:
    return table.partition_bound is not None


def _count(connection: Connection[Any], table: Relation) -> int | None:
    try:
        with connection.transaction():
            row = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(name_of(table))
            ).fetchone()
    except Error:
        return None
    return row[0] if row else None


def _has_rows(connection: Connection[Any], table: Relation) -> bool:
    query = sql.SQL("SELECT FROM {} LIMIT 1").format(name_of(table))
    return connection.execute(query).fetchone() is not None
