"""Runs that change the records only, under the migration lock: no file is executed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import LedgerError
from runner.execute.drift import baseline_differences
from runner.execute.session import Settings, hold_lock, ignore, open_session, require_writable
from runner.ledger.files import chain_checksums
from runner.ledger.records import Recorder, read_ledger
from runner.ledger.repair import plan_repairs, record_repairs
from runner.ledger.rules import check_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.execute.events import Listener
    from runner.ledger.files import Migration
    from runner.ledger.repair import Repair


def repair(
    dsn: str,
    migrations: Sequence[Migration],
    ids: Sequence[str],
    *,
    confirmed: Callable[[list[Repair]], bool],
    settings: Settings | None = None,
    listener: Listener = ignore,
) -> list[Repair]:
    """Record migrations as their files are now.

    Args:
        dsn: the database.
        migrations: all that the sources hold, in the order of read_migrations.
        ids: those that the user names.
        confirmed: shown the repairs before anything is locked or written; False stops.
        settings: how the run behaves.
        listener: called with each event.

    Returns:
        What was recorded; nothing when it was not confirmed.

    Raises:
        TrueupError: one of its kinds for everything that can go wrong.
    """
    settings = settings or Settings()
    with open_session(dsn, settings) as session:
        connection = session.connection
        plan = plan_repairs(connection, migrations, ids, schema=settings.schema)
        if not confirmed(plan):
            return []
        require_writable(connection)
        schema = read_ledger(connection, schema=settings.schema).schema
        with hold_lock(session, schema, settings, listener):
            if plan_repairs(connection, migrations, ids, schema=schema) != plan:
                raise LedgerError(
                    "another run has changed the records meanwhile; nothing was written",
                    hint="run the same command again and read what it shows",
                )
            recorder = Recorder(connection, schema, session.run, chain_checksums(migrations))
            record_repairs(connection, recorder, migrations, plan)
    return plan


def describe_baseline(migrations: Sequence[Migration], recorded: Sequence[str]) -> str:
    """What `baseline` recorded as a line of text."""
    if recorded:
        return f"recorded: {', '.join(recorded)}"
    if any(m.phase == "baseline" for m in migrations):
        return "nothing to do"
    service = migrations[0].service if migrations else "the service"
    return f"nothing to do: {service} has no legacy files, so no baseline is needed"


def baseline(
    dsn: str,
    migrations: Sequence[Migration],
    *,
    server: str | None = None,
    settings: Settings | None = None,
    listener: Listener = ignore,
) -> list[str]:
    """Record an existing database as standing at its baseline, when it really does.

    Args:
        dsn: the database.
        migrations: all that the sources hold, in the order of read_migrations.
        server: where the scratch database is made, None for the same server.
        settings: how the run behaves.
        listener: called with each event.

    Returns:
        The ids that were recorded; none when they were before, or when the service has no
        baseline files.

    Raises:
        LedgerError: listing the differences when the database is not at the baseline.
        TrueupError: one of its kinds for everything else that can go wrong.
    """
    settings = settings or Settings()
    with open_session(dsn, settings) as session:
        connection = session.connection
        ledger = read_ledger(connection, schema=settings.schema)
        files = [m for m in migrations if m.phase == "baseline"]
        if all(m.id in ledger.applied for m in files):
            return []
        check_files(files)
        require_writable(connection)
        if differences := baseline_differences(dsn, files, server=server):
            lines = "\n".join(f"  {difference}" for difference in differences)
            raise LedgerError(
                f"the database is not at the baseline of {files[0].service}:\n{lines}",
                hint="correct the baseline file or the database; nothing was recorded",
            )
        with hold_lock(session, ledger.schema, settings, listener):
            applied = read_ledger(connection, schema=ledger.schema).applied
            pending = [m for m in files if m.id not in applied]
            recorder = Recorder(connection, ledger.schema, session.run, chain_checksums(migrations))
            with connection.transaction():
                for migration in pending:
                    recorder.applied(migration, "BASELINE")
    return [migration.id for migration in pending]
