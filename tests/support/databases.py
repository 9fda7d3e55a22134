"""Fresh databases for tests: empty ones, and clones of one that was filled once."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from psycopg.conninfo import make_conninfo

from runner.postgres.databases import create_database, drop_database

Load = Callable[[str], object]


class DatabaseFactory:
    """Makes databases on one server, and drops what it made.

    Args:
        dsn: a database of the server, by a role that may create databases.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._made: list[str] = []
        self._templates: dict[Load, str] = {}

    def __call__(self, load: Load | None = None) -> str:
        """The DSN of a new database.

        Args:
            load: fills a database, given its DSN; it is run once, and each new database is
                a clone of what it made. Without it the database is empty.
        """
        template = None
        if load is not None:
            if load not in self._templates:
                name = self._create(None)
                load(make_conninfo(self._dsn, dbname=name))
                self._templates[load] = name
            template = self._templates[load]
        return make_conninfo(self._dsn, dbname=self._create(template))

    def _create(self, template: str | None) -> str:
        name = f"test_{uuid.uuid4().hex[:16]}"
        create_database(self._dsn, name, template)
        self._made.append(name)
        return name

    def drop(self, *, but_templates: bool = False) -> None:
        """Drop the databases made so far.

        Args:
            but_templates: leave what later databases are cloned from.
        """
        kept = set(self._templates.values()) if but_templates else set()
        for name in [name for name in self._made if name not in kept]:
            drop_database(self._dsn, name)
            self._made.remove(name)
