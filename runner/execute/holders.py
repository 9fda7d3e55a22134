"""Looks who holds a table for long, so that a file need not queue for its lock in vain.

Who queues for a strong lock stalls every client that comes after. A transaction that has been
open for a second will hardly end within a lock_timeout, and a vacuum will not, so the run waits for
them without queueing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.quoting import quote_literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Connection

    from runner.ledger.scanner import Statement

LONG_SECONDS = 1.0
_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_STRONG = re.compile(
    rf"""\b(?:ALTER|DROP)\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?
         ({_NAME}(?:\s*\.\s*{_NAME})?)""",
    re.VERBOSE | re.IGNORECASE,
)
# It takes a weak lock, which readers and writers do not hold up.
_WEAK = re.compile(r"\bVALIDATE\s+CONSTRAINT\b", re.IGNORECASE)


@dataclass(frozen=True)
class Holder:
    """A session with a long transaction, or a prepared one, that holds a lock on a table.

    Args:
        pid: its server process; 0 for a prepared transaction, which has none.
        description: who it is, and for how long.
    """

    pid: int
    description: str


def strongly_locked(statements: Iterable[Statement]) -> list[str]:
    """Names of the tables that statements lock against everyone, as they are written."""
    texts = [s.text for s in statements if not _WEAK.search(s.text)]
    return sorted({match[1] for text in texts for match in _STRONG.finditer(text)})


def long_holders(connection: Connection, tables: Iterable[str]) -> list[Holder]:
    """Find the long transactions that hold locks on tables.

    Args:
        connection: to the database.
        tables: names; those that do not exist are left out.

    Returns:
        The holders, oldest transaction first; those that the role may not see are left out.
        Prepared transactions come last.
    """
    names = list(tables)
    rows = connection.execute(
        """
        SELECT a.pid, a.usename, a.application_name, a.state, a.query, n.relname,
               extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS age
        FROM unnest(%s::text[]) AS t
        JOIN pg_catalog.pg_class n ON n.oid = to_regclass(t)
        JOIN pg_catalog.pg_locks l ON l.relation = n.oid AND l.granted AND l.locktype = 'relation'
            AND l.database = (SELECT oid FROM pg_catalog.pg_database
                              WHERE datname = current_database())
        JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
        WHERE a.pid <> pg_catalog.pg_backend_pid()
            AND (
                a.xact_start < clock_timestamp() - make_interval(secs => %s)
                OR a.backend_type = 'autovacuum worker'
            )
        ORDER BY a.xact_start
        """,
        [names, LONG_SECONDS],
    ).fetchall()
    holders = {
        pid: Holder(
            pid,
            f"process {pid} ({user or 'autovacuum'}, {application or 'no application name'},"
            f" {state or 'working'}) holds {table}, its transaction is open for {age:.0f} s:"
            f" {query[:60]}",
        )
        for pid, user, application, state, query, table, age in rows
    }
    return [*holders.values(), *_prepared(connection, names)]


def _prepared(connection: Connection, tables: list[str]) -> list[Holder]:
    """The prepared transactions that hold locks on tables: no session ends them."""
    rows = connection.execute(
        """
        SELECT DISTINCT ON (p.prepared, p.gid) p.gid, p.owner, n.relname, p.prepared
        FROM unnest(%s::text[]) AS t
        JOIN pg_catalog.pg_class n ON n.oid = to_regclass(t)
        JOIN pg_catalog.pg_locks l ON l.relation = n.oid AND l.granted AND l.locktype = 'relation'
            AND l.pid IS NULL
        JOIN pg_catalog.pg_locks own ON own.virtualtransaction = l.virtualtransaction
            AND own.pid IS NULL AND own.locktype = 'transactionid'
        JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = own.transactionid
            AND p.database = current_database()
        ORDER BY p.prepared, p.gid, n.relname
        """,
        [tables],
    ).fetchall()
    return [
        Holder(
            0,
            f"a prepared transaction ({owner}) holds {table} since {prepared:%Y-%m-%d %H:%M %Z}:"
            f" COMMIT PREPARED or ROLLBACK PREPARED {quote_literal(gid)}",
        )
        for gid, owner, table, prepared in rows
    ]
