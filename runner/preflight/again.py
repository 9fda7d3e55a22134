"""What one pass cannot settle, asked again: only where the pass saw a reason to.

Rows that reference nothing are first looked for by their text, and two texts can be one uuid.
Values that become the same need a GROUP BY.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from runner.generate.column_change import ColumnChange
from runner.generate.kinds import twins
from runner.generate.model import IndexChange, TableChange
from runner.preflight.reading import expression, expressions, fetch_all, fetch_one, table
from runner.preflight.report import SAMPLES, SHOWN, Finding, Sample, Severity
from runner.preflight.rules import as_text, is_uuid, same_uuid
from runner.quoting import Name, quote_ident, quote_name


@dataclass(frozen=True, slots=True)
class Reference:
    """Columns whose values must be found in another table.

    Args:
        columns: the columns.
        parent: the other table.
        parent_columns: its columns, in the same order.
        name: the foreign key that says so; None when only the column's name does.
        is_uuid: whether the values are compared as uuids.
        is_proven: whether the foreign key was validated; the new one is like it.
    """

    columns: tuple[str, ...]
    parent: Name
    parent_columns: tuple[str, ...]
    name: str | None
    is_uuid: bool
    is_proven: bool = True


def orphans(change: TableChange, reference: Reference) -> sql.Composed:
    """The FROM of a query of rows that reference nothing, by their texts: almost always none.

    A foreign key does not prove that there are none: who may switch its triggers off, a restore or
    a subscription writes past it.

    Args:
        change: how the table is converted.
        reference: what its rows must be found in.
    """
    return sql.SQL("FROM {} AS t WHERE {}").format(
        table(change.old), expression(_without_parent(reference, str))
    )


def _without_parent(reference: Reference, compared: Callable[[str], str]) -> str:
    """SQL: whether a row `t` references nothing, where its values are compared in some way."""
    child = [f"t.{quote_ident(c)}" for c in reference.columns]
    there = [f"p.{quote_ident(c)}" for c in reference.parent_columns]
    filled = " AND ".join(f"{column} IS NOT NULL" for column in child)
    pairs = zip(there, child, strict=True)
    matches = " AND ".join(f"{compared(far)} = {compared(near)}" for far, near in pairs)
    parent = quote_name(reference.parent)
    return f"{filled} AND NOT EXISTS (SELECT FROM {parent} AS p WHERE {matches})"


def find_orphans(
    connection: Connection[Any], change: TableChange, reference: Reference
) -> Iterator[Finding]:
    """List the rows that reference nothing.

    Args:
        connection: in a read-only transaction.
        change: how the table is converted.
        reference: what its rows must be found in.
    """
    condition = _without_parent(reference, same_uuid if reference.is_uuid else str)
    found = fetch_all(
        connection,
        sql.SQL(
            "SELECT left({value}::text, {shown}), count(*), sum(count(*)) OVER () FROM {table} AS t"
            " WHERE {condition} GROUP BY {value} ORDER BY 2 DESC, 1 LIMIT {limit}"
        ).format(
            value=expression(f"t.{quote_ident(reference.columns[0])}"),
            shown=sql.Literal(SHOWN),
            table=table(change.old),
            condition=expression(condition),
            limit=sql.Literal(SAMPLES),
        ),
    )
    if not found:
        return
    if reference.name and not reference.is_proven:
        severity = Severity.KNOW
        problem = (
            f"references rows that {reference.parent} does not have ({reference.name}, which was "
            "never validated)"
        )
        hint = "The new foreign key will not be validated either."
    elif reference.name:
        severity = Severity.STOPS
        problem = f"references rows that {reference.parent} does not have ({reference.name})"
        hint = "The new foreign key could not be validated: correct or delete these rows."
    else:
        severity = Severity.KNOW
        problem = f"looks like a reference, to rows that {reference.parent} does not have"
        hint = "No foreign key says that it is one, and none will be made."
    yield Finding(
        severity,
        f"{change.old}.{reference.columns[0]}",
        problem,
        int(found[0][2]),
        tuple(Sample(value, rows) for value, rows, _ in found),
        f"SELECT t.* FROM {quote_name(change.old)} AS t WHERE {condition};",  # noqa: S608 - shown
        hint,
    )


def find_collisions(
    connection: Connection[Any], change: TableChange, respelled: frozenset[str]
) -> Iterator[Finding]:
    """List the rows that are different now and would be the same under a unique index.

    Args:
        connection: in a read-only transaction.
        change: how the table is converted.
        respelled: the columns in which different texts may become one value; an index without
            one of them is not looked at.
    """
    for index in change.indexes:
        if not index.unique or not respelled.intersection(index.columns):
            continue
        keys, predicate = _index_keys(connection, change, index.old_name)
        if not keys:
            yield from _twins(connection, change, index)
            continue
        if not respelled.intersection(keys):
            continue
        columns, comparable = _compared(change, keys)
        kept = [f"({predicate})"] if predicate else []
        shown = next(k for k in keys if k in respelled)
        found = fetch_all(
            connection,
            sql.SQL(
                "SELECT min({value}), max({value}), count(*), sum(count(*)) OVER () FROM {table}"
                " WHERE {where} GROUP BY {columns} HAVING count(*) > 1"
                " ORDER BY 3 DESC, 1 LIMIT {limit}"
            ).format(
                value=sql.SQL('left({}::text, {}) COLLATE "C"').format(
                    sql.Identifier(shown), sql.Literal(SHOWN)
                ),
                table=table(change.old),
                where=expressions([*kept, *comparable], " AND "),
                columns=expressions(columns),
                limit=sql.Literal(SAMPLES),
            ),
        )
        if found:
            yield Finding(
                Severity.STOPS,
                f"{change.old}.{shown}",
                f"holds values that become equal, and {index.old_name} is unique",
                int(found[0][3]),
                tuple(Sample(f"{least} = {greatest}", rows) for least, greatest, rows, _ in found),
                _shown_collisions(change.old, columns, kept),
                "Decide which row stays, and point references to the others at it.",
            )


def _twins(
    connection: Connection[Any], change: TableChange, index: IndexChange
) -> Iterator[Finding]:
    """The same of an index of expressions, or one that takes nulls for equal."""
    for found in twins.of_table(change, _never_failing):
        if found.index is not index:
            continue
        query = expression(found.query)
        rows = fetch_all(
            connection,
            sql.SQL(
                "SELECT pair, rows, sum(rows) OVER () FROM ({query}) AS twins"
                " ORDER BY 2 DESC, 1 LIMIT {limit}"
            ).format(query=query, limit=sql.Literal(SAMPLES)),
        )
        if rows:
            yield Finding(
                Severity.STOPS,
                f"{change.old}.{found.columns[0]}",
                f"holds values that become equal, and {index.old_name} is unique",
                int(rows[0][2]),
                tuple(Sample(pair, count) for pair, count, _ in rows),
                f"{found.query};",
                "Decide which row stays, and point references to the others at it.",
            )


def _never_failing(column: ColumnChange, value: str) -> str:
    """A column's new value as SQL; null where it is no uuid."""
    if column.new_type != "uuid":
        return f"({column.new_from(value)})::{column.new_type}"
    text = as_text(column)
    return f"CASE WHEN {is_uuid(text)} THEN ({text})::uuid END"


