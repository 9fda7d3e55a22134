"""For the tests of services: fixtures on pytest-postgresql, and what fills their databases.

The fixtures are there in every test run once `pyorm[testing]` is installed; see
pyorm.testing.plugin. A service says in its conftest.py what the databases hold: its entities, or
the phase of its migrations that they stand at.
"""

from pyorm.testing.loaders import Load, migrated, tables
from pyorm.testing.server import Server
from pyorm.testing.sqlite import sqlite_database

__all__ = ["Load", "Server", "migrated", "sqlite_database", "tables"]
