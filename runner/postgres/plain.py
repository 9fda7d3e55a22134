"""Runs statements that were written for a superuser as a role that is none."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import Connection, ProgrammingError, errors, sql
from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_START = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_NAME = r"\"(?:[^\"]|\"\")+\"|[^\s;(]+"
# What a superuser alone may do, and a rehearsal can do without.
_BEYOND = re.compile(
    _START + r"(?P<verb>CREATE|ALTER|DROP|COMMENT\s+ON)\s+"
    r"(?P<kind>EXTENSION|EVENT\s+TRIGGER|SYSTEM|PUBLICATION|SUBSCRIPTION|ROLE|USER|GROUP)\s+"
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
_MISSING = re.compile(r'role "(?P<name>.*)" does not exist', re.DOTALL)
# Only these run in a savepoint of their own, so that a stand-in may be made for what they name.
_NAMES_ROLES = re.compile(
    r"\b(?:GRANT|REVOKE|OWNER\s+TO|OWNED\s+BY|POLICY|DEFAULT\s+PRIVILEGES|SET\s+(?:LOCAL\s+)?ROLE"
    r"|AUTHORIZATION)\b",
    re.IGNORECASE,
)
_MOST_ROLES = 50
_DENIED = re.compile(r"permission denied for (?P<kind>schema|database) (?P<name>.*)", re.DOTALL)
_ROWS = re.compile(
    _START + r"(?:SELECT|WITH|VALUES|TABLE|FETCH|EXPLAIN|SHOW)\b", re.IGNORECASE | re.DOTALL
)
_SHOWN = 80


@dataclass
class Allowance:
    """What files are let off where they have fewer rights than they may expect.

    Args:
        make_role: makes a stand-in for a role; None where that cannot be.
        kept_from: roles that own nothing here: what files give them stays with the files' own
            role, as it did when the schema was loaded.
        skipped: statements that were left out, with the reason, by what they are about.
        roles: names of the stand-ins.
    """

    make_role: Callable[[str], None] | None = None
    kept_from: frozenset[str] = frozenset()
    skipped: dict[str, str] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """What to tell of it."""
        found = [f"not run, as it needs a superuser: {left}" for left in self.skipped.values()]
        if self.roles:
            named = ", ".join(sorted(self.roles))
            found.append(f"stand-ins were made for roles that the files name: {named}")
        return found


def run_plain(connection: Connection[Any], statement: str, allowance: Allowance) -> str:
    """Run a statement, and throw its rows away as they come.

    Args:
        connection: of a role without superuser that owns the database.
        statement: SQL text without parameters.
        allowance: what was let off so far; more is added.

    Returns:
        Why it was left out, as it needs more rights; empty when it ran.

    Raises:
        psycopg.Error: PostgreSQL refused it for another reason.
    """
    if beyond := _BEYOND.match(statement):
        return _skip(connection, statement, beyond, allowance)
    if owner_of(statement) in allowance.kept_from:
        return ""
    if not _NAMES_ROLES.search(statement):
        _run(connection, statement)
        return ""
    for _ in range(_MOST_ROLES):
        try:
            with _savepoint(connection):
                _run(connection, statement)
        except errors.UndefinedObject as error:
            missing = _MISSING.fullmatch(error.diag.message_primary or "")
            if missing is None or not _make_role(allowance, missing["name"]):
                raise
            # A transaction looks again for what it did not find when it gets a new lock.
            with connection.transaction(force_rollback=True):
                connection.execute("SELECT FROM pg_catalog.pg_ts_template LIMIT 0")
        except errors.InsufficientPrivilege as error:
            _give(connection, statement, error)
            return ""
        else:
            return ""
    _run(connection, statement)
    return ""


def owner_of(statement: str) -> str:
    """The role that a statement gives an object to; empty when it gives none."""
    found = _OWNER.search(statement)
    return _unquoted(found["role"]) if found else ""


def _make_role(allowance: Allowance, name: str) -> bool:
    if allowance.make_role is None or name in allowance.roles:
        return False
    allowance.make_role(name)
    allowance.roles.append(name)
    return True


def _skip(
    connection: Connection[Any], statement: str, beyond: re.Match[str], allowance: Allowance
) -> str:
    kind, name = beyond["kind"].upper(), _unquoted(beyond["name"])
    thing = " ".join(f"{kind} {name}".split())
    role = kind in ("ROLE", "USER", "GROUP")
    try:
        with _savepoint(connection):
            _run(connection, statement)
    except _REFUSED as error:
        verb = beyond["verb"].upper()
        if role and verb == "CREATE" and isinstance(error, errors.InsufficientPrivilege):
            if not _make_role(allowance, name):
                raise
        elif role and name not in allowance.roles:
            raise
        drops = isinstance(error, errors.UndefinedObject) or verb == "DROP"
        if drops and not role and thing not in allowance.skipped:
            raise
        reason = error.diag.message_primary or str(error)
        if not role:
            shown = " ".join(statement.split())[:_SHOWN]
            allowance.skipped.setdefault(thing, f"{shown}: {reason}")
        return reason
    return ""


def _give(connection: Connection[Any], statement: str, error: errors.InsufficientPrivilege) -> None:
    """Give an object to an owner who may not create any there, as a superuser can.

    Raises:
        psycopg.Error: that is not what failed, or it fails again.
    """
    owner = owner_of(statement)
    denied = _DENIED.fullmatch(error.diag.message_primary or "")
    if not owner or denied is None:
        raise error
    place = sql.SQL(denied["kind"].upper() + " {}").format(sql.Identifier(denied["name"]))
    role = sql.Identifier(owner)
    with connection.transaction():
        connection.execute(sql.SQL("GRANT CREATE ON {} TO {}").format(place, role))
        _run(connection, statement)
        connection.execute(sql.SQL("REVOKE CREATE ON {} FROM {}").format(place, role))


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


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
