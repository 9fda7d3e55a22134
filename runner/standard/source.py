"""The database that a proposal is made from: a live one, or a dump on the embedded server."""

from __future__ import annotations

import subprocess
from pathlib import Path

from runner.catalog import read_catalog
from runner.errors import StandardError
from runner.postgres.connect import connect
from runner.postgres.embedded import FAST, EmbeddedServer, start_server
from runner.standard.evidence import read_evidence
from runner.standard.load import shared_enums
from runner.standard.propose import propose


def propose_from_database(
    dsn: str, service: str, *, schema: str, enums_module: str | None, scan: bool
) -> str:
    """Propose a standard from a live database, reading only.

    Args:
        dsn: the database.
        service: the service's name.
        schema: the schema that holds its tables.
        enums_module: the module with its shared enums, if it has one.
        scan: read each table once; else the planner's statistics must do.

    Returns:
        The text of a standard.toml.

    Raises:
        StandardError: the schema has no table, or the module cannot be imported.
    """
    enums = shared_enums(enums_module) if enums_module else []
    with (
        connect(dsn, application_name="trueup propose") as connection,
        connection.transaction(),
    ):
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        catalog = read_catalog(connection, [schema])
        if not any(catalog.tables):
            raise StandardError(
                f"the schema {schema} of {connection.info.dbname} has no table that this role sees",
                hint="Name another one with --schema, or another database with --dsn.",
            )
        evidence = read_evidence(connection, catalog, scan=scan)
    return propose(service, catalog, evidence, enums=enums, enums_module=enums_module)


def propose_from_dump(
    dump: Path, service: str, *, schema: str, enums_module: str | None
) -> tuple[str, list[str]]:
    """Propose a standard from a dump in SQL, loaded into the embedded server.

    Args:
        dump: a file as pg_dump writes it, with or without data.
        service, schema, enums_module: as for propose_from_database.

    Returns:
        The text of a standard.toml, and the statements of the dump that failed.

    Raises:
        StandardError: the dump cannot be read, or nothing of it could be loaded.
    """
    if not dump.is_file():
        raise StandardError(f"{dump}: there is no such file")
    with start_server(settings=FAST) as server:
        server.create_database("dump")
        failures = _load(server, dump)
        try:
            text = propose_from_database(
                server.dsn("dump"), service, schema=schema, enums_module=enums_module, scan=True
            )
        except StandardError as error:
            if not failures:
                raise
            raise StandardError(
                f"{dump}: {error.message}; the dump's first failure: {failures[0]}",
                hint="Make the dump with: pg_dump --no-owner --file schema.sql",
            ) from error
    return text, failures


def _load(server: EmbeddedServer, dump: Path) -> list[str]:
    """Let psql load the dump, as it may hold psql's own commands and COPY data."""
    psql = server.binaries.directory / "psql"
    if not psql.exists():
        raise StandardError(
            f"{psql.parent} has no psql to load the dump with",
            hint="Load the dump into a scratch database and name that with --dsn.",
        )
    done = subprocess.run(
        [
            *(str(psql), "--no-psqlrc", "--quiet", "--dbname", server.dsn("dump")),
            *("--set", "VERBOSITY=terse", "--output", "/dev/null"),
        ],
        stdin=dump.open("rb"),
        capture_output=True,
        check=False,
        text=True,
        errors="replace",
    )
    lines = [line.removeprefix("<stdin>:") for line in done.stderr.splitlines()]
    return [f"{dump}:{line}" for line in lines if "ERROR" in line or "FATAL" in line]
