"""Which columns of uuids hold the ids of a table, where no foreign key says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection, sql

from runner.catalog import Catalog
from runner.standard.evidence import readable_tables
from runner.standard.keys import Join, Key, Verdicts

_LOOKED_AT = 20  # values by which the table is found


def read_joins(
    connection: Connection[Any], catalog: Catalog, verdicts: Verdicts
) -> dict[Key, Join]:
    """Look in the known ids for the values of each column that no key speaks for.

    Args:
        connection: the database; only read.
        catalog: what it holds.
        verdicts: of uuid_verdicts.

    Returns:
        The ids that a column's values are, most of them or all; columns without are left out.
    """
    native = {
        key
        for key in verdicts.known
        if (c := catalog.relations[key[0]].column(key[1])) is not None and c.type == "uuid"
    }
    readable = readable_tables(connection, catalog)
    query = sql.SQL(
        "SELECT DISTINCT v FROM (SELECT {c}::text AS v FROM {t} WHERE {c} IS NOT NULL LIMIT 1000)"
        " AS x LIMIT {n}"
    )
    found = {}
    for key in verdicts.loose:
        values = [row[0] for row in connection.execute(query.format(**_names(key), n=_LOOKED_AT))]
        hits = {
            known: _hits(connection, known, values, is_native=known in native)
            for known in verdicts.known
            if known != key and known[0] in readable
        }
        best = max(hits, key=lambda known: hits[known], default=None)
        if best is not None and hits[best]:
            found[key] = Join(best, _missing(connection, key, best), tied=best not in native)
    return found


def _hits(
    connection: Connection[Any], known: Key, values: Sequence[str], *, is_native: bool
) -> int:
    """How many values are among known ids; their index serves."""
    # No parameter: beside one, a % in a name would be one, too.
    query = sql.SQL("SELECT count(*) FROM {t} WHERE {c} = ANY ({values}{cast})").format(
        **_names(known),
        values=sql.Literal(list(values)),
        cast=sql.SQL("::uuid[]" if is_native else "::text[]"),
    )
    row = connection.execute(query).fetchone()
    return row[0] if row else 0


def _missing(connection: Connection[Any], key: Key, known: Key) -> int:
    """How many values of a column are no known ids, in any spelling."""
    query = sql.SQL(
        "SELECT count(*) FROM {t} AS v WHERE v.{c} IS NOT NULL AND NOT EXISTS"
        " (SELECT FROM {known} AS k WHERE k.{id}::text::uuid = v.{c}::text::uuid)"
    ).format(**_names(key), known=sql.Identifier(*known[0]), id=sql.Identifier(known[1]))
    row = connection.execute(query).fetchone()
    return row[0] if row else 0


def _names(key: Key) -> dict[str, sql.Composable]:
    return {"t": sql.Identifier(*key[0]), "c": sql.Identifier(key[1])}
