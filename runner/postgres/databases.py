"""Databases on a server: made, cloned and dropped."""

from __future__ import annotations

from psycopg import sql

from runner.postgres.connect import connect

_NAME = "trueup"


def create_database(
    dsn: str, name: str, template: str | None = None, owner: str | None = None
) -> None:
    """Create a database, empty or as a clone of another one.

    Args:
        dsn: any database of the server but the template.
        name: the new database's name.
        template: the database to clone; nobody may be connected to it.
        owner: the role that owns it; None for the DSN's.
    """
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    if owner is not None:
        statement += sql.SQL(" OWNER {}").format(sql.Identifier(owner))
    with connect(dsn, application_name=_NAME) as connection:
        connection.execute(statement)


def drop_database(dsn: str, name: str) -> None:
    """Drop a database if it exists, and end the sessions in it.

    Args:
        dsn: another database of the same server.
        name: the database to drop.
    """
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with connect(dsn, application_name=_NAME) as connection:
        connection.execute(statement)
