"""What `apply --require-rehearsal` asks before it runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from psycopg import Connection

from runner.errors import UsageError
from runner.ledger.files import Migration
from runner.review.certificate import load_stored, read_file, require
from runner.review.signing import ENVIRONMENT, check, read_key


def approval(
    named: Path | None,
    migrations: Sequence[Migration],
    sign_key: Path | None,
    tell: Callable[[str], None],
) -> Callable[[Connection[Any], Sequence[Migration]], None]:
    """What a run that requires a rehearsal asks under the lock.

    Args:
        named: a certificate's file; None for the one in the database.
        migrations: all that the sources hold, in the order of read_migrations.
        sign_key: the file with the key that a certificate must be signed with, if any is.
        tell: is told when nothing shows who made the certificate.

    Returns:
        A function for Settings.approve. It raises RehearsalError for what was not rehearsed, or
        not signed.

    Raises:
        RehearsalError: the file cannot be read.
        UsageError: the key cannot be read.
    """
    key = read_key(sign_key)
    if key is None and ENVIRONMENT in os.environ:
        # As a secret that a job may not see: not to ask for a signature would be its way around.
        raise UsageError(
            f"{ENVIRONMENT} is set and holds no key, so no signature can be checked",
            hint="give it the key, name the key's file by --sign-key, or unset it",
        )
    of_file = read_file(named) if named else None
    if of_file and key is None:
        tell(
            f"note: {named} is taken on trust: whoever can edit it can make it pass;"
            " sign it, and name the key by --sign-key"
        )

    def approve(connection: Connection[Any], chosen: Sequence[Migration]) -> None:
        found = of_file or load_stored(connection)
        if found and key is not None:
            check(found, key, str(named) if named else "trueup.rehearsal")
        require(found, connection, chosen, migrations)

    return approve
