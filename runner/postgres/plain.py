"""Runs statements that were written for a superuser as a role that is none."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psycopg import Connection, ProgrammingError, errors, sql
from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_NAME = r"\"(?:[^\"]|\"\")+\"|[^\s;(]+"
# What a superuser alone may do, and a rehearsal can do without.
_BEYOND = re.compile(
    _START + r"(?P<verb>CREATE|ALTER|DROP|COMMENT\s+ON)\s+"
    r"(?P<kind>EXTENSION|EVENT\s+TRIGGER|SYSTEM|PUBLICATION|SUBSCRIPTION)\s+"
    rf"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?P<name>{_NAME})",
    re.IGNORECASE | re.DOTALL,
)
_REFUSED = (
    errors.InsufficientPrivilege,
    errors.FeatureNotSupported,
    errors.UndefinedFile,
    errors.UndefinedObject,
)
_OWNER = re.compile(rf"\sOWNER\s+TO\s+(?P<role>{_NAME})\s*;?\s*$", re.IGNORECASE)
_DENIED = re.compile(r"permission denied for (?P<kind>schema|database) (?P<name>.*)", re.DOTALL)
_ROWS = re.compile(
    _START + r"(?:SELECT|WITH|VALUES|TABLE|FETCH|EXPLAIN|SHOW)\b", re.IGNORECASE | re.DOTALL
)
_SHOWN = 80


def run_plain(connection: Connection[Any], statement: str, skipped: dict[str, str]) -> str:
    """Run a statement, and throw its rows away as they come.

    Args:
        connection: of a role without superuser that owns the database.
        statement: SQL text without parameters.
        skipped: statements that were left out so far, with the reason; more are added.

    Returns:
        Why it was left out, as it needs more rights; empty when it ran.

    Raises:
        psycopg.Error: PostgreSQL refused it for another reason.
    """
    if beyond := _BEYOND.match(statement):
        return _skip(connection, statement, beyond, skipped)
    if owner := _OWNER.search(statement):
        _give(connection, statement, owner["role"])
    else:
        _run(connection, statement)
    return ""


def _skip(
    connection: Connection[Any], statement: str, beyond: re.Match[str], skipped: dict[str, str]
) -> str:
    thing = " ".join(f"{beyond['kind']} {beyond['name']}".upper().split())
    try:
        with _savepoint(connection):
            _run(connection, statement)
    except _REFUSED as error:
        drops = isinstance(error, errors.UndefinedObject) or beyond["verb"].upper() == "DROP"
        if drops and thing not in skipped:
            raise
        reason = error.diag.message_primary or str(error)
        skipped.setdefault(thing, f"{' '.join(statement.split())[:_SHOWN]}: {reason}")
        return reason
    return ""


def _give(connection: Connection[Any], statement: str, role: str) -> None:
    """Give an object to an owner who may not create any there, as a superuser can."""
    try:
        with _savepoint(connection):
            _run(connection, statement)
    except errors.InsufficientPrivilege as error:
        denied = _DENIED.fullmatch(error.diag.message_primary or "")
        if denied is None:
            raise
        name = role[1:-1].replace('""', '"') if role.startswith('"') else role.lower()
        place = sql.SQL(denied["kind"].upper() + " {}").format(sql.Identifier(denied["name"]))
        with connection.transaction():
            for change, to in (("GRANT", "TO"), ("REVOKE", "FROM")):
                lend = sql.SQL(change + " CREATE ON {} " + to + " {}")
                connection.execute(lend.format(place, sql.Identifier(name)))
                if change == "GRANT":
                    _run(connection, statement)


@contextmanager
def _savepoint(connection: Connection[Any]) -> Iterator[None]:
    """What fails within a transaction does not end it; outside of one there is nothing to do."""
    if connection.info.transaction_status == TransactionStatus.INTRANS:
        with connection.transaction():
            yield
    else:
        yield


def _run(connection: Connection[Any], statement: str) -> None:
    if not _ROWS.match(statement):
        connection.execute(statement.encode())
        return
    with connection.cursor() as cursor:
        try:
            for _ in cursor.stream(statement.encode()):
                pass
        except ProgrammingError as error:
            if error.sqlstate is not None or cursor.description is not None:
                raise
            # It gave no rows after all, such as SELECT INTO.
