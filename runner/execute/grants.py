"""The SQL that gives a migration role what it needs, and nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import UsageError
from runner.ledger.privileges import needs
from runner.ledger.records import read_ledger
from runner.postgres.connect import OURS, connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.ledger.files import Migration
    from runner.ledger.privileges import Need


def role_needs(
    dsn: str, migrations: Sequence[Migration], role: str, *, schema: str | None = None
) -> list[Need]:
    """List what a role needs on a live database; reads only.

    Args:
        dsn: the database.
        migrations: all that it is to run, forward or back.
        role: the migration role.
        schema: the schema of yoyo's tables, None to look for them.

    Returns:
        The needs; those it has already are marked.

    Raises:
        UsageError: when there is no such role.
    """
    with connect(dsn, application_name="trueup grants", settings=OURS) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", [role]
        ).fetchone()
        if found is None:
            raise UsageError(f"there is no role {role!r}", hint="create it: CREATE ROLE ... LOGIN")
        home = read_ledger(connection, schema=schema).schema
        return needs(connection, migrations, role=role, schema=home)
