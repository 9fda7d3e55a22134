"""What fills a database before tests clone it: elements of pytest-postgresql's `load=[...]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg.conninfo import make_conninfo

from pyorm.ddl import create_table
from pyorm.testing import lent


class Load(Protocol):
    """Fills a database, given as psycopg.connect takes it: host, port, user, dbname, password."""

    def __call__(self, **where: Any) -> None:
        """Fill the database."""


def tables(*entities: type[Any]) -> Load:
    """Creates the tables of entities, under the new contract.

    Args:
        entities: those that others refer to first.
    """

    def load(**where: Any) -> None:
        with psycopg.connect(**where) as connection:
            for entity in entities:
                connection.execute(create_table(entity).encode())

    return load


def migrated(service: str | Path, to: str = "contract") -> Load:
    """Applies a service's migrations, with trueup.

    Args:
        service: the service's folder, or its name in sql/; from the folder that pytest runs in.
        to: the last phase to apply, such as `baseline` or `enforce`; `contract` is the standard,
            and so is `window`, by the window strategy.
    """

    def load(**where: Any) -> None:
        where.pop("autocommit", None)
        lent.migrate(make_conninfo(**where), service, to)

    return load
