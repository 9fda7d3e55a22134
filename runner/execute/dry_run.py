"""Tries migrations in a transaction that the database itself refuses to commit."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import Error

from runner.execute.failure import statement_error
from runner.execute.gate import require_unused
from runner.execute.session import Session, Settings, names_of_files, open_session, require_writable
from runner.ledger import selection
from runner.ledger.audit import audit, refuse
from runner.ledger.records import read_ledger
from runner.ledger.rules import check_files
from runner.ledger.strategies import look_aside, refuse_taken
from runner.ledger.tables import require_own_schema
from runner.ledger.units import unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.ledger.files import Migration

# A deferred trigger speaks at COMMIT: whatever sends one, the transaction ends with an error.
_REFUSE_COMMIT = """
CREATE TEMPORARY TABLE trueup_dry_run () ON COMMIT DROP;
CREATE FUNCTION pg_temp.trueup_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a dry run is never committed';
END
$$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON pg_temp.trueup_dry_run
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.trueup_refuse();
INSERT INTO pg_temp.trueup_dry_run DEFAULT VALUES
"""


@dataclass(frozen=True)
class Trial:
    """What a dry run found out about one migration.

    Args:
        migration: id.
        tried: whether it ran.
        reason: why it could not be tried, empty when it was.
        seconds: how long it took, 0 when it was not tried.
    """

    migration: str
    tried: bool
    reason: str
    seconds: float


def dry_run(
    dsn: str,
    migrations: Sequence[Migration],
    *,
    to: str | None = None,
    unit: str | None = None,
    settings: Settings | None = None,
) -> list[Trial]:
    """Run the pending transactional files together in one transaction and undo it.

    It holds the locks of all of them until its end: use a copy of a busy database.

    Args:
        dsn: the database.
        migrations: all that the sources hold, in the order of read_migrations.
        to: the last phase or id to try.
        unit: a table by its old or new name: try its unit of tables alone.
        settings: as for apply.

    Returns:
        One trial for each pending migration, in order.

    Raises:
        TrueupError: one of its kinds, as apply would; the database is as before.
    """
    settings = settings or Settings()
    within = unit_of(migrations, unit) if unit else None
    with open_session(dsn, settings) as session:
        connection = session.connection
        ledger = read_ledger(connection, schema=settings.schema)
        refuse(audit(migrations, ledger), settings.accept)
        aside = look_aside(migrations, ledger)
        refuse_taken(migrations, aside)
        chosen = selection.to_apply(
            migrations, ledger.applied, to=to, unit=within, taken=aside.taken
        )
        check_files(chosen)
        if not chosen:
            return []
        require_writable(connection)
        require_own_schema(connection, ledger.schema)
        if settings.approve:
            settings.approve(connection, chosen)
        require_unused(connection, chosen, settings.force, settings.standbys, read=False)
        connection.execute("BEGIN")
        try:
            connection.execute(_REFUSE_COMMIT)
            return _try_all(session, chosen)
        finally:
            if not connection.broken:
                connection.execute("ROLLBACK")


def describe_trials(trials: Sequence[Trial]) -> str:
    """A dry run as lines of text."""
    lines = [f"{trial.migration}  {_result(trial)}" for trial in trials]
    tried = sum(trial.tried for trial in trials)
    return "\n".join(
        [*lines, f"dry run: {tried} of {len(trials)} pending tried and undone; nothing was changed"]
    )


def _result(trial: Trial) -> str:
    return f"tried in {trial.seconds:.3f} s" if trial.tried else f"not tried: {trial.reason}"


def _try_all(session: Session, chosen: Sequence[Migration]) -> list[Trial]:
    trials: list[Trial] = []
    untried: set[str] = set()
    for migration in chosen:
        if not migration.transactional:
            reason = "it runs outside a transaction"
        elif parents := sorted(migration.depends & untried):
            reason = f"it depends on {parents[0]}"
        else:
            trials.append(Trial(migration.id, True, "", _try_one(session, migration)))
            continue
        untried.add(migration.id)
        trials.append(Trial(migration.id, False, reason, 0.0))
    return trials


def _try_one(session: Session, migration: Migration) -> float:
    begun, connection = time.monotonic(), session.connection
    with names_of_files(connection, session.search_path):
        for statement in migration.statements:
            try:
                connection.execute(statement.text.encode())
            except Error as error:
                raise statement_error(
                    error,
                    path=migration.path,
                    text=migration.text,
                    statement=statement,
                    hint="nothing was changed: this was a dry run",
                ) from None
    connection.execute("RESET SESSION AUTHORIZATION")
    return time.monotonic() - begun
