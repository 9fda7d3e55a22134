"""Connections: any spelling of a DSN in, a psycopg connection or one clear error out."""

from __future__ import annotations

import logging
import os
import pwd
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from runner.errors import ConnectionFailedError, StatementError, TrueupError

# What it says of a lost connection, the error that follows says better.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

CONNECT_TIMEOUT = 10
# For sessions that look at a database: no name in a query can mean what somebody else made there,
# and values and definitions read alike whatever the role, the database or the server sets.
OURS = {
    "search_path": "pg_catalog",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
}
_URI = re.compile(r"\w[\w+]*://(?:[^@/]*@)?(?P<hosts>[^/?]*)(?P<path>[^?]*)")
_YOYO_SCHEME = re.compile(r"postgres(?:ql)?\+\w+://", re.IGNORECASE)
_SHAPES = "postgresql://user@host:5432/dbname, or: host=... port=5432 dbname=... user=..."


def connect(
    dsn: str,
    *,
    application_name: str,
    autocommit: bool = True,
    settings: Mapping[str, str] | None = None,
) -> psycopg.Connection:
    """A connection that prepares no statement behind the caller's back.

    Args:
        dsn: a libpq URI, key=value pairs, or a yoyo URL (`postgresql+psycopg://`).
        application_name: what pg_stat_activity shows, unless the DSN names it.
        autocommit: False opens a transaction with the first statement.
        settings: server settings for the session, such as {"lock_timeout": "200ms"}.

    Raises:
        ConnectionFailedError: the DSN is malformed, or the server refuses or cannot be reached.
    """
    values = parse_dsn(dsn)
    values.setdefault("application_name", application_name)
    # In SQL_ASCII, which a database may have, texts would come as bytes.
    values.setdefault("client_encoding", "utf8")
    if "PGCONNECT_TIMEOUT" not in os.environ:
        values.setdefault("connect_timeout", str(CONNECT_TIMEOUT))
    if settings:
        given = [values["options"]] if "options" in values else []
        values["options"] = " ".join([*given, *_options(settings)])
    try:
        connection = psycopg.connect(
            make_conninfo(**values), autocommit=True, prepare_threshold=None
        )
    except psycopg.Error as error:
        raise _explained(error, values) from None
    if settings and "search_path" in settings:
        _require_set(connection, settings["search_path"])
    connection.autocommit = autocommit
    return connection


def _require_set(connection: psycopg.Connection, search_path: str) -> None:
    row = connection.execute("SELECT pg_catalog.current_setting('search_path')").fetchone()
    if row != (search_path,):
        connection.close()
        raise ConnectionFailedError(
            "something between here and the server drops session settings",
            hint="connect to PostgreSQL itself, and not to a pooler",
        )


def parse_dsn(dsn: str) -> dict[str, str]:
    """A DSN's libpq parameters, whatever its spelling.

    Args:
        dsn: a libpq URI, key=value pairs, or a yoyo URL (`postgresql+psycopg://`).

    Raises:
        ConnectionFailedError: the DSN is malformed; the message never quotes it.
    """
    if (uri := _URI.match(dsn)) and "@" in uri["hosts"] + uri["path"]:
        raise ConnectionFailedError(
            "the DSN is malformed: an @ is in a place where none is allowed",
            hint="in a password write @ as %40, / as %2F, : as %3A, % as %25",
        )
    try:
        if _YOYO_SCHEME.match(dsn):
            return _parse_yoyo_url(dsn)
        values = {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
        if not re.fullmatch(r"[\d,]*", values.get("port", "")):
            raise ValueError("port")
    except (psycopg.Error, ValueError):
        # The original message would quote the part with the password.
        raise ConnectionFailedError("the DSN is malformed", hint=f"write it as {_SHAPES}") from None
    return values


def _parse_yoyo_url(url: str) -> dict[str, str]:
    """As yoyo's backend reads it: the path is not decoded, and `schema` is a search path."""
    parts = urlsplit(url)
    values = {"dbname": parts.path[1:], **dict(parse_qsl(parts.query))}
    values.pop("autocommit", None)
    if schema := values.pop("schema", None):
        given = [values["options"]] if "options" in values else []
        values["options"] = " ".join([*given, *_options({"search_path": schema})])
    if parts.username is not None:
        values["user"] = unquote(parts.username)
    if parts.password is not None:
        values["password"] = unquote(parts.password)
    if parts.hostname is not None:
        values["host"] = parts.hostname
    if parts.port is not None:
        values["port"] = str(parts.port)
    checked = conninfo_to_dict(make_conninfo(**values))
    return {key: str(value) for key, value in checked.items() if value != ""}


def _options(settings: Mapping[str, str]) -> list[str]:
    # libpq splits `options` at spaces; a backslash keeps one.
    return [
        "-c " + re.sub(r"([\\\s])", r"\\\1", f"{name}={value}") for name, value in settings.items()
    ]


def ended_by_server(error: psycopg.Error) -> TrueupError:
    """What is to be said of an error that ends a command which only looks.

    Args:
        error: as psycopg raised it.

    Returns:
        The error to show.
    """
    said = str(error).strip().splitlines()
    reason = error.diag.message_primary or (said[0] if said else type(error).__name__)
    reason = " ".join(reason.split("\n"))
    if isinstance(error, psycopg.OperationalError):
        return ConnectionFailedError(
            f"the connection was lost: {reason}",
            hint="make sure that the server is running, then run the same command again",
        )
    code = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    return StatementError(
        f"the server refused a query: {reason}{code}", hint=error.diag.message_hint or ""
    )


def _explained(error: psycopg.Error, values: Mapping[str, str]) -> ConnectionFailedError:
    host = values.get("host") or os.environ.get("PGHOST") or "the local socket"
    place = f"{host}:{values.get('port') or os.environ.get('PGPORT') or '5432'}"
    user = values.get("user") or os.environ.get("PGUSER") or _own_name()
    dbname = values.get("dbname") or os.environ.get("PGDATABASE") or user
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = re.sub(r"^.*(?:FATAL|failed): +", "", lines[0]) if lines else type(error).__name__
    if password := values.get("password"):
        reason = reason.replace(password, "***")
    return ConnectionFailedError(
        f"cannot connect to database {dbname!r} at {place} as {user!r}: {reason}",
        hint=_next_step(reason),
    )


def _own_name() -> str:
    """The system account's name, which libpq takes for the role's."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _next_step(reason: str) -> str:
    for pattern, step in (
        (r"authentication failed|no password supplied", "check the user and the password"),
        (r"^database .* does not exist", "create the database, or name another one in the DSN"),
        (r"^role .* does not exist", "name an existing role in the DSN"),
        (
            r"pg_hba|not permitted to log in|permission denied for database",
            "ask the DBA for access",
        ),
        (
            r"too many (?:connections|clients)|remaining connection slots",
            "end sessions, or wait until some have ended; a run opens the fewest with --jobs 1",
        ),
        (r"starting up|shutting down|recovery", "wait until the server is up"),
        (r"unsupported startup parameter", "connect to PostgreSQL itself, and not to a pooler"),
        (r"translate host name|Name or service not known", "check the host's name"),
    ):
        if re.search(pattern, reason, re.IGNORECASE):
            return step
    return "check the host and the port, and that the server is running"
