"""An SQLite database in memory that a repository works on as it does on PostgreSQL."""

from __future__ import annotations

import sqlite3
from typing import Any

from pyorm.ddl import create_table
from pyorm.mapping import SQLITE
from pyorm.sqlite import prepare


def sqlite_database(*entities: type[Any]) -> sqlite3.Connection:
    """An SQLite database in memory with the tables of some entities.

    Args:
        entities: those that others refer to first.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    prepare(connection)
    for entity in entities:
        connection.execute(create_table(entity, SQLITE))
    return connection
