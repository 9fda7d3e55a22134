"""What `trueup report` does around the report: gathers what there is, writes the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from psycopg import Connection

from runner.errors import UsageError
from runner.execute.old_names import read_old_names
from runner.ledger.files import Migration, chain_checksums
from runner.ledger.units import all_tables, is_of, tables_of, unit_of
from runner.lint.baseline import unknown
from runner.lint.engine import lint
from runner.lint.settings import find_settings
from runner.postgres.connect import OURS, connect
from runner.preflight import check
from runner.preflight.report import Report
from runner.review.plan import find_certificate, read_blockers
from runner.review.report.build import Facts, Odometer, render
from runner.review.report.listing import Remark
from runner.standard import load_standard

_NAME = "trueup report"


def write_report(
    dsn: str | None,
    migrations: Sequence[Migration],
    standard: Path | None,
    *,
    unit: str | None = None,
    rehearsal: Path | None,
    with_check: bool,
    output: Path,
) -> None:
    """Gather what is known of a service's migrations and write the report.

    Args:
        dsn: the live database, which is only read; None for the files and the rehearsal alone.
        migrations: all that the sources hold.
        standard: the standard.toml beside them, if there is one.
        unit: a table by its old or new name: report on its unit of tables alone.
        rehearsal: a certificate's file; else it is looked for.
        with_check: read the data as `trueup check` does.
        output: the HTML file.

    Raises:
        TrueupError: something cannot be read, or the file cannot be written.
    """
    facts: dict[str, Any] = {}
    within = unit_of(migrations, unit) if unit else None
    tables = tables_of(migrations, within) if within else None
    if dsn is None:
        found = find_certificate(rehearsal, None)
    else:
        with connect(dsn, application_name=_NAME, settings=OURS) as connection:
            found = find_certificate(rehearsal, connection)
            facts = {
                "database": connection.info.dbname,
                "sessions": read_blockers(connection),
                "odometers": _odometers(connection, tables, migrations),
                "preflight": _check(connection, standard, tables) if with_check else None,
            }
    shown = [m for m in migrations if m.phase != "baseline"]
    if found is not None:
        shown = [m for m in migrations if m.id in found.files] or shown
    if within is not None:
        shown = [m for m in shown if m.id in within.files | within.shared]
    chain = chain_checksums(migrations)
    stale = [m.id for m in shown if found is not None and found.files.get(m.id) != chain[m.id]]
    html = render(Facts(shown, found, remarks=read_remarks(migrations), stale=stale, **facts))
    try:
        output.write_text(html, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from None


def read_remarks(
    migrations: Iterable[Migration], notes: list[str] | None = None
) -> dict[Path, list[Remark]]:
    """What lint says, by the paths of the migrations.

    Args:
        migrations: whose folders are linted.
        notes: gets what lint did not look at.
    """
    folders = {migration.path.parent: None for migration in migrations}
    known = {p.resolve(): p for m in migrations for p in (m.path, m.rollback_path) if p}
    remarks: dict[Path, list[Remark]] = {}
    settings = find_settings(Path.cwd())
    report = unknown(lint(list(folders), with_squawk=settings.squawk, settings=settings), settings)
    if notes is not None:
        notes += report.notes
    for finding in report.findings:
        path = known.get(finding.path.resolve())
        if path is not None:
            remarks.setdefault(path, []).append(
                Remark(finding.rule, finding.level, finding.line, finding.message, finding.instead)
            )
    return remarks


def _check(
    connection: Connection[Any], path: Path | None, tables: frozenset[tuple[str, ...]] | None
) -> Report | None:
    if path is None:
        return None
    standard = load_standard(path)
    return check(connection, standard if tables is None else standard.of(tables))


def _odometers(
    connection: Connection[Any],
    tables: frozenset[tuple[str, ...]] | None,
    migrations: Sequence[Migration],
) -> list[Odometer]:
    """What each compat view's odometer shows; none when there is no compat view."""
    return [
        Odometer(
            name.name,
            name.queries,
            f"{name.unused_since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if name.unused_since else "",
        )
        for name in read_old_names(connection, timedelta(), of=all_tables(migrations))
        if tables is None or is_of(tables, name.name)
    ]
