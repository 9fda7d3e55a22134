"""The database that a proposal is made from: a live one, or a dump on the embedded server."""

from __future__ import annotations

import re
import secrets
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo

from runner.catalog import read_catalog
from runner.errors import StandardError
from runner.postgres.connect import OURS, connect, parse_dsn
from runner.postgres.scratch import ScratchServer, scratch_server
from runner.postgres.supervise import bare_environment, confine
from runner.preflight.reading import read_only
from runner.propose.fit import fit
from runner.propose.stand_ins import is_of_roles, without_uuid_ossp
from runner.standard.documents import read_documents
from runner.standard.evidence import read_evidence
from runner.standard.joined import read_joins
from runner.standard.keys import settle, tables_of, tied_columns, uuid_verdicts
from runner.standard.modules import shared_enums
from runner.standard.propose import Found, propose

_MAKE_DUMP = "Make the dump with: pg_dump --no-owner --file schema.sql"
_MOST_SHOWN = 10
_PSQL_MEMORY, _PSQL_FILE = 4 * 1024**3, 64 * 1024**2  # bytes: of a process, of what it says
_FIRST, _LAST = b"-- PostgreSQL database dump\n", b"-- PostgreSQL database dump complete"


@dataclass(frozen=True)
class Wishes:
    """What a user says of the service.

    Args:
        service: its name.
        schemas: the schemas that hold its tables, its own first.
        enums_module: the module with its shared enums, if it has one.
        words: plurals with their singulars.
    """

    service: str
    schemas: Sequence[str] = ("public",)
    enums_module: str | None = None
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposed:
    """The text of a standard.toml, and what could not be looked at for it."""

    text: str
    warnings: tuple[str, ...] = ()


def propose_from_database(dsn: str, wishes: Wishes, *, scan: bool) -> Proposed:
    """Propose a standard from a live database, reading only.

    Args:
        dsn: the database.
        wishes: what the user says of the service.
        scan: read each table once; else the planner's statistics must do.

    Raises:
        StandardError: a schema has no table, or the module cannot be read.
        LockedError, StatementError, ConnectionFailedError: the database could not be read.
    """
    enums = shared_enums(wishes.enums_module) if wishes.enums_module else []
    with (
        connect(dsn, application_name="trueup propose", settings=OURS) as connection,
        read_only(connection, "propose"),
    ):
        catalog = read_catalog(connection, wishes.schemas)
        for schema in wishes.schemas:
            if not any(t.schema == schema for t in catalog.tables):
                raise StandardError(
                    f"the schema {schema} of {connection.info.dbname} has no table",
                    hint="Name another one with --schema, or another database with --dsn.",
                )
        evidence, unread = read_evidence(connection, catalog, scan=scan)
        ties = tied_columns(catalog)
        verdicts = uuid_verdicts(tables_of(catalog), catalog, evidence, ties)
        joins = read_joins(connection, catalog, verdicts) if scan else {}
        documents = read_documents(connection, catalog) if scan else {}
        uuids, ties = settle(verdicts, joins, ties, read=scan)
        proposal = propose(
            wishes.service,
            catalog,
            Found(evidence, uuids, ties, documents),
            enums=enums,
            enums_module=wishes.enums_module,
            words=wishes.words,
        )
        fit(proposal, catalog, connection)
    return Proposed(
        proposal.text(),
        tuple(f"not read, as this role may not see all its rows: {name}" for name in unread),
    )


def propose_from_dump(dump: Path, wishes: Wishes) -> Proposed:
    """Propose a standard from a dump in SQL, loaded into the embedded server.

    Args:
        dump: a file as pg_dump writes it, with or without data.
        wishes: what the user says of the service.

    Raises:
        StandardError: the dump cannot be read, or nothing of it could be loaded.
    """
    _require_sql(dump)
    with scratch_server() as scratch:
        dsn = scratch.create()
        failures = _load(scratch, dsn, dump)
        try:
            found = propose_from_database(dsn, wishes, scan=True)
        except StandardError as error:
            if not failures:
                raise
            message = error.message.replace(str(parse_dsn(dsn)["dbname"]), "dump")
            raise StandardError(
                f"{dump}: {message}; the dump's first failure: {failures[0]}",
                hint=_MAKE_DUMP,
            ) from error
    warnings = [f"not loaded: {failure}" for failure in failures[:_MOST_SHOWN]]
    if _is_cut_off(dump):
        warnings.insert(0, f"{dump}: ends before the last line that pg_dump writes: it is cut off")
    if len(failures) > _MOST_SHOWN:
        warnings.append(f"not loaded: and {len(failures) - _MOST_SHOWN} more")
    return Proposed(found.text, (*warnings, *found.warnings))


