"""What `apply --require-rehearsal` asks before it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from psycopg import Connection

from runner.ledger.files import Migration
from runner.review.certificate import load_stored, read_file, require


def approval(
    named: Path | None, migrations: Sequence[Migration]
) -> Callable[[Connection[Any], Sequence[Migration]], None]:
    """What a run that requires a rehearsal asks under the lock.

    Args:
        named: a certificate's file; None for the one in the database.
        migrations: all that the sources hold, in the order of read_migrations.

    Returns:
        A function for Settings.approve. It raises RehearsalError for what was not rehearsed.

    Raises:
        RehearsalError: the file cannot be read.
    """
    of_file = read_file(named) if named else None

    def approve(connection: Connection[Any], chosen: Sequence[Migration]) -> None:
        require(of_file or load_stored(connection), connection, chosen, migrations)

    return approve
