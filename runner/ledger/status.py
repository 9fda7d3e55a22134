"""What a database's ledger and the files say together: one line a migration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runner.ledger.audit import audit
from runner.ledger.concurrent_index import find_invalid_index
from runner.screen import rest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from runner.ledger.files import Migration
    from runner.ledger.records import Ledger

Standing = Literal["applied", "pending", "on request", "running", "unfinished", "missing"]
_ODD_SHOWN = 3


@dataclass(frozen=True)
class MigrationStatus:
    """Where one migration stands.

    Args:
        migration: id.
        phase: its phase, or empty.
        standing: `on request` is pending too, but applied only when it is named; `running` is one
            that a run works on now; `unfinished` was begun, and the next run continues it;
            `missing` is applied and has no file.
        applied_at: with its zone, UTC; empty when it is not applied.
        by: role and host of the last run that trueup recorded, else empty.
        seconds: how long that run took, None when trueup did not run it.
        notes: what to look at: why it failed, what it left, how file and record differ.
    """

    migration: str
    phase: str
    standing: Standing
    applied_at: str
    by: str
    seconds: float | None
    notes: tuple[str, ...]


def read_status(
    connection: Connection, migrations: Sequence[Migration], ledger: Ledger
) -> list[MigrationStatus]:
    """Bring files, records and what is left in the database together; reads only.

    Args:
        connection: to the database.
        migrations: all that the sources hold, in the order of read_migrations.
        ledger: of the database.

    Returns:
        One entry a migration, in order; those without a file last.
    """
    notes: dict[str, list[str]] = {}
    for finding in audit(migrations, ledger):
        notes.setdefault(finding.migration, []).append(finding.message)
    for migration in migrations:
        notes.setdefault(migration.id, []).extend(_unfinished(connection, migration, ledger))
    ids = {migration.id: migration.phase for migration in migrations}
    missing = [id_ for id_ in notes if id_ not in ids]
    on_request = {migration.id for migration in migrations if migration.on_request}
    return [
        _status(id_, ids.get(id_, ""), ledger, id_ in on_request, id_ in missing, notes[id_])
        for id_ in (*ids, *missing)
    ]


def describe_status(statuses: Sequence[MigrationStatus]) -> list[str]:
    """Where migrations stand as lines of text."""
    width = max((len(status.migration) for status in statuses), default=0)
    lines = []
    for status in statuses:
        when = f"  {status.applied_at}" if status.applied_at else ""
        # Who rolled a file back did not apply it.
        by = status.by if status.standing not in ("pending", "on request") else ""
        line = f"{status.standing:<10}  {status.migration:<{width}}{when}"
        lines.append(f"{line}  {by}".rstrip())
        lines += [f"            {note}" for note in status.notes]
    return lines


def sum_up_status(statuses: Sequence[MigrationStatus]) -> list[str]:
    """How many migrations stand where, by phase; whole only those that want to be looked at."""
    lines = []
    if statuses:
        words = {s.standing: 0 for s in statuses}
        for status in statuses:
            words[status.standing] += 1
        lines.append("files: " + ", ".join(f"{count} {word}" for word, count in words.items()))
    last = [s for s in statuses if s.standing == "applied"]
    if last:
        lines.append(f"last applied: {last[-1].migration}  {last[-1].applied_at}  {last[-1].by}")
    odd = [s for s in statuses if s.notes or s.standing in ("unfinished", "missing")]
    lines += describe_status(odd[:_ODD_SHOWN])
    return [*lines, *([left] if (left := rest(_ODD_SHOWN, len(odd))) else [])]


def _unfinished(connection: Connection, migration: Migration, ledger: Ledger) -> list[str]:
    if not _is_unfinished(migration.id, ledger):
        return []
    record = ledger.latest[migration.id]
    notes = [record.error or f"begun on {record.started_at:%Y-%m-%d %H:%M %Z} and not finished"]
    for statement in migration.statements:
        if index := find_invalid_index(connection, statement):
            notes.append(f"index {index} is invalid; the next run drops it and builds it again")
    return notes


def _is_unfinished(migration: str, ledger: Ledger) -> bool:
    record = ledger.latest.get(migration)
    if record is None or record.state == "DONE":
        return False
    return record.operation == "ROLLBACK" or migration not in ledger.applied


def _status(
    id_: str, phase: str, ledger: Ledger, on_request: bool, missing: bool, notes: list[str]
) -> MigrationStatus:
    applied_at = ledger.applied.get(id_)
    record = ledger.latest.get(id_)
    standing: Standing
    if missing:
        standing = "missing"
    elif _is_unfinished(id_, ledger):
        standing = "unfinished"
    elif applied_at:
        standing = "applied"
    else:
        standing = "on request" if on_request else "pending"
    seconds = None
    if record is not None and record.finished_at is not None:
        seconds = round((record.finished_at - record.started_at).total_seconds(), 3)
    return MigrationStatus(
        id_,
        phase,
        standing,
        f"{applied_at:%Y-%m-%d %H:%M:%S} UTC" if applied_at else "",
        f"{record.database_user} on {record.host}" if record else "",
        seconds,
        tuple(notes),
    )
