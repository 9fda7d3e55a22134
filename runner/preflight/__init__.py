"""The preflight: what would stop a conversion, found before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from psycopg import Connection

from runner.catalog import read_catalog, with_dependents
from runner.preflight.access import check_locks, check_server, check_tables
from runner.preflight.beside import check_beside
from runner.preflight.data import Spellings, Wanted, column_keys, read_tables, sizes
from runner.preflight.files import check_files
from runner.preflight.objects import check_objects
from runner.preflight.plan import make_plan, only_window, references, units
from runner.preflight.reading import read_only
from runner.preflight.report import Finding, Report, Sample, Severity, TableRead
from runner.preflight.strangers import (
    check_creators,
    check_places,
    check_readers,
    check_strangers,
)
from runner.preflight.upserts import check_upserts
from runner.quoting import Name
from runner.standard.model import Standard
from runner.workload import Sent

__all__ = ["Finding", "Report", "Sample", "Severity", "TableRead", "check"]


def check(
    connection: Connection[Any],
    standard: Standard,
    *,
    folder: Path | None = None,
    whole: Standard | None = None,
    sent: Sequence[Sent] | None = None,
    on_table: Callable[[Name], None] = lambda _: None,
) -> Report:
    """Find everything that would stop the conversion of a database, and change nothing.

    It reads each table once, in one read-only transaction. What cannot be read is a finding.

    Args:
        connection: as the role that will migrate; no transaction is open.
        standard: the new contract.
        folder: the service's folder, whose files are compared with what the database needs.
        whole: what the files are made from, when `standard` is of one unit of tables alone.
        sent: what clients have sent, empty where that is not known; None to leave it aside.
        on_table: called with a table's name before its rows are read.

    Returns:
        The findings, those that stop the conversion first.

    Raises:
        LockedError: somebody holds a table's strongest lock for longer than a few seconds.
        StatementError: the server refused a query, or its time ran out.
        ConnectionFailedError: the connection was lost.
    """
    with read_only(connection, "check"):
        findings = list(check_server(connection, standard))
        catalog = read_catalog(connection, with_dependents(connection, standard.places))
        plan = make_plan(standard, catalog)
        findings += plan.findings
        planned = units(standard, catalog, plan)
        in_a_window = [u for u in planned if u.only_window]
        windowed = {t.old for u in in_a_window for t in u.tables}
        # In a window no contract ever stands in another schema.
        changes = [
            replace(change, apart=change.new) if change.old in windowed else change
            for change, _ in plan.changes
        ]
        readable, found = check_tables(connection, changes)
        findings += found
        findings += check_locks(connection, changes)
        findings += check_objects(connection, changes, catalog)
        findings += check_beside(connection, changes)
        strangers = list(check_strangers(connection, changes))
        findings += strangers
        if strangers:
            readable = frozenset()  # a query of rows might run their code
        findings += check_creators(connection, changes)
        findings += check_places(connection, planned)
        findings += check_readers(connection, changes)
        if sent is not None:
            findings += check_upserts(connection, changes, sent)
        tables = []
        bytes_of = sizes(connection, [c for c in changes if c.old in readable])
        spellings: Spellings = {}
        wanted = [
            Wanted(
                change,
                tuple(column_keys(connection, change, table, catalog, spellings)),
                tuple(references(change, plan, catalog, readable)),
                bytes_of[change.old],
            )
            for change, table in plan.changes
            if change.old in readable
        ]
        reading = read_tables(connection, wanted, on_table)
        results = {name: (read, found) for name, read, found in reading}
        for one in wanted:  # small tables are read together, and so in another order
            read, found = results[one.change.old]
            tables += [read] if read is not None else []
            findings += found
    if folder is not None and len(changes) == len(standard.tables):
        findings += check_files(folder, whole or standard, catalog)
    # Whatever else the generator does not take.
    if plan.refusal and not any(f.severity is Severity.STOPS for f in findings):
        findings.append(plan.refusal)
    findings.sort(key=lambda f: f.severity is not Severity.STOPS)
    only = only_window(in_a_window, len(standard.tables))
    return Report(standard.service, tuple(findings), tuple(tables), only)
