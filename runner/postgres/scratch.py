"""Scratch databases: made to run files in, and dropped.

On a scratch server the files are somebody else's, so whoever wrote them gets nothing: they log in
as a role without superuser, which reads no file, starts no program and makes no connection. What
needs more is done by our own connection before any file runs, and that one never enters a
database that a file was run in.
"""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from psycopg import Connection, Error, errors, sql
from psycopg.conninfo import make_conninfo

from runner.errors import ScratchError, TrueupError
from runner.postgres.binaries import find_binaries
from runner.postgres.connect import connect, parse_dsn
from runner.postgres.databases import create_database, drop_database
from runner.postgres.embedded import FAST, EmbeddedServer, start_server
from runner.postgres.plain import Allowance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

_NAME = "trueup scratch"
_ADMIN = "trueup_admin"
_LOOK_SECONDS = 0.5
_GIB = 1024**3
_ROOM_LEFT = _GIB  # bytes that stay free on the disk of the embedded server


@dataclass(frozen=True)
class Limits:
    """What files may use.

    Args:
        seconds: from the server's start to its end.
        memory: bytes of address space of each process of the embedded server.
        disk: bytes of all databases together, and once more of temporary files.
    """

    seconds: float = 3600.0
    memory: int = 4 * _GIB
    disk: int = 20 * _GIB


@dataclass(frozen=True)
class Role:
    """A role that a schema names; `superuser` says that it is one where it comes from."""

    name: str
    superuser: bool = False


