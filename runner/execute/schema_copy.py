"""The schema of a live database, taken by pg_dump and made again in a scratch database."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import Connection, Error, sql
from psycopg.conninfo import make_conninfo

from runner.errors import RehearsalError, ServerNotFoundError
from runner.ledger.scanner import split
from runner.postgres.binaries import find_binaries
from runner.postgres.connect import OURS, connect, parse_dsn
from runner.postgres.plain import Allowance, owner_of, run_plain
from runner.postgres.scratch import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.postgres.scratch import ScratchServer

_NAME = "trueup rehearsal"
_META = re.compile(r"^\\(?:un)?restrict \w+$", re.MULTILINE)
_DUMP_SECONDS = 600


@dataclass(frozen=True)
class Schema:
    """A schema as SQL.

    Args:
        before: what makes types, tables and functions.
        after: what makes indexes, constraints and triggers, once the rows are there.
        roles: the roles that it names.
        tablespaces: those that it names.
        superuser: the live database was named with a superuser's role.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    roles: tuple[Role, ...]
    tablespaces: tuple[str, ...] = ()
    superuser: bool = False


def dump_schema(dsn: str, *, owners: bool) -> Schema:
    """Take the schema of a live database by pg_dump.

    Args:
        dsn: the live database; it is only read.
        owners: with owners and grants.

    Raises:
        RehearsalError: there is no pg_dump that can, or it failed.
    """
    with connect(dsn, application_name=_NAME, settings=OURS) as connection:
        major = connection.info.server_version // 10000
        roles = connection.execute(
            "SELECT rolname, rolsuper FROM pg_catalog.pg_roles"
            " WHERE rolname !~ '^pg_' ORDER BY rolname"
        ).fetchall()
        tablespaces = connection.execute(
            "SELECT DISTINCT s.spcname FROM pg_catalog.pg_class AS c"
            " JOIN pg_catalog.pg_tablespace AS s ON s.oid = c.reltablespace"
            " WHERE s.spcname !~ '^pg_' ORDER BY 1"
        ).fetchall()
        user = connection.info.user
    program = _pg_dump(major)
    flags = [] if owners else ["--no-owner", "--no-acl"]
    parts = [_run(program, dsn, section, flags) for section in ("pre-data", "post-data")]
    known = tuple(Role(*row) for row in roles)
    superuser = any(role.superuser and role.name == user for role in known)
    places = tuple(name for (name,) in tablespaces)
    return Schema(parts[0], parts[1], known, places, superuser)


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
            scratch.make_roles(schema.roles)
        if schema.tablespaces:
            scratch.make_tablespaces(schema.tablespaces)
        # What is a superuser's stays with the role for files, which has the rights here; on a
        # server of the user's, where nobody else owns anything, all of it.
        rulers = frozenset(role.name for role in schema.roles if role.superuser or not scratch.own)
        scratch.allowance.kept_from = rulers
        parts = [
            [statement for statement in part if owner_of(statement) not in rulers]
            for part in (schema.before, schema.after)
        ]
        connection.execute("SET check_function_bodies = off")
        failures += _execute(connection, parts[0])
        rows()
        failures += _execute(connection, parts[1])
        if schema.superuser:
            _let_owners_create(connection)
    return failures


def _let_owners_create(connection: Connection[Any]) -> None:
    """Let files give each owner more, as a superuser may whatever the owner's own rights."""
    rows = connection.execute(
        "SELECT DISTINCT n.nspname, o.rolname FROM pg_catalog.pg_class AS c"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " JOIN pg_catalog.pg_roles AS o ON o.oid = c.relowner"
        " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        " AND NOT pg_catalog.has_schema_privilege(o.oid, n.oid, 'CREATE')"
    ).fetchall()
    for place, owner in rows:
        grant = sql.SQL("GRANT CREATE ON SCHEMA {} TO {}")
        connection.execute(grant.format(sql.Identifier(place), sql.Identifier(owner)))


def _execute(connection: Connection[Any], statements: Sequence[str]) -> list[str]:
    failures = []
    allowance = Allowance()
    for statement in statements:
        try:
            run_plain(connection, statement, allowance)
        except Error as error:
            if error.sqlstate == "42P06":  # the schema public is there already
                continue
            if error.sqlstate == "42704" and statement.startswith("SET "):
                continue  # a newer pg_dump's setting, which this server does not have
            shown = " ".join(statement.split())[:80]
            failures.append(f"{shown}: {error.diag.message_primary or error}")
    return [*allowance.skipped.values(), *failures]


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
        hint="install the client programs of that version, or name a server with --scratch",
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
            *("--lock-wait-timeout=5s", "--encoding=UTF8"),
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
    text = _META.sub("", done.stdout.decode())  # pg_dump's only commands of psql
    return tuple(statement.text for statement in split(text))
