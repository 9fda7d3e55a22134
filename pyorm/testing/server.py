"""The server that tests run on, as pytest-postgresql's `depends_on` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from pyorm.errors import InvalidValue

if TYPE_CHECKING:
    from pytest_postgresql.janitor import DatabaseJanitor

CARRIED = {"host", "port", "user", "password", "dbname", "options"}
HARMLESS = {"application_name", "connect_timeout", "client_encoding", "service", "passfile"}


@dataclass(frozen=True)
class Server:
    """A server that tests may create databases on.

    Args:
        host: a host name, or the folder of a socket.
        port: the port, or the number in the socket's name.
        user: a role that may create databases.
        password: its password, None for none.
        options: libpq's options of each session, such as `-c TimeZone=UTC`.
        maintenance_dbname: a database that is there already.
        template_dbname: what new databases are clones of, None for the server's own template.
    """

    host: str
    port: int
    user: str
    password: str | None
    options: str
    maintenance_dbname: str
    template_dbname: str | None = None

    @classmethod
    def at(cls, dsn: str) -> Server:
        """The server of a database.

        Args:
            dsn: a database of the server; libpq's variables add to it.

        Raises:
            InvalidValue: when it holds a parameter that pytest-postgresql cannot pass on.
            psycopg.OperationalError: when it cannot be reached.
        """
        for name in sorted(conninfo_to_dict(dsn).keys() - CARRIED - HARMLESS):
            (variable,) = (
                (known.envvar or b"").decode()
                for known in Conninfo.get_defaults()
                if known.keyword.decode() == name
            )
            raise InvalidValue(
                f"the DSN of the tests' server names {name}, which the fixtures cannot pass on",
                hint=f"set {variable} in the environment" if variable else "leave it out",
            )
        with psycopg.connect(dsn) as connection:
            info = connection.info
            return cls(
                info.host, info.port, info.user, info.password or None, info.options, info.dbname
            )

    def dsn(self, dbname: str | None = None) -> str:
        """The DSN of a database, by default of the maintenance database."""
        return make_conninfo(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            options=self.options or None,
            dbname=dbname or self.maintenance_dbname,
        )

    def janitor(
        self, dbname: str, *, template: str | None = None, is_template: bool = False
    ) -> DatabaseJanitor:
        """What makes a database, fills it and drops it.

        Args:
            dbname: the database.
            template: the database that it becomes a clone of.
            is_template: whether others are to be clones of it.
        """
        from pytest_postgresql.janitor import DatabaseJanitor

        return DatabaseJanitor(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=dbname,
            template_dbname=template or self.template_dbname,
            maintenance_dbname=self.maintenance_dbname,
            as_template=is_template,
        )
