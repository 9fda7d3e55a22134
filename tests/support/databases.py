"""Several databases for one test: empty ones, and clones of one that was filled once."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from pytest_postgresql.janitor import DatabaseJanitor

from pyorm.testing import Server

Load = Callable[[str], object]


class DatabaseFactory:
    """Makes databases on one server, and drops what it made.

    Args:
        dsn: a database of the server, by a role that may create databases.
    """

    def __init__(self, dsn: str) -> None:
        self._server = Server.at(dsn)
        self._made: list[DatabaseJanitor] = []
        self._templates: dict[Load, DatabaseJanitor] = {}

    def __call__(self, load: Load | None = None) -> str:
        """The DSN of a new database.

        Args:
            load: fills a database, given its DSN; it is run once, and each new database is
                a clone of what it made. Without it the database is empty.
        """
        template = None
        if load is not None:
            if load not in self._templates:
                made = self._create(None)
                load(self._server.dsn(made.dbname))
                self._templates[load] = made
            template = self._templates[load].dbname
        return self._server.dsn(self._create(template).dbname)

    def _create(self, template: str | None) -> DatabaseJanitor:
        janitor = self._server.janitor(f"test_{uuid.uuid4().hex[:16]}", template=template)
        janitor.init()
        self._made.append(janitor)
        return janitor

    def drop(self, *, but_templates: bool = False) -> None:
        """Drop the databases made so far.

        Args:
            but_templates: leave what later databases are cloned from.
        """
        kept = list(self._templates.values()) if but_templates else []
        for janitor in [janitor for janitor in self._made if janitor not in kept]:
            janitor.drop()
            self._made.remove(janitor)
