"""What `trueup check` looks at: the database and its files, then what clients send."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from runner.ledger.files import Migration
from runner.ledger.records import read_ledger
from runner.postgres.connect import OURS, connect
from runner.preflight import check
from runner.preflight.report import Finding, Report, Severity
from runner.quoting import Name
from runner.standard.model import Standard
from runner.workload import Refusal, Workload, sent_by_clients, try_workload

_NAME = "trueup check"


def check_service(
    dsn: str,
    standard: Standard,
    *,
    folder: Path,
    whole: Standard,
    migrations: Sequence[Migration],
    statements: Sequence[Path] | None = (),
    scratch: str | None = None,
    listener: Callable[[str], None] = lambda _: None,
) -> Report:
    """Find what would stop a conversion, and what the statements of clients meet on its way.

    Args:
        dsn: the database; it is only read.
        standard: the new contract, or that of one unit of tables.
        folder: the service's folder.
        whole: what the files are made from.
        migrations: the files of the online strategy.
        statements: files of SQL or logs; none for what the server has recorded; None to try none.
        scratch: a server to try them on, as a superuser; None for the embedded one.
        listener: told what is done now.

    Raises:
        TrueupError: one of its kinds; the database cannot be read.
    """
    sent = None if statements is None else sent_by_clients(dsn, statements)[0]
    with connect(dsn, application_name=_NAME, settings=OURS) as connection:
        listener("reading the catalog")
        report = check(
            connection,
            standard,
            folder=folder,
            whole=whole,
            sent=sent,
            on_table=lambda name: listener(f"reading {name}"),
        )
        applied = read_ledger(connection).applied
    found = [*report.findings, *_baseline(migrations, applied, folder)]
    workload = Workload()
    if statements is not None and migrations:
        workload = try_workload(
            dsn,
            migrations,
            tables=[Name(table.schema, table.old) for table in standard.tables],
            statements=statements,
            scratch=scratch,
            listener=listener,
        )
        found += _of_clients(workload)
    found.sort(key=lambda f: f.severity is not Severity.STOPS)
    return replace(report, findings=tuple(found), workload=workload)


def _baseline(
    migrations: Sequence[Migration], applied: Container[str], folder: Path
) -> Iterator[Finding]:
    files = [m for m in migrations if m.phase == "baseline"]
    missing = [m.id for m in files if m.id not in applied]
    if missing:
        service = folder.name if folder.parent.name == "sql" else str(folder)
        yield Finding(
            Severity.KNOW,
            "the baseline",
            f"is not recorded: apply would run {', '.join(missing)} on tables that are there",
            hint=f"trueup baseline --service {service}",
        )


def _of_clients(workload: Workload) -> Iterator[Finding]:
    """What a client of the old release meets as soon as expand is done stops the conversion."""
    failing: dict[str, list[Refusal]] = {}
    for refusal in workload.refusals:
        if refusal.is_of_expand:
            failing.setdefault(", ".join(refusal.tables) or "statements", []).append(refusal)
    for tables, refusals in failing.items():
        first = refusals[0]
        more = f" and {len(refusals) - 1} more" if len(refusals) > 1 else ""
        text = " ".join(first.sent.text.split())
        yield Finding(
            Severity.STOPS,
            tables,
            f"is named by a statement that works now and fails after expand{more}:"
            f" {text[:80]}: {first.message}",
            hint=f"{first.advice[0].upper()}{first.advice[1:]}. It is from {first.sent.source}.",
        )
