"""What a database's ledger and the files say together: one line a migration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.ledger.files import Migration
    from runner.ledger.records import Ledger

Standing = Literal["APPLIED", "PENDING", "ON_REQUEST", "UNFINISHED"]


@dataclass(frozen=True)
class MigrationStatus:
    """Where one migration stands.

    Args:
        migration: id.
        phase: its phase, or empty.
        standing: ON_REQUEST is pending too, but applied only when it is named; UNFINISHED was
            begun, and the next run goes on with it.
        applied_at: UTC in ISO format, empty when it is not applied.
        by: role and host of the last run that trueup recorded, else empty.
        seconds: how long that run took, None when trueup did not run it.
        error: why its last run failed, else empty.
    """

    migration: str
    phase: str
    standing: Standing
    applied_at: str
    by: str
    seconds: float | None
    error: str


def read_status(migrations: Iterable[Migration], ledger: Ledger) -> list[MigrationStatus]:
    """Bring files and ledger together.

    Args:
        migrations: all that the sources hold, in the order of read_migrations.
        ledger: of the database.

    Returns:
        One entry a migration, in order.
    """
    return [_status(migration, ledger) for migration in migrations]


def _status(migration: Migration, ledger: Ledger) -> MigrationStatus:
    applied_at = ledger.applied.get(migration.id)
    record = ledger.latest.get(migration.id)
    unfinished = record is not None and record.state != "DONE"
    standing: Standing
    if unfinished and record is not None and (record.operation == "ROLLBACK" or not applied_at):
        standing = "UNFINISHED"
    elif applied_at:
        standing = "APPLIED"
    else:
        standing = "ON_REQUEST" if migration.on_request else "PENDING"
    seconds = None
    if record is not None and record.finished_at is not None:
        seconds = round((record.finished_at - record.started_at).total_seconds(), 3)
    return MigrationStatus(
        migration.id,
        migration.phase,
        standing,
        applied_at.isoformat(sep=" ", timespec="seconds") if applied_at else "",
        f"{record.database_user} on {record.host}" if record else "",
        seconds,
        (record.error or "") if record else "",
    )