@dataclass
class ScratchServer:
    """A server that scratch databases are made on.

    Args:
        dsn: one of its databases, as its superuser; no file ever sees it.
        files: the role that files log in as.
        loader: the role that fills tables: no trigger fires, and no foreign key is checked.
        server: the embedded server, None for a named one.
        password: of both roles.
        allowance: what files are let off.
    """

    dsn: str = field(repr=False)
    files: str
    loader: str
    server: EmbeddedServer | None
    password: str = field(repr=False)
    allowance: Allowance = field(init=False)
    _made: list[str] = field(default_factory=list)
    _roles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Let files name roles that are not here."""
        self.allowance = Allowance(lambda name: self.make_roles([Role(name)]))

    @property
    def own(self) -> bool:
        """Whether it is the embedded server, which may have owners and grants of another."""
        return self.server is not None

    def create(self, template: str | None = None) -> str:
        """A new database's DSN, for files; a clone of another one's when that is given."""
        name = f"trueup_scratch_{uuid.uuid4().hex[:12]}"
        source = parse_dsn(template)["dbname"] if template else "template0"
        try:
            create_database(self.dsn, name, source, owner=self.files)
        except Error as error:
            raise _not_made(error, "name a server where the role may: --scratch DSN") from None
        self._made.append(name)
        if template is None:
            self._give_public(name)
        return self._dsn(name, self.files)

    def loads(self, dsn: str) -> str:
        """The DSN of one of its databases for the role that fills tables."""
        return self._dsn(parse_dsn(dsn)["dbname"], self.loader)

    def drop(self, dsn: str) -> None:
        """Drop one of its databases."""
        name = parse_dsn(dsn)["dbname"]
        if name in self._made:
            drop_database(self.dsn, name)
            self._made.remove(name)

    def make_roles(self, roles: Sequence[Role]) -> None:
        """Make stand-ins for roles that a schema names, without any right of their own."""
        with connect(self.dsn, application_name=_NAME) as connection:
            known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            new = [role for role in roles if role.name not in known]
            for role in new:
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role.name)))
                self._roles.append(role.name)
            for role in new:
                to = sql.Identifier(role.name)
                grant = sql.SQL("GRANT {} TO {} WITH ADMIN OPTION")
                connection.execute(grant.format(to, sql.Identifier(self.files)))

    def make_tablespaces(self, names: Sequence[str]) -> None:
        """Let files use tablespaces that a schema names; on the embedded server, make them."""
        with connect(self.dsn, application_name=_NAME) as connection:
            known = {row[0] for row in connection.execute("SELECT spcname FROM pg_tablespace")}
            if self.own and connection.info.server_version >= 150000:
                connection.execute("SET allow_in_place_tablespaces = on")
                for name in sorted({*names} - known):
                    made = sql.SQL("CREATE TABLESPACE {} LOCATION ''").format(sql.Identifier(name))
                    connection.execute(made)
                    known.add(name)
            for name in sorted(known.intersection(names)):
                roles = (sql.Identifier(r) for r in (name, self.files, self.loader))
                grant = sql.SQL("GRANT CREATE ON TABLESPACE {} TO {}, {}").format(*roles)
                connection.execute(grant)

    def size(self, connection: Connection[Any]) -> int:
        """Bytes of its databases, as a connection of `dsn` tells."""
        row = connection.execute(
            "SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint"
            " FROM pg_database WHERE datname = ANY(%s)",
            [list(self._made)],
        ).fetchone()
        return row[0] if row else 0

    def clear(self) -> None:
        """Drop all that was made, the roles too."""
        for name in list(self._made):
            drop_database(self.dsn, name)
            self._made.remove(name)
        with connect(self.dsn, application_name=_NAME) as connection:
            for name in (*self._roles, self.loader, self.files):
                role = sql.Identifier(name)
                drop = sql.SQL("DROP OWNED BY {}; DROP ROLE {}").format(role, role)
                # Another rehearsal on the same server may use the same stand-in.
                with suppress(errors.DependentObjectsStillExist):
                    connection.execute(drop)

    def _dsn(self, name: str, role: str) -> str:
        values = {"dbname": name, "user": role, "password": self.password}
        return make_conninfo(**{**parse_dsn(self.dsn), **values})

    def _give_public(self, name: str) -> None:
        with connect(self._admin(name), application_name=_NAME) as connection:
            # Before PostgreSQL 15 the schema public is not the database owner's.
            if connection.info.server_version < 150000:
                statement = sql.SQL("ALTER SCHEMA public OWNER TO {}")
                connection.execute(statement.format(sql.Identifier(self.files)))

    def _admin(self, name: str) -> str:
        return make_conninfo(**{**parse_dsn(self.dsn), "dbname": name})


@contextmanager
def scratch_server(
    dsn: str | None = None, limits: Limits | None = None, *, major: int | None = None
) -> Iterator[ScratchServer]:
    """The embedded server, or a named one, for files that need not be trusted.

    Args:
        dsn: a database of a server of the user's, as a superuser; None for the embedded server.
        limits: what the files may use.
        major: the version that the embedded server has, if its programs are on this machine.

    Raises:
        ScratchError: the role there is no superuser, or the files used more than the limits.
    """
    limits = limits or Limits()
    if dsn is None:
        settings = {
            **FAST,
            "max_connections": "50",
            "log_temp_files": "0",
            "temp_file_limit": f"{limits.disk // 1024}kB",
        }
        binaries = find_binaries(major=major)
        with start_server(
            binaries=binaries, settings=settings, user=_ADMIN, memory=limits.memory
        ) as server:
            yield from _guarded(_own(server), limits)
        return
    scratch = _named(dsn, limits)
    try:
        yield from _guarded(scratch, limits)
    finally:
        scratch.clear()


@contextmanager
def scratch_database(dsn: str, hint: str) -> Iterator[str]:
    """A database on a server where the files are trusted, as the role of the DSN.

    Args:
        dsn: any database of the server.
        hint: what to do when none can be made.

    Raises:
        ScratchError: the role may not create a database.
    """
    name = f"trueup_scratch_{uuid.uuid4().hex[:12]}"
    try:
        create_database(dsn, name, "template0")
    except errors.InsufficientPrivilege as error:
        raise _not_made(error, hint) from None
    try:
        yield make_conninfo(**{**parse_dsn(dsn), "dbname": name})
    finally:
        drop_database(dsn, name)


def require_plain(dsn: str) -> None:
    """Refuse a database whose role could reach the server's machine: files are to run there.

    Raises:
        ScratchError: the role is a superuser, or may read files or start programs.
    """
    with connect(dsn, application_name=_NAME) as connection:
        row = connection.execute(
            "SELECT rolname, rolsuper OR EXISTS (SELECT FROM pg_roles AS p"
            " WHERE p.rolname = ANY(%s) AND pg_has_role(r.oid, p.oid, 'MEMBER'))"
            " FROM pg_roles AS r WHERE rolname = current_user",
            [
                [
                    "pg_execute_server_program",
                    "pg_read_server_files",
                    "pg_write_server_files",
                ]
            ],
        ).fetchone()
    if row is None or row[1]:
        raise ScratchError(
            f"files would run in {parse_dsn(dsn).get('dbname', 'the backup')} as a role that may"
            " read files and start programs on its server",
            hint="restore the backup as a role without superuser, and name that in the DSN:"
            " pg_restore --no-owner --role=ROLE",
        )


def _not_made(error: Error, hint: str) -> ScratchError:
    reason = error.diag.message_primary or str(error).strip()
    return ScratchError(f"a scratch database cannot be created: {reason}", hint=hint)


def _guarded(scratch: ScratchServer, limits: Limits) -> Iterator[ScratchServer]:
    with _Guard(scratch, limits):
        yield scratch


def _own(server: EmbeddedServer) -> ScratchServer:
    """The embedded server, where nobody but us can be its superuser."""
    password = uuid.uuid4().hex
    scratch = ScratchServer(
        make_conninfo(server.dsn(), password=password),
        "trueup_scratch",
        "trueup_loader",
        server,
        password,
    )
    with connect(server.dsn(), application_name=_NAME) as connection:
        _alter(connection, _ADMIN, password)
        _make_files_roles(connection, scratch)
        lines = [f"local all {role} scram-sha-256" for role in (_ADMIN, scratch.files)]
        lines.append(f"local all {scratch.loader} scram-sha-256")
        (server.data / "pg_hba.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        connection.execute("SELECT pg_reload_conf()")
    return scratch


def _named(dsn: str, limits: Limits) -> ScratchServer:
    with connect(dsn, application_name=_NAME) as connection:
        row = connection.execute(
            "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
        ).fetchone()
        if not row or not row[0]:
            raise ScratchError(
                "the role of the scratch server is not a superuser",
                hint="it creates a role without privileges for the files; or leave out --scratch",
            )
        suffix = uuid.uuid4().hex[:8]
        password = uuid.uuid4().hex
        files, loader = f"trueup_scratch_{suffix}", f"trueup_loader_{suffix}"
        scratch = ScratchServer(dsn, files, loader, None, password)
        _make_files_roles(connection, scratch)
        for role in (files, loader):
            connection.execute(
                sql.SQL("ALTER ROLE {} SET temp_file_limit = {}").format(
                    sql.Identifier(role), sql.Literal(f"{limits.disk // 1024}kB")
                )
            )
    return scratch


def _make_files_roles(connection: Connection[Any], scratch: ScratchServer) -> None:
    files, loader = sql.Identifier(scratch.files), sql.Identifier(scratch.loader)
    # Before PostgreSQL 16 CREATEROLE grants itself pg_execute_server_program; and what a file
    # makes on a server of the user's would stay.
    roles = scratch.own and connection.info.server_version >= 160000
    with connection.transaction():
        for role in (files, loader):
            # A backfill under forced row security has the rights that a migration needs.
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN BYPASSRLS").format(role))
        for name in (scratch.files, scratch.loader):
            _alter(connection, name, scratch.password)
        if roles:
            connection.execute(sql.SQL("ALTER ROLE {} CREATEROLE").format(files))
        connection.execute(sql.SQL("GRANT {} TO {}").format(files, loader))
        # Only a superuser may set them, so the server does when the role logs in.
        for role, setting, value in (
            (files, "log_temp_files", "0"),
            (loader, "session_replication_role", "replica"),
        ):
            connection.execute(
                sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.SQL(setting), value)
            )
        if connection.info.server_version >= 150000:
            connection.execute(
                sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(files)
            )


def _alter(connection: Connection[Any], role: str, password: str) -> None:
    connection.execute("SET password_encryption = 'scram-sha-256'")
    connection.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
    )


class _Guard:
    """Watches from its own connection, and ends the files' sessions when a limit is reached."""

    def __init__(self, scratch: ScratchServer, limits: Limits) -> None:
        self._scratch, self._limits = scratch, limits
        self._reason = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)
        data = scratch.server.data if scratch.server else None
        self._data = data if data and shutil.disk_usage(data).free > 2 * _ROOM_LEFT else None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        # Whatever went wrong then, this is why.
        if self._reason and (value is None or isinstance(value, Exception)):
            raise ScratchError(
                f"stopped: {self._reason}",
                hint="the scratch databases are gone, nothing else was touched",
            ) from None

    def _watch(self) -> None:
        end = time.monotonic() + self._limits.seconds
        try:
            with connect(self._scratch.dsn, application_name=_NAME) as connection:
                while not self._over.wait(_LOOK_SECONDS):
                    self._reason = self._reason or self._exceeded(connection, end)
                    if self._reason:
                        self._end_sessions(connection)
        except (Error, TrueupError) as error:
            self._reason = self._reason or f"its limits could not be watched: {str(error).strip()}"

    def _exceeded(self, connection: Connection[Any], end: float) -> str:
        if time.monotonic() > end:
            return f"the files ran for longer than {self._limits.seconds:g} s"
        if self._data and shutil.disk_usage(self._data).free < _ROOM_LEFT:
            return "the files left less than 1 GiB free on the disk"
        try:
            size = self._scratch.size(connection)
        except Error:
            return ""  # one was dropped meanwhile
        if size > self._limits.disk:
            return f"the files wrote more than {self._limits.disk / _GIB:g} GiB"
        return ""

    def _end_sessions(self, connection: Connection[Any]) -> None:
        roles = [self._scratch.files, self._scratch.loader]
        for role in roles:
            connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(role)))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY(%s)",
            [roles],
        )
