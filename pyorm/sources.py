"""Which source of mappings a repository uses: one for each entity and database, shared by all."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from typing import Any, Literal, TypeVar
from weakref import WeakKeyDictionary

import psycopg

from pyorm.contract import Auto, Contract, Source
from pyorm.entity import Declaration
from pyorm.mapping import TableMapping, declared_mapping, sqlite_mapping

E = TypeVar("E")

_fixed: dict[tuple[type[Any], str], TableMapping[Any]] = {}
Looking = dict[tuple[type[Any], Contract], Auto[Any]]
_by_database: dict[Hashable, Looking] = {}
_by_pool: WeakKeyDictionary[Any, Looking] = WeakKeyDictionary()


def is_sqlite(on: Any) -> bool:
    """Whether this is a connection of sqlite3, which is not imported for it."""
    sqlite3 = sys.modules.get("sqlite3")
    return sqlite3 is not None and isinstance(on, sqlite3.Connection)


def source_for(declared: Declaration[E], on: Any, contract: Contract) -> Source[E]:
    """The source of an entity's mapping.

    Args:
        declared: the entity.
        on: the connection or the pool.
        contract: what the caller knows of it.
    """
    if is_sqlite(on):
        return _fixed_for(declared, "sqlite")
    if contract == "new":
        return _fixed_for(declared, contract)
    key = declared.entity, contract
    if not isinstance(on, psycopg.BaseConnection):
        looking = _by_pool.setdefault(on, {})
    else:
        info = on.info
        database = (info.host, info.port, info.dbname, info.options)
        looking = _by_database.setdefault(database, {})
    if key not in looking:
        looking[key] = Auto(declared, follows=contract == "auto")
    return looking[key]


def _fixed_for(declared: Declaration[E], place: Literal["new", "sqlite"]) -> TableMapping[E]:
    key = declared.entity, place
    if key not in _fixed:
        make = {"new": declared_mapping, "sqlite": sqlite_mapping}[place]
        _fixed[key] = make(declared)
    return _fixed[key]
