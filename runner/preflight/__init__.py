"""The preflight: what would stop a conversion, found before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.pq import TransactionStatus

from runner.catalog import Name, read_catalog
from runner.errors import ConnectionFailedError, LockedError, StatementError, TrueupError
from runner.preflight.access import check_server, check_tables
from runner.preflight.data import read_table
from runner.preflight.objects import check_objects
from runner.preflight.plan import make_plan, references
from runner.preflight.report import Finding, Report, Sample, Severity, TableRead
from runner.standard.model import Standard

__all__ = ["Finding", "Report", "Sample", "Severity", "TableRead", "check"]


def check(
    connection: Connection[Any],
    standard: Standard,
    *,
    on_table: Callable[[Name], None] = lambda _: None,
) -> Report:
    """Find everything that would stop the conversion of a database, and change nothing.

    It reads each table once, in one read-only transaction. What cannot be read is a finding.

    Args:
        connection: as the role that will migrate; no transaction is open.
        standard: the new contract.
        on_table: called with a table's name before its rows are read.

    Returns:
        The findings, those that stop the conversion first.

    Raises:
        LockedError: somebody holds a table's strongest lock for longer than a few seconds.
        StatementError: the server refused a query, or its time ran out.
        ConnectionFailedError: the connection was lost.
    """
    with _one_view(connection):
        findings = list(check_server(connection, standard))
        catalog = read_catalog(connection, (standard.schema,))
        plan = make_plan(standard, catalog)
        findings += plan.findings
        changes = [change for change, _ in plan.changes]
        readable, found = check_tables(connection, changes)
        findings += found
        findings += check_objects(connection, changes, catalog)
        tables = []
        for change, table in plan.changes:
            if change.old in readable:
                on_table(change.old)
                known = tuple(references(change, plan, readable))
                read, found = read_table(connection, change, table, catalog, known)
                tables.append(read)
                findings += found
    findings.sort(key=lambda f: f.severity is not Severity.STOPS)
    return Report(standard.service, tuple(findings), tuple(tables))


@contextmanager
def _one_view(connection: Connection[Any]) -> Iterator[None]:
    """One read-only transaction with one snapshot, which the server itself holds to that."""
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        raise TrueupError("a check needs a connection without an open transaction")
    before = connection.read_only, connection.isolation_level
    connection.read_only, connection.isolation_level = True, IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            # An error rather than hidden rows; no queue behind a strong lock; the queries are
            # long and simple, and compiling them costs more than it gives.
            connection.execute("SET LOCAL row_security = off")
            connection.execute("SET LOCAL lock_timeout = '5s'")
            connection.execute("SET LOCAL jit = off")
            yield
    except psycopg.errors.LockNotAvailable as error:
        raise LockedError(
            f"the check had to wait for a lock for 5 s: {error.diag.message_primary}",
            hint="Somebody is changing a table's definition; check again when it is done.",
        ) from None
    except psycopg.errors.QueryCanceled as error:
        raise StatementError(
            f"the server ended the check: {error.diag.message_primary}",
            hint="Give the role a longer statement_timeout: PGOPTIONS='-c statement_timeout=0'.",
        ) from None
    except psycopg.OperationalError as error:
        raise ConnectionFailedError(f"the server ended the check: {error}") from None
    except psycopg.Error as error:
        raise StatementError(f"the server refused a query of the check: {error}") from None
    finally:
        if not connection.closed:
            connection.read_only, connection.isolation_level = before
