"""Which source of mappings a repository uses: one for each entity and database, shared by all."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import psycopg

from pyorm.contract import Auto, Contract, Declared, Source
from pyorm.entity import Declaration

E = TypeVar("E")

_declared: dict[tuple[type[Any], str], Source[Any]] = {}
_by_database: dict[tuple[type[Any], Hashable], Source[Any]] = {}
_by_pool: WeakKeyDictionary[Any, dict[type[Any], Source[Any]]] = WeakKeyDictionary()


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
    entity = declared.entity
    if is_sqlite(on):
        contract_key = "sqlite"
        if (entity, contract_key) not in _declared:
            from pyorm.sqlite import SqliteSource

            _declared[entity, contract_key] = SqliteSource(declared)
        return _declared[entity, contract_key]
    if contract != "auto":
        if (entity, contract) not in _declared:
            _declared[entity, contract] = Declared(declared, contract)
        return _declared[entity, contract]
    if not isinstance(on, psycopg.BaseConnection):
        return _by_pool.setdefault(on, {}).setdefault(entity, Auto(declared))
    info = on.info
    database = (info.host, info.port, info.dbname, info.options)
    return _by_database.setdefault((entity, database), Auto(declared))
