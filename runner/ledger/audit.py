"""Compares files with records: what was edited, deleted, renamed, out of order, run by yoyo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Literal

from runner.errors import LedgerError
from runner.ledger.strategies import has_file
from runner.ledger.units import find_units

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from runner.ledger.files import Migration
    from runner.ledger.records import Ledger, Record

Kind = Literal["edited", "deleted", "renamed", "out-of-order", "by-yoyo"]
MOST_SHOWN = 10
# What a run goes on with when it is named; a renamed file would run a second time.
ACCEPTABLE: tuple[Kind, ...] = ("edited", "deleted", "out-of-order")


@dataclass(frozen=True)
class Finding:
    """One migration whose file and record do not agree.

    Args:
        kind: what happened to it.
        migration: its id in the records, or in the files when it has no record.
        message: what was expected and what was found.
        now: for a renamed one, the id that its file has now.
    """

    kind: Kind
    migration: str
    message: str
    now: str = ""


def audit(migrations: Sequence[Migration], ledger: Ledger) -> list[Finding]:
    """Compare the files of a service with its records.

    Args:
        migrations: all that the sources hold, in the order of read_migrations.
        ledger: of the database.

    Returns:
        The findings; empty when files and records agree.
    """
    return [
        *_content(migrations, ledger),
        *_missing(migrations, ledger),
        *_order(migrations, ledger),
    ]


def refuse(findings: Sequence[Finding], accepted: Collection[str] = ()) -> None:
    """Stop a run that would build on files the records do not know.

    Args:
        findings: of audit.
        accepted: kinds of ACCEPTABLE that the user allows.

    Raises:
        LedgerError: naming each finding that is not accepted. Files that plain yoyo applied
            are never refused: applying by yoyo is a normal way of work.
    """
    refused = [f for f in findings if f.kind != "by-yoyo" and f.kind not in accepted]
    if not refused:
        return
    kinds = list(dict.fromkeys(f.kind for f in refused))
    allowed = " ".join(f"--accept {kind}" for kind in kinds if kind in ACCEPTABLE)
    lines = [finding.message for finding in refused[:MOST_SHOWN]]
    if len(refused) > MOST_SHOWN:
        lines.append(f"and {len(refused) - MOST_SHOWN} more; `trueup status` lists all")
    places = ", name the folder or the --strategy that holds them" if "deleted" in kinds else ""
    raise LedgerError(
        "\n".join(lines),
        hint=f"restore the files{places}, or `trueup repair ID` to record them as they are now"
        + (f", or {allowed} to go on all the same" if allowed else ""),
    )


def _content(migrations: Sequence[Migration], ledger: Ledger) -> Iterator[Finding]:
    for migration in migrations:
        if migration.id not in ledger.applied:
            continue
        record = known_record(ledger, migration.id)
        if record is None:
            yield Finding(
                "by-yoyo",
                migration.id,
                f"{migration.id} was applied by plain yoyo, which does not record content",
            )
        elif record.checksum != migration.checksum:
            yield Finding("edited", migration.id, _edited(migration, record, "forward"))
        elif record.rollback_checksum != migration.rollback_checksum:
            yield Finding("edited", migration.id, _edited(migration, record, "rollback"))


def _edited(migration: Migration, record: Record, which: str) -> str:
    return (
        f"{migration.id} was edited: its {which} file is not the one that"
        f" {record.database_user} recorded on {record.started_at:%Y-%m-%d %H:%M %Z}"
    )


def _missing(migrations: Sequence[Migration], ledger: Ledger) -> Iterator[Finding]:
    ids = {migration.id for migration in migrations}
    services = {migration.service for migration in migrations}
    pending = {m.checksum: m.id for m in migrations if m.id not in ledger.applied}
    for id_ in ledger.applied.keys() - ids:
        record = known_record(ledger, id_)
        # Another service's records may live in the same database, and the other strategy's.
        if record is None or record.service not in services or has_file(migrations, id_):
            continue
        if now := pending.get(record.checksum):
            message = f"{id_} was renamed to {now}, which would run a second time"
            yield Finding("renamed", id_, message, now)
        else:
            message = f"{id_} is applied, and no file of the sources has it"
            yield Finding("deleted", id_, message)


def _order(migrations: Sequence[Migration], ledger: Ledger) -> Iterator[Finding]:
    units = {id_: n for n, unit in enumerate(find_units(migrations)) for id_ in unit.files}
    last: dict[str | int, int] = {}
    for index, migration in enumerate(migrations):
        if migration.id in ledger.applied and not migration.on_request:
            last[migration.service] = index
            if migration.id in units:
                last[units[migration.id]] = index
    needed = _needed(migrations, ledger)
    for index, migration in enumerate(migrations):
        if migration.phase == "toolkit" and migration.id not in needed:
            continue  # it came with a table that was added later
        # Units of tables do not depend on each other, so neither comes before the other.
        later = last.get(units.get(migration.id, migration.service), -1)
        if index < later and migration.id not in ledger.applied and not migration.on_request:
            yield Finding(
                "out-of-order",
                migration.id,
                f"{migration.id} is out of order: {migrations[later].id} after it is applied",
            )


def _needed(migrations: Sequence[Migration], ledger: Ledger) -> set[str]:
    """What the applied files come after."""
    depends = {m.id: m.depends for m in migrations}
    needed: set[str] = set()
    walk = [id_ for id_ in depends if id_ in ledger.applied]
    while walk:
        parents = depends.get(walk.pop(), frozenset()) - needed
        needed |= parents
        walk += parents
    return needed


def known_record(ledger: Ledger, migration: str) -> Record | None:
    """The record that tells an applied migration's content, None when plain yoyo applied it."""
    record = ledger.latest.get(migration)
    if record is None:
        return None
    if record.operation == "ROLLBACK":
        return None if record.state == "DONE" else record
    if record.state != "DONE" or record.finished_at is None:
        return None
    # Both tables hold the same time, unless yoyo has rolled it back and applied it since.
    recorded_at = record.finished_at.astimezone(UTC).replace(tzinfo=None)
    return record if ledger.applied.get(migration) == recorded_at else None
