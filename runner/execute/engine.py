"""Applies migrations and rolls them back: the plan under the lock, then file by file."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.execute.session import Settings, hold_lock, ignore, open_session, require_writable
from runner.ledger import selection
from runner.ledger.audit import audit, refuse
from runner.ledger.files import chain_checksums
from runner.ledger.lock import remove_stale_row, require_row
from runner.ledger.records import Recorder, read_ledger
from runner.ledger.strategies import look_aside, needed_aside, refuse_taken
from runner.ledger.units import unit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.execute.events import Listener
    from runner.execute.executor import Operation
    from runner.ledger.files import Migration
    from runner.ledger.records import Ledger
    from runner.ledger.units import Unit

__all__ = ["Outcome", "Settings", "apply", "rollback"]


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    Args:
        run: its id.
        operation: APPLY or ROLLBACK.
        migrations: ids, in the order of execution.
        seconds: from start to end.
        left: what was asked for and not done, and why, as a line of text; empty for nothing.
    """

    run: str
    operation: Operation
    migrations: tuple[str, ...]
    seconds: float
    left: str = ""

    def __str__(self) -> str:
        done = "applied" if self.operation == "APPLY" else "rolled back"
        count = len(self.migrations)
        line = f"{done}: {count} {'file' if count == 1 else 'files'}"
        return "\n".join(filter(None, [line if count else "nothing to do", self.left]))


def apply(
    dsn: str,
    migrations: Sequence[Migration],
    *,
    to: str | None = None,
    unit: str | None = None,
    settings: Settings | None = None,
    listener: Listener = ignore,
) -> Outcome:
    """Apply the migrations that are not applied yet.

    Args:
        dsn: the database.
        migrations: all that the sources hold, in the order of read_migrations.
        to: the last phase or id to apply; None for all but those applied on request only.
        unit: a table by its old or new name: apply its unit of tables alone.
        settings: how the run behaves.
        listener: called with each event.

    Returns:
        What was done; no migration when there was nothing to do, and then nothing was written
        and no lock taken.

    Raises:
        TrueupError: one of its kinds for everything that can go wrong.
    """

    within = unit_of(migrations, unit) if unit else None

    def choose(ledger: Ledger) -> list[Migration]:
        half_undone = {r.migration_id for r in ledger.unfinished() if r.operation == "ROLLBACK"}
        applied = ledger.applied.keys() - half_undone
        aside = look_aside(migrations, ledger, half_undone)
        refuse_taken(migrations, aside)
        return selection.to_apply(migrations, applied, to=to, unit=within, taken=aside.taken)

    def left(ledger: Ledger) -> str:
        return "" if within else str(look_aside(migrations, ledger))

    return _run(dsn, migrations, "APPLY", choose, settings or Settings(), listener, left, within)


def rollback(
    dsn: str,
    migrations: Sequence[Migration],
    *,
    to: str | None = None,
    everything: bool = False,
    unit: str | None = None,
    settings: Settings | None = None,
    listener: Listener = ignore,
) -> Outcome:
    """Roll back applied migrations, newest first.

    Args:
        dsn: the database.
        migrations: all that the sources hold, in the order of read_migrations.
        to: the last phase or id that stays applied.
        everything: all but the baseline; without it and `to`, the newest migration alone.
        unit: a table by its old or new name: roll back its unit of tables alone.
        settings: how the run behaves.
        listener: called with each event.

    Returns:
        What was done.

    Raises:
        TrueupError: one of its kinds for everything that can go wrong.
    """

    within = unit_of(migrations, unit) if unit else None

    def choose(ledger: Ledger) -> list[Migration]:
        half_done = {r.migration_id for r in ledger.unfinished() if r.operation == "APPLY"}
        return selection.to_roll_back(
            migrations,
            ledger.applied.keys() | half_done,
            to=to,
            everything=everything,
            unit=within,
            kept=needed_aside(migrations, ledger),
        )

    def left(ledger: Ledger) -> str:
        of_all = (everything or to == "baseline") and not within
        return look_aside(migrations, ledger).stays if of_all else ""

    return _run(dsn, migrations, "ROLLBACK", choose, settings or Settings(), listener, left, within)


def _run(
    dsn: str,
    migrations: Sequence[Migration],
    operation: Operation,
    choose: Callable[[Ledger], list[Migration]],
    settings: Settings,
    listener: Listener,
    left: Callable[[Ledger], str],
    within: Unit | None,
) -> Outcome:
    begun = time.monotonic()
    # A rollback applies nothing, so nothing can come out of order.
    accepted = settings.accept | ({"out-of-order"} if operation == "ROLLBACK" else set())
    with open_session(dsn, settings) as session:
        connection, run = session.connection, session.run
        ledger = read_ledger(connection, schema=settings.schema)
        refuse(audit(migrations, ledger), accepted)
        checked = choose(ledger)
        # Nothing to do is the usual case of a deployment: no lock, no write.
        if not checked:
            if ledger.exists:
                remove_stale_row(connection, schema=ledger.schema)
            return Outcome(run, operation, (), time.monotonic() - begun, left(ledger))
        # Imported late, for the runs that end above.
        from runner.execute.events import FileStarted, RunDone, RunStarted
        from runner.execute.executor import Executor, Job
        from runner.execute.gate import require_unused
        from runner.execute.hand_over import hand_over
        from runner.execute.picture import phases_of
        from runner.ledger.privileges import require_privileges
        from runner.ledger.rules import check_files

        check_files(checked)
        database, user = require_writable(connection)
        require_privileges(connection, checked, schema=ledger.schema)
        with hold_lock(session, ledger.schema, settings, listener):
            # Another run may have come between.
            ledger = read_ledger(connection, schema=ledger.schema)
            refuse(audit(migrations, ledger), accepted)
            chosen = choose(ledger)
            known = {migration.id for migration in checked}
            check_files(m for m in chosen if m.id not in known)
            if settings.approve:
                settings.approve(connection, chosen)
            if operation == "APPLY":
                require_unused(connection, chosen, settings.force, settings.standbys)
            ids = tuple(migration.id for migration in chosen)
            aside = look_aside(migrations, ledger).taken
            phases = phases_of(
                (m.phase, m.id in ledger.applied)
                for m in migrations
                if m.id not in aside and (within is None or m.id in within.files | within.shared)
            )
            listener(RunStarted(run, operation, database, user, ids, phases))
            if chosen:
                hand_over(connection, chosen[0].id, settings.deadline, listener)
            recorder = Recorder(connection, ledger.schema, run, chain_checksums(migrations))
            executor = Executor(session, recorder, settings, listener)
            resumed = {record.migration_id for record in ledger.unfinished()}
            undo = "Undo: " if operation == "ROLLBACK" else ""
            for index, migration in enumerate(chosen, start=1):
                listener(
                    FileStarted(
                        migration.id,
                        migration.phase,
                        f"{undo}{migration.title}" if migration.title else "",
                        index,
                        len(chosen),
                        migration.id in resumed,
                    )
                )
                require_row(connection, schema=ledger.schema)
                executor.execute(Job.of(migration, operation))
        seconds = time.monotonic() - begun
        listener(RunDone(run, operation, ids, seconds))
    return Outcome(run, operation, ids, seconds, left(ledger))
