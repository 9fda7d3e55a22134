"""What JSON documents hold at their paths: few words again and again are an enum there, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql

from runner.catalog import Catalog
from runner.standard.evidence import MANY_VALUES, readable_tables
from runner.standard.keys import tables_of

_DOCUMENTS = 1000  # looked at in a column
_LARGE = 16_384  # bytes of a document that is passed over
_DEEP = 3  # keys of a path
_LONG = 40  # letters of a value
# A path to a text, through objects alone: the standard has no paths through arrays.
_PATHS = sql.SQL("""
    WITH RECURSIVE document AS MATERIALIZED (
        SELECT d::jsonb AS value
        FROM (SELECT {column} AS d FROM {table} WHERE pg_column_size({column}) < {large}
            LIMIT {documents}) AS x
        WHERE strpos(d::text, E'\\\\u0000') = 0
    ), item AS (
        SELECT ARRAY[]::text[] AS path, value FROM document
        UNION ALL
        SELECT path || key, inner_value
        FROM item,
            jsonb_each(CASE jsonb_typeof(value) WHEN 'object' THEN value ELSE '{{}}' END)
                AS pair (key, inner_value)
        WHERE cardinality(path) < {deep}
    )
    SELECT path, count(*), array_agg(DISTINCT value #>> '{{}}' COLLATE "C"),
        count(*) FILTER (WHERE jsonb_typeof(value) <> 'string'),
        (SELECT count(*) FROM document)
    FROM item
    WHERE path <> '{{}}' AND jsonb_typeof(value) NOT IN ('object', 'null')
    GROUP BY path
    HAVING count(DISTINCT value) BETWEEN 2 AND {many} AND max(length(value #>> '{{}}')) <= {long}
    ORDER BY path
""")


@dataclass(frozen=True, slots=True)
class Texts:
    """The few texts at one path of a JSON column.

    Args:
        keys: the path, the outermost key first.
        values: the texts.
        filled: documents that have one of them.
        documents: documents that were looked at.
    """

    keys: tuple[str, ...]
    values: tuple[str, ...]
    filled: int
    documents: int


def read_documents(
    connection: Connection[Any], catalog: Catalog
) -> Mapping[tuple[str, str, str], list[Texts]]:
    """Look at some documents of each JSON column.

    Args:
        connection: the database; only read.
        catalog: what it holds.

    Returns:
        The paths at which few texts stand, by schema, table and column.
    """
    readable = readable_tables(connection, catalog)
    found = {}
    for table in tables_of(catalog):
        for column in table.columns:
            if column.type not in {"json", "jsonb"} or table.qualified not in readable:
                continue
            query = _PATHS.format(
                column=sql.Identifier(column.name),
                table=sql.Identifier(table.schema, table.name),
                **{k: sql.Literal(v) for k, v in _LIMITS.items()},
            )
            try:
                with connection.transaction():
                    rows = connection.execute(query).fetchall()
            except psycopg.errors.DataError:
                continue  # a json that is no jsonb, such as a number without end
            texts = [
                Texts(tuple(path), tuple(values), filled, documents)
                for path, filled, values, others, documents in rows
                if not others and 2 * filled >= documents
            ]
            if texts:
                found[table.schema, table.name, column.name] = texts
    return found


_LIMITS = {
    "documents": _DOCUMENTS,
    "large": _LARGE,
    "deep": _DEEP,
    "many": MANY_VALUES,
    "long": _LONG,
}
