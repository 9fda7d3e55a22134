"""What is known of the live database before a rehearsal, and what is pending there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from runner.errors import UsageError
from runner.layouts.applied import read_applied
from runner.ledger import selection
from runner.ledger.files import Migration
from runner.ledger.units import unit_of
from runner.postgres.connect import OURS, connect
from runner.quoting import Name
from runner.review.fingerprint import schema_fingerprint, service_catalog
from runner.review.rehearse.sample import Size, read_sizes

_NAME = "trueup rehearsal"
# An error rather than a policy that somebody wrote for whoever reads his table.
READING = {**OURS, "row_security": "off"}


@dataclass
class Live:
    """What is known of the live database; nothing when none is named."""

    server: int | None = None
    schema: str | None = None
    sizes: dict[Name, Size] = field(default_factory=dict)
    pending: list[Migration] = field(default_factory=list)
    applied: list[Migration] = field(default_factory=list)


def look(
    dsn: str | None, migrations: Sequence[Migration], to: str | None, base: str, unit: str | None
) -> Live:
    """Find out what is pending, and what is known of the live database.

    Args:
        dsn: the live database, only read; None to take the files up to `base` for applied.
        migrations: all that the sources hold.
        to: the last phase or id to rehearse; None for all.
        base: the last phase or id that counts as applied without a database.
        unit: a table whose unit alone is rehearsed; None for all.

    Raises:
        UsageError: nothing is pending.
    """
    live = Live()
    within = unit_of(migrations, unit) if unit else None
    mine = [m.id for m in migrations if within is None or m.id in within.files]
    last = to or (mine[-1] if mine else "")
    if dsn is None:
        before = selection.to_apply(migrations, (), to=base) if base else []
        applied = {m.id for m in before}
    else:
        with connect(dsn, application_name=_NAME, settings=READING) as connection:
            live.server = connection.info.server_version
            applied = read_applied(connection, migrations)
            catalog = service_catalog(connection)
            live.schema = schema_fingerprint(catalog)
            live.sizes = read_sizes(connection, catalog)
    live.applied = [m for m in migrations if m.id in applied]
    if last:
        live.pending = selection.to_apply(migrations, applied, to=last, unit=within)
    if not live.pending:
        raise UsageError("nothing is pending, so there is nothing to rehearse")
    return live
