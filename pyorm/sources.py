"""Which source of mappings a repository uses: one for each entity and database, shared by all."""

from __future__ import annotations

import os
import sys
from collections.abc import Hashable
from inspect import iscoroutinefunction
from typing import Any, Literal, TypeVar, get_args
from weakref import WeakKeyDictionary

import psycopg
from psycopg.conninfo import conninfo_to_dict

from pyorm.contract import Auto, Contract, Source
from pyorm.entity import Declaration
from pyorm.errors import InvalidValue
from pyorm.mapping import TableMapping, declared_mapping, sqlite_mapping

E = TypeVar("E")

CURSOR_KEY = "PYORM_CURSOR_KEY"
"""The environment variable with the key that signs the cursors of pages."""

_fixed: dict[tuple[type[Any], str], TableMapping[Any]] = {}
Looking = dict[tuple[type[Any], Contract], Auto[Any]]
_by_database: dict[Hashable, Looking] = {}
_by_pool: WeakKeyDictionary[Any, Looking] = WeakKeyDictionary()


def is_sqlite(on: Any) -> bool:
    """Whether this is a connection of sqlite3, which is not imported for it."""
    sqlite3 = sys.modules.get("sqlite3")
    return sqlite3 is not None and isinstance(on, sqlite3.Connection)


def check_place(on: Any, connection: type[Any]) -> None:
    """Refuse what is no place for a repository.

    Args:
        on: what was given.
        connection: psycopg's class of connections; those of a pool are of its kind, sync or async.

    Raises:
        InvalidValue: for anything but such a connection, such a pool, or an sqlite3 connection.
    """
    take = getattr(on, "getconn", None)  # what each pool has
    is_pool = callable(take) and not isinstance(on, type)
    of_kind = iscoroutinefunction(take) == iscoroutinefunction(connection.commit)
    if isinstance(on, connection) or is_sqlite(on) or (is_pool and of_kind):
        return
    wanted = f"a psycopg {connection.__name__} or a pool of them, or an sqlite3 connection"
    raise InvalidValue(
        f"a repository works on {wanted}, not on {'an' if is_pool else 'a'} {type(on).__name__}",
        hint=f"psycopg.{connection.__name__}.connect(dsn, autocommit=True)",
    )


def signing_key(given: str | bytes | None, on: Any) -> bytes:
    """The key that signs the cursors of pages.

    Args:
        given: the service's own.
        on: the connection or the pool; its password is the key when there is no other, because all
            processes of the service have it, and nobody else.

    Returns:
        The key; empty when nothing here is a secret, so that a signature proves no origin.
    """
    key = given or os.environ.get(CURSOR_KEY) or _password(on)
    return key.encode() if isinstance(key, str) else key


def _password(on: Any) -> str:
    if isinstance(on, psycopg.BaseConnection):
        return on.info.password
    conninfo, kwargs = getattr(on, "conninfo", ""), getattr(on, "kwargs", None)
    told = conninfo_to_dict(conninfo) if isinstance(conninfo, str) else {}
    told |= kwargs if isinstance(kwargs, dict) else {}
    return str(told.get("password") or os.environ.get("PGPASSWORD", ""))


def source_for(declared: Declaration[E], on: Any, contract: Contract) -> Source[E]:
    """The source of an entity's mapping.

    Args:
        declared: the entity.
        on: the connection or the pool.
        contract: what the caller knows of it.
    """
    if is_sqlite(on):
        return _fixed_for(declared, "sqlite")
    if contract not in get_args(Contract):
        raise InvalidValue(f"a contract is 'new', 'old' or 'auto', not {contract!r}")
    if contract == "new":
        return _fixed_for(declared, contract)
    key = declared.entity, contract
    if not isinstance(on, psycopg.BaseConnection):
        looking = _by_pool.setdefault(on, {})
    else:
        info = on.info
        # Tenants by search_path have tables of their own; servers before 18 do not tell it.
        path = info.parameter_status("search_path")
        database = (info.host, info.port, info.dbname, info.options, path)
        looking = _by_database.setdefault(database, {})
    if key not in looking:
        looking[key] = Auto(declared, follows=contract == "auto")
    return looking[key]


def forget_databases() -> None:
    """Forget what was learned of databases by connections: one of that name may be another now."""
    _by_database.clear()


def _fixed_for(declared: Declaration[E], place: Literal["new", "sqlite"]) -> TableMapping[E]:
    key = declared.entity, place
    if key not in _fixed:
        make = {"new": declared_mapping, "sqlite": sqlite_mapping}[place]
        _fixed[key] = make(declared)
    return _fixed[key]