def _shown_collisions(name: Name, columns: list[str], kept: list[str]) -> str:
    key, where = ", ".join(columns), "".join(f"{condition} AND " for condition in kept)
    row = f"({key})" if len(columns) > 1 else key
    inner = f" WHERE {' AND '.join(kept)}" if kept else ""
    return (
        f"SELECT * FROM {quote_name(name)} WHERE {where}{row} IN"  # noqa: S608 - shown, not run
        f" (SELECT {key} FROM {quote_name(name)}{inner} GROUP BY {key} HAVING count(*) > 1)"
        f" ORDER BY {key};"
    )


def _compared(change: TableChange, keys: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """An index's key as the new contract has it, and the conditions under which it is one."""
    columns, conditions = [], []
    for name in keys:
        quoted = quote_ident(name)
        conditions.append(f"{quoted} IS NOT NULL")
        if name not in change.converted:
            columns.append(quoted)
            continue
        converted = change.converted[name]
        if converted.new_type == "uuid":
            text = as_text(converted)
            columns.append(same_uuid(text))
            conditions[-1] = is_uuid(text)
        else:
            columns.append(converted.new_from(quoted))
    return columns, conditions


def _index_keys(
    connection: Connection[Any], change: TableChange, name: str
) -> tuple[tuple[str, ...], str | None]:
    """An index's key columns and its predicate; no columns where they do not tell what is equal."""
    keys, predicate = fetch_one(
        connection,
        sql.SQL(
            """
            SELECT
                CASE WHEN x.indexprs IS NULL AND NOT {nulls} THEN ARRAY(
                    SELECT a.attname::text
                    FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                    JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
                    WHERE k.place <= x.indnkeyatts
                    ORDER BY k.place
                ) ELSE '{{}}' END,
                pg_get_expr(x.indpred, x.indrelid)
            FROM pg_index AS x
            WHERE x.indexrelid = {}::regclass
            """
        ).format(
            sql.Literal(quote_name(Name(change.old.schema, name))),
            nulls=sql.SQL(
                "x.indnullsnotdistinct" if connection.info.server_version >= 150000 else "false"
            ),
        ),
    )
    return tuple(keys), predicate
