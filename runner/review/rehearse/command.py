"""What `trueup rehearse` does around the rehearsal: options, progress, output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner import screen
from runner.errors import UsageError
from runner.ledger.files import Migration
from runner.postgres.connect import OURS, connect
from runner.review import certificate as certificates
from runner.review import signing
from runner.review.certificate import Certificate
from runner.review.figures import count, plural, seconds, size, span, version
from runner.review.measures import FileCost
from runner.review.rehearse.bases import Options
from runner.review.rehearse.rehearsal import rehearse
from runner.standard import load_standard

_LONGEST = 5


def run(
    dsn: str | None,
    migrations: Sequence[Migration],
    standard: Path | None,
    *,
    quiet: bool,
    to: str | None,
    unit: str | None,
    rows: int,
    made_up_rows: bool,
    scratch: str | None,
    time_limit: float,
    backup: str | None,
    no_clients: bool,
    base: str,
    output: Path,
    record: bool,
    sign_key: Path | None,
    statements: tuple[Path, ...],
) -> Certificate:
    """Rehearse, write the certificate, and tell.

    Args:
        dsn: the live database, None for the files alone.
        migrations: all that the sources hold.
        standard: the standard.toml beside them, if there is one.
        quiet: print no summary.
        to, unit, rows, made_up_rows, scratch, backup, no_clients, base: as the command line says.
        time_limit: seconds.
        output: the certificate's file.
        record: keep it in the live database too.
        sign_key: the file of the key to sign it with.
        statements: files of what clients send.

    Returns:
        The certificate.
    """
    if record and dsn is None:
        raise UsageError("--record keeps the certificate in a database, and none is named")
    certificates.require_writable(output)
    key = signing.read_key(sign_key)
    options = Options(
        *(rows, scratch, backup, made_up_rows, not no_clients, base, unit, time_limit, statements)
    )
    with screen.progress("rehearsing") as tell:
        certificate = rehearse(
            dsn,
            migrations,
            to=to,
            options=options,
            standard=load_standard(standard) if standard else None,
            listener=tell,
        )
    if key is not None:
        certificate = signing.sign(certificate, key)
    certificates.write_file(certificate, output)
    if record and dsn is not None:
        with connect(dsn, application_name="trueup rehearse", settings=OURS) as connection:
            certificates.store(connection, certificate)
    if not quiet:
        for line in summary(certificate):
            screen.echo(line)
        signed = "" if key is None else f", signed with key {signing.key_id(key)}"
        screen.echo(f"certificate: {output}{signed}")
    return certificate


def summary(certificate: Certificate) -> list[str]:
    """The outcome of a rehearsal in a few lines."""
    files = len(certificate.files)
    lines = [
        f"rehearsed {plural(files, 'file')} of {certificate.service} on PostgreSQL"
        f" {version(certificate.server)}: {certificate.schema_from}"
    ]
    for table in certificate.sizes:
        live = "" if table.live_rows is None else f" of {count(table.live_rows)}"
        lines.append(f"  {table.relation}: {count(table.rows[-1])} rows{live}")
    lines += [f"  note: {note}" for note in certificate.notes]
    for direction, title in (("up", "the way up"), ("down", "the way back")):
        costs = [c for c in certificate.costs if c.direction == direction]
        if not costs:
            continue
        taken = sum(c.seconds for c in costs)
        lines.append(f"{title}: {seconds(taken)} for {plural(len(costs), 'file')}; the longest:")
        longest = sorted(costs, key=lambda c: -c.seconds)[:_LONGEST]
        lines += [f"  {_line(cost)}" for cost in longest]
    if certificate.load is not None:
        load = certificate.load
        slowest = max((b.slowest for b in load.buckets), default=0.0)
        lines.append(
            f"clients: {load.queries:,} queries, {load.failed:,} failed, slowest {seconds(slowest)}"
        )
        lines += [f"  {e.count:,} x {e.message}" for e in load.errors[:_LONGEST]]
    if certificate.passed and not any(c.direction == "down" for c in certificate.costs):
        lines.append("passed: up, twice; there is no way back")
    elif certificate.passed:
        lines.append("passed: up, down, up and down; catalog and rows are as before")
    else:
        lines.append("FAILED:")
        lines += [f"  {problem}" for problem in certificate.problems]
    return lines


def _line(cost: FileCost) -> str:
    live = f", at live size {span(cost.at_live)}" if cost.at_live else ""
    wal = sum(s.wal_bytes for s in cost.statements)
    return f"{cost.migration}: {seconds(cost.seconds)}{live}, {size(wal)} WAL"