def _require_sql(dump: Path) -> None:
    """Refuse what psql would choke on, and say what it is instead."""
    if dump.is_dir():
        raise StandardError(
            f"{dump}: is a folder; a dump in folder format has to be made SQL first",
            hint=f"pg_restore -f schema.sql {dump}",
        )
    try:
        with dump.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise StandardError(f"{dump}: cannot be read: {error.strerror}") from error
    if not start.strip():
        raise StandardError(f"{dump}: is empty", hint=_MAKE_DUMP)
    if start.startswith(b"PGDMP") or start[257:262] == b"ustar":
        raise StandardError(
            f"{dump}: is a dump in binary format, which has to be made SQL first",
            hint=f"pg_restore -f schema.sql {dump}",
        )
    if start.startswith(b"\x1f\x8b"):
        raise StandardError(f"{dump}: is compressed", hint=f"gunzip --keep {dump}")
    if b"\0" in start:
        raise StandardError(f"{dump}: is not SQL", hint=_MAKE_DUMP)


def _is_cut_off(dump: Path) -> bool:
    """Whether pg_dump began the file and did not end it."""
    with dump.open("rb") as file:
        if _FIRST not in file.read(512).replace(b"\r", b""):
            return False
        file.seek(max(0, dump.stat().st_size - 512))
        return _LAST not in file.read()


def _load(scratch: ScratchServer, dsn: str, dump: Path) -> list[str]:
    """Let psql load the dump with its COPY data; the failures, each with its line.

    The dump is somebody else's: it runs as the role for files, and psql's own commands, which could
    start programs, are switched off. Failures that others led to come last.
    """
    server = scratch.server
    assert server is not None
    psql = server.binaries.directory / "psql"
    if not psql.exists():
        raise StandardError(
            f"{psql.parent} has no psql to load the dump with",
            hint="Load the dump into a scratch database and name that with --dsn.",
        )
    values = parse_dsn(dsn)
    # A password on a command line is there for all to see.
    password = values.pop("password")
    command = [
        *(str(psql), "--no-psqlrc", "--quiet", "--dbname", make_conninfo(**values)),
        *("--set", "VERBOSITY=terse", "--output", "/dev/null"),
        *("--command", f"\\restrict {secrets.token_hex(16)}"),
    ]
    user, group = server.account or (None, None)
    options: dict[str, Any] = {
        "env": bare_environment() | {"PGPASSWORD": password},
        "cwd": "/",
        "preexec_fn": confine(_PSQL_MEMORY, _PSQL_FILE),
        **({"user": user, "group": group, "extra_groups": []} if server.account else {}),
    }
    _require_restrict(command, options)
    with dump.open("rb") as file, tempfile.TemporaryFile("w+", errors="replace") as said:
        with subprocess.Popen(
            [*command, "--file", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            **options,
        ) as process:
            assert process.stdin is not None
            # psql reads to the end, unless the server is gone: then the failures tell.
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.writelines(file if _has_uuid_ossp(dsn) else without_uuid_ossp(file))
        said.seek(0)
        errors = said.read()
    failures = {
        int(found[1]): found[2]
        for found in re.finditer(
            r"^(?:psql:)?<stdin>:(\d+): (?:ERROR|FATAL|error|fatal): +(.*)",
            errors,
            re.MULTILINE,
        )
    }
    with dump.open("rb") as file:
        # pg_dump's own ones change nothing here.
        ours = {
            number
            for number, line in enumerate(file, start=1)
            if number in failures
            and (
                line.startswith((b"\\restrict ", b"\\unrestrict ", b"\\connect "))
                or is_of_roles(line, failures[number])
            )
        }
    told = [(n, text) for n, text in failures.items() if n not in ours]
    told.sort(key=lambda failure: failure[1].startswith("relation "))
    return [f"{dump}:{n}: {text}" for n, text in told]


def _require_restrict(command: list[str], options: dict[str, Any]) -> None:
    """Refuse a psql that cannot switch its own commands off."""
    tried = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, **options
    )
    if tried.returncode != 0 or tried.stderr:
        reason = tried.stderr.decode(errors="replace").strip() or f"exit code {tried.returncode}"
        raise StandardError(
            f"{command[0]} cannot load somebody else's dump safely: {reason}",
            hint="Install a minor release of PostgreSQL from August 2025 or later.",
        )


def _has_uuid_ossp(dsn: str) -> bool:
    with connect(dsn, application_name="trueup propose", settings=OURS) as connection:
        found = connection.execute(
            "SELECT FROM pg_available_extensions WHERE name = 'uuid-ossp'"
        ).fetchone()
    return found is not None
