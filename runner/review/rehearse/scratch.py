"""The scratch copy: a server, the schema of a live database or of files, and rows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg import Connection, Error, sql
from psycopg.conninfo import make_conninfo

from runner.errors import RehearsalError, ServerNotFoundError
from runner.ledger.scanner import split
from runner.postgres.binaries import find_binaries
from runner.postgres.connect import connect, parse_dsn
from runner.postgres.databases import create_database, drop_database
from runner.postgres.embedded import FAST, start_server

_NAME = "trueup rehearsal"
_META = re.compile(r"^\\.*$", re.MULTILINE)
_DUMP_SECONDS = 600


@dataclass
class ScratchServer:
    """A server that scratch databases are made on, and dropped with.

    Args:
        dsn: one of its databases.
        own: it is the embedded server, so that roles may be made.
    """

    dsn: str
    own: bool
    _made: list[str] = field(default_factory=list)

    def create(self, template: str | None = None) -> str:
        """A new database's DSN; a clone of another one's when that is given."""
        name = f"trueup_rehearsal_{uuid.uuid4().hex[:12]}"
        source = parse_dsn(template)["dbname"] if template else "template0"
        try:
            create_database(self.dsn, name, source)
        except Error as error:
            raise RehearsalError(
                f"no scratch database can be made: {error.diag.message_primary or error}",
                hint="name a server where the role may: --scratch DSN; or leave it out",
            ) from None
        self._made.append(name)
        return make_conninfo(**{**parse_dsn(self.dsn), "dbname": name})

    def drop(self, dsn: str) -> None:
        """Drop one of its databases."""
        name = parse_dsn(dsn)["dbname"]
        if name in self._made:
            drop_database(self.dsn, name)
            self._made.remove(name)

    def drop_all(self) -> None:
        """Drop all that was made."""
        for name in list(self._made):
            drop_database(self.dsn, name)
            self._made.remove(name)


@contextmanager
def scratch_server(dsn: str | None) -> Iterator[ScratchServer]:
    """The embedded server, or a named one.

    Args:
        dsn: a database of a server of the user's; None for the embedded server.

    Raises:
        RehearsalError: the role there is no superuser.
    """
    if dsn is None:
        # Nothing here outlives the rehearsal: its times are those of a server that need not wait
        # for the disk, which the certificate says.
        with start_server(settings={**FAST, "max_connections": "50"}) as server:
            yield ScratchServer(server.dsn(), own=True)
        return
    with connect(dsn, application_name=_NAME) as connection:
        row = connection.execute(
            "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
        ).fetchone()
    if not row or not row[0]:
        raise RehearsalError(
            "the role of the scratch server is no superuser",
            hint="it loads rows without checking foreign keys; or leave --scratch out",
        )
    scratch = ScratchServer(dsn, own=False)
    try:
        yield scratch
    finally:
        scratch.drop_all()


@dataclass(frozen=True)
class Schema:
    """A schema as SQL.

    Args:
        before: what makes types, tables and functions.
        after: what makes indexes, constraints and triggers, once the rows are there.
        roles: the roles that it names.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    roles: tuple[str, ...]


def dump_schema(dsn: str, *, owners: bool) -> Schema:
    """Take the schema of a live database by pg_dump.

    Args:
        dsn: the live database; it is only read.
        owners: with owners and grants.

    Raises:
        RehearsalError: there is no pg_dump that can, or it failed.
    """
    with connect(dsn, application_name=_NAME) as connection:
        major = connection.info.server_version // 10000
        roles = connection.execute(
            "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname"
        ).fetchall()
    program = _pg_dump(major)
    flags = [] if owners else ["--no-owner", "--no-acl"]
    parts = [_run(program, dsn, section, flags) for section in ("pre-data", "post-data")]
    return Schema(parts[0], parts[1], tuple(row[0] for row in roles))


def load_schema(
    scratch: ScratchServer, dsn: str, schema: Schema, rows: Callable[[], object]
) -> list[str]:
    """Make a schema in an empty database, with rows before its constraints.

    Args:
        scratch: the server.
        dsn: the database.
        schema: as dumped.
        rows: called when the tables are there.

    Returns:
        What could not be made, each with PostgreSQL's reason.
    """
    failures = []
    with connect(dsn, application_name=_NAME) as connection:
        if scratch.own:
            _make_roles(connection, schema.roles)
        connection.execute("SET check_function_bodies = off")
        failures += _execute(connection, schema.before)
        rows()
        failures += _execute(connection, schema.after)
    return failures


def _make_roles(connection: Connection[Any], roles: Sequence[str]) -> None:
    known = {row[0] for row in connection.execute("SELECT rolname FROM pg_catalog.pg_roles")}
    for role in roles:
        if role not in known:
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))


def _execute(connection: Connection[Any], statements: Sequence[str]) -> list[str]:
    failures = []
    for statement in statements:
        try:
            connection.execute(statement.encode())
        except Error as error:
            if error.sqlstate == "42P06":  # the schema public is there already
                continue
            shown = " ".join(statement.split())[:80]
            failures.append(f"{shown}: {error.diag.message_primary or error}")
    return failures


def _pg_dump(major: int) -> Path:
    """A pg_dump that is no older than the live server."""
    found = []
    with suppress(ServerNotFoundError):
        found.append(find_binaries().directory / "pg_dump")
    if named := shutil.which("pg_dump"):
        found.append(Path(named))
    for program in found:
        if program.exists() and _major(program) >= major:
            return program
    raise RehearsalError(
        f"there is no pg_dump for PostgreSQL {major}",
        hint="install the client programs, or rehearse on the files alone, with no database named",
    )


def _major(program: Path) -> int:
    done = subprocess.run(
        [str(program), "--version"], capture_output=True, text=True, check=False, timeout=30
    )
    match = re.search(r"(\d+)", done.stdout)
    return int(match[1]) if match else 0


def _run(program: Path, dsn: str, section: str, flags: Sequence[str]) -> tuple[str, ...]:
    values = parse_dsn(dsn)
    # A password on a command line is there for all to see.
    environment = dict(os.environ)
    if password := values.pop("password", None):
        environment["PGPASSWORD"] = password
    done = subprocess.run(
        [
            *(str(program), "--schema-only", f"--section={section}", *flags),
            *("--no-publications", "--no-subscriptions", "--no-security-labels"),
            *("--no-tablespaces", "--lock-wait-timeout=5s", "--encoding=UTF8"),
            *("--dbname", make_conninfo(**values)),
        ],
        env=environment,
        capture_output=True,
        check=False,
        timeout=_DUMP_SECONDS,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        errors = [line.removeprefix("pg_dump: error: ") for line in said if "error: " in line]
        reason = (errors or said or [f"it ended with {done.returncode}"])[0]
        raise RehearsalError(
            f"pg_dump cannot read the schema: {reason}",
            hint="it needs SELECT on every table, to lock it in ACCESS SHARE mode",
        )
    # Outside of strings, pg_dump begins lines with psql's commands only for \restrict.
    text = _META.sub("", done.stdout.decode()) if b"\n\\" in done.stdout else done.stdout.decode()
    return tuple(statement.text for statement in split(text))
