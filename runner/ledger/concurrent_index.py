"""Finds what an unfinished CREATE INDEX CONCURRENTLY leaves behind: often an invalid index."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from psycopg import Connection

    from runner.ledger.scanner import Statement

_NAME = r'(?:"(?:[^"]|"")+"|[^\s."(]+)'
_CREATE = re.compile(
    rf"""CREATE \s+ (?:UNIQUE\s+)? INDEX \s+ CONCURRENTLY \s+ (?:IF\s+NOT\s+EXISTS\s+)?
         (?P<index>{_NAME}) \s+ ON \s+ (?:ONLY\s+)? (?P<table>{_NAME}(?:\s*\.\s*{_NAME})?)""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class IndexName:
    """An index by schema and name."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def is_concurrent(statement: Statement) -> bool:
    """Tell whether a statement waits for other transactions without blocking them."""
    return "CONCURRENTLY" in statement.words


def find_invalid_index(connection: Connection, statement: Statement) -> IndexName | None:
    """Look for the invalid index that an earlier try of a statement left behind.

    Args:
        connection: to the database.
        statement: any statement.

    Returns:
        The index when the statement is a CREATE INDEX CONCURRENTLY and its index is there and
        invalid, else None.
    """
    created = _CREATE.match(statement.text)
    if created is None:
        return None
    row = connection.execute(
        """
        SELECT n.nspname, c.relname
        FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT i.indisvalid
          AND i.indrelid = pg_catalog.to_regclass(%s)
          AND c.relname = (pg_catalog.parse_ident(%s))[1]
        """,
        [created["table"], created["index"]],
    ).fetchone()
    return IndexName(*row) if row else None


def find_unrecorded_index(
    connection: Connection, statement: Statement, record: int
) -> IndexName | None:
    """Look for the valid index that an earlier run built and did not live to record.

    Args:
        connection: to the database.
        statement: any statement.
        record: id in the ledger of the run that is about to build it.

    Returns:
        The index when it was made after an earlier run had begun the same file, and that run left
        no word of how it ended; else None. An index that was there before is never returned.
    """
    created = _CREATE.match(statement.text)
    if created is None:
        return None
    row = connection.execute(
        """
        SELECT n.nspname, c.relname
        FROM trueup.ledger now
        JOIN trueup.ledger l
          ON l.migration_id = now.migration_id AND l.id < now.id AND l.state = 'STARTED'
        JOIN pg_catalog.pg_index i ON i.indrelid = pg_catalog.to_regclass(%s)
        JOIN pg_catalog.pg_class c
          ON c.oid = i.indexrelid AND c.relname = (pg_catalog.parse_ident(%s))[1]
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE now.id = %s
          AND pg_catalog.age(l.xmin) > pg_catalog.age(c.xmin)
          AND NOT EXISTS (SELECT FROM trueup.ledger d
                          WHERE d.migration_id = l.migration_id AND d.id > l.id
                            AND d.state = 'DONE')
        """,
        [created["table"], created["index"], record],
    ).fetchone()
    return IndexName(*row) if row else None


def drop_index(connection: Connection, index: IndexName) -> None:
    """Drop an index without blocking reads and writes of its table."""
    connection.execute(
        sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(
            sql.Identifier(index.schema, index.name)
        )
    )
