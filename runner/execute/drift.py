"""Where a live database differs from what its files alone give on a scratch database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.catalog import Catalog, Difference, diff, read_catalog
from runner.errors import UsageError
from runner.execute.engine import Settings, apply
from runner.execute.gate import removed_by
from runner.ledger.records import read_ledger
from runner.postgres.connect import OURS, connect
from runner.postgres.scratch import scratch_database
from runner.quoting import Name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from runner.ledger.files import Migration

# What an environment decides, not a migration file.
NOT_OF_THE_FILES = (
    "owner",
    "acl",
    "children",
    "publications",
    "publishes_updates",
    "statistics_target",
    "tablespace",
)
_HINT = "grant the role CREATEDB, or name a server of your own by --scratch DSN"
_RECORDS = ("_yoyo_log", "_yoyo_migration", "_yoyo_version", "yoyo_lock")


def baseline_differences(
    dsn: str, baseline: Sequence[Migration], *, server: str | None = None
) -> list[Difference]:
    """Compare a live database with what its baseline files give on a scratch database.

    Args:
        dsn: the live database; it is only read.
        baseline: the baseline's migrations.
        server: any database of the server that takes the scratch database, None for the same
            server.

    Returns:
        The differences of the objects that the baseline holds. Objects beside them, owners,
        grants, comments and the order of columns do not count.
    """
    expected = _catalog_of_files(dsn, baseline, server)
    found = _catalog_of_database(dsn)
    relations = {n: r for n, r in found.relations.items() if n in expected.relations}
    functions = {n: f for n, f in found.functions.items() if n in expected.functions}
    types = {n: t for n, t in found.types.items() if n in expected.types}
    present = Catalog(found.version, found.schemas, relations, functions, types)
    return diff(expected, present, column_order=False, ignore=(*NOT_OF_THE_FILES, "comment"))


def drift(
    dsn: str,
    migrations: Sequence[Migration],
    *,
    schema: str | None = None,
    server: str | None = None,
) -> list[Difference]:
    """Compare a live database with what its applied files give on a scratch database.

    Args:
        dsn: the live database; it is only read.
        migrations: all that the sources hold, in the order of read_migrations.
        schema: the schema of yoyo's tables, None to look for them.
        server: any database of the server that takes the scratch database, None for the same
            server.

    Returns:
        What was changed past the files, object by object. Owners, grants and the order of
        columns do not count.

    Raises:
        UsageError: no file creates the old tables, so the others cannot run on an empty database.
    """
    phases = {m.phase for m in migrations}
    if phases & {"expand", "window"} and "baseline" not in phases:
        raise UsageError(
            "--drift runs the files on an empty database, and none of them creates the old tables",
            hint="without --drift, verify compares with the standard alone",
        )
    with connect(dsn, application_name="trueup verify", settings=OURS) as connection:
        applied = read_ledger(connection, schema=schema).applied
    expected = _catalog_of_files(dsn, [m for m in migrations if m.id in applied], server)
    return diff(expected, _catalog_of_database(dsn), column_order=False, ignore=NOT_OF_THE_FILES)


def describe_drift(found: Sequence[Difference]) -> str:
    """A drift as lines of text."""
    return "\n".join([*map(str, found), f"changed past the files: {len(found)}"])


def _catalog_of_files(dsn: str, migrations: Sequence[Migration], server: str | None) -> Catalog:
    with scratch_database(server or dsn, _HINT) as scratch:
        if migrations:
            last = migrations[-1]
            unused = tuple(removed_by(m.text for m in migrations))
            apply(scratch, migrations, to=last.id, settings=Settings(force=unused))
        return _catalog_of_database(scratch)


def _catalog_of_database(dsn: str) -> Catalog:
    with connect(dsn, application_name="trueup verify", settings=OURS) as connection:
        catalog = read_catalog(connection, _schemas(connection))
    relations = {n: r for n, r in catalog.relations.items() if not is_record(n)}
    return Catalog(catalog.version, catalog.schemas, relations, catalog.functions, catalog.types)


def _schemas(connection: Connection) -> list[str]:
    rows = connection.execute(
        "SELECT nspname FROM pg_catalog.pg_namespace"
        " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname"
    ).fetchall()
    return [row[0] for row in rows]


def is_record(name: Name) -> bool:
    """Whether a relation is one of yoyo's or trueup's records, which every run changes."""
    return name.name in _RECORDS or (
        name.schema == "trueup" and name.name in ("ledger", "ledger_id_seq", "rehearsal")
    )
