"""Runs that change the records only, under the migration lock: no file is executed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import LedgerError
from runner.execute.events import Listener, ignore
from runner.execute.session import Settings, hold_lock, open_session, require_writable
from runner.ledger.files import chain_checksums
from runner.ledger.records import Recorder, read_ledger
from runner.ledger.repair import plan_repairs, record_repairs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
                    "another run changed the records in the meantime; nothing was written",
                    hint="run the same command again and read what it shows",
                )
            recorder = Recorder(connection, schema, session.run, chain_checksums(migrations))
            record_repairs(connection, recorder, migrations, plan)
    return plan
