"""How other libraries read the same rows: each as its documentation shows.

A reader takes a DSN and returns a function that reads all rows; a library that is not installed is
left out.
"""
# mypy: disable-error-code="import-untyped, import-not-found, misc, no-any-return"
# Some have no types, and the extra `bench` that brings them is not installed everywhere.

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import class_row

from pyorm import ModelProvider, RequestType

from .rows import QUERY, RequestRow, connect

Read = Callable[[], list[Any]]


def tuples(dsn: str) -> Read:
    connection = connect(dsn)

    def read() -> list[Any]:
        cursor = connection.cursor(binary=True)
        cursor.execute(QUERY)
        return cursor.fetchall()

    return read


def class_rows(dsn: str) -> Read:
    connection = connect(dsn)

    def read() -> list[Any]:
        cursor = connection.cursor(binary=True, row_factory=class_row(RequestRow))
        cursor.execute(QUERY)
        return cursor.fetchall()

    return read


def asyncpg_records(dsn: str) -> Read:
    import asyncpg

    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(asyncpg.connect(**_asyncpg(dsn)))
    return lambda: loop.run_until_complete(connection.fetch(QUERY))


def _asyncpg(dsn: str) -> dict[str, Any]:
    found = conninfo_to_dict(dsn)
    return {
        "host": found["host"],
        "port": int(found["port"] or 5432),
        "user": found["user"],
        "database": found["dbname"],
    }


def _sqlalchemy_engine(dsn: str) -> Any:
    import sqlalchemy

    return sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(dsn),
        # The pool ends after the server, and would tell at length that it cannot roll back.
        pool_reset_on_return=None,
    )


def sqlalchemy_core(dsn: str) -> Read:

    connection = _sqlalchemy_engine(dsn).connect()
    return lambda: list(connection.execute(_sqlalchemy_model().__table__.select()).all())


def sqlalchemy_orm(dsn: str) -> Read:
    import sqlalchemy
    from sqlalchemy.orm import Session

    engine = _sqlalchemy_engine(dsn)
    query = sqlalchemy.select(_sqlalchemy_model())

    def read() -> list[Any]:
        with Session(engine) as session:
            return list(session.scalars(query).all())

    return read


_made: dict[str, Any] = {}


def _sqlalchemy_model() -> Any:
    if "sqlalchemy" in _made:
        return _made["sqlalchemy"]
    from sqlalchemy import DateTime, Enum
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

    class Base(DeclarativeBase):
        pass

    # The annotations are strings in this module, and SQLAlchemy knows only the module's names.
    globals()["Mapped"] = Mapped

    class Row(Base):
        __tablename__ = "request_row"
        id: Mapped[UUID] = mapped_column(primary_key=True)
        request_id: Mapped[str]
        request_type: Mapped[RequestType] = mapped_column(Enum(RequestType, native_enum=False))
        model_id: Mapped[UUID]
        provider: Mapped[ModelProvider] = mapped_column(Enum(ModelProvider, native_enum=False))
        total_tokens: Mapped[int | None]
        success: Mapped[bool]
        created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    _made["sqlalchemy"] = Row
    return Row


def sqlmodel_rows(dsn: str) -> Read:
    import sqlmodel
    from sqlalchemy import DateTime, Enum

    types: dict[str, Any] = {
        "__annotations__": {
            "id": UUID,
            "request_id": str,
            "request_type": RequestType,
            "model_id": UUID,
            "provider": ModelProvider,
            "total_tokens": int | None,
            "success": bool,
            "created_at": datetime,
        },
        "__module__": __name__,
        "__tablename__": "request_row",
        "id": sqlmodel.Field(primary_key=True),
        "request_type": sqlmodel.Field(sa_type=Enum(RequestType, native_enum=False)),
        "provider": sqlmodel.Field(sa_type=Enum(ModelProvider, native_enum=False)),
        "total_tokens": None,
        "created_at": sqlmodel.Field(sa_type=DateTime(timezone=True)),
    }
    row = type(sqlmodel.SQLModel)("RequestRowModel", (sqlmodel.SQLModel,), types, table=True)
    engine = _sqlalchemy_engine(dsn)

    def read() -> list[Any]:
        with sqlmodel.Session(engine) as session:
            return list(session.exec(sqlmodel.select(row)).all())

    return read


def django_rows(dsn: str) -> Read:
    import django
    from django.conf import settings
    from django.db import models

    found = conninfo_to_dict(dsn)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": found["host"],
        "PORT": found["port"],
        "USER": found["user"],
        "NAME": found["dbname"],
    }
    settings.configure(DATABASES={"default": database}, USE_TZ=True)
    django.setup()

    class Row(models.Model):
        id = models.UUIDField(primary_key=True)
        request_id = models.CharField(max_length=100)
        request_type = models.CharField(max_length=50)
        model_id = models.UUIDField()
        provider = models.CharField(max_length=50)
        total_tokens = models.IntegerField(null=True)
        success = models.BooleanField()
        created_at = models.DateTimeField()

        class Meta:
            app_label = "bench"
            db_table = "request_row"

    return lambda: list(Row.objects.all())


def piccolo_rows(dsn: str) -> Read:
    from piccolo import columns as kinds
    from piccolo.columns import Boolean, Integer, Timestamptz, Varchar
    from piccolo.engine.postgres import PostgresEngine
    from piccolo.table import create_table_class

    engine = PostgresEngine(config=_asyncpg(dsn))
    columns: dict[str, Any] = {
        "id": kinds.UUID(primary_key=True),
        "request_id": Varchar(100),
        "request_type": Varchar(50, choices=RequestType),
        "model_id": kinds.UUID(),
        "provider": Varchar(50, choices=ModelProvider),
        "total_tokens": Integer(null=True),
        "success": Boolean(),
        "created_at": Timestamptz(),
    }
    row: Any = create_table_class(
        "RequestRow", class_kwargs={"tablename": "request_row", "db": engine}, class_members=columns
    )
    loop = asyncio.new_event_loop()
    loop.run_until_complete(engine.start_connection_pool())

    async def read() -> list[Any]:
        return list(await row.objects())

    return lambda: loop.run_until_complete(read())


def peewee_rows(dsn: str) -> Read:
    import peewee

    found = conninfo_to_dict(dsn)
    from playhouse.postgres_ext import Psycopg3Database

    database = Psycopg3Database(
        found["dbname"], host=found["host"], port=found["port"], user=found["user"]
    )

    class Row(peewee.Model):
        id = peewee.UUIDField(primary_key=True)
        request_id = peewee.CharField()
        request_type = peewee.CharField()
        model_id = peewee.UUIDField()
        provider = peewee.CharField()
        total_tokens = peewee.IntegerField(null=True)
        success = peewee.BooleanField()
        created_at = peewee.DateTimeField()

        class Meta:
            table_name = "request_row"

    Row.bind(database)
    return lambda: list(Row.select())


@dataclass(frozen=True)
class Other:
    """A library, and what it makes of a row."""

    name: str
    reader: Callable[[str], Read]
    gives: str


OTHERS = (
    Other("psycopg class_row", class_rows, "dataclasses, enums as text"),
    Other("asyncpg", asyncpg_records, "records, enums as text"),
    Other("SQLAlchemy Core", sqlalchemy_core, "rows with enums"),
    Other("SQLAlchemy ORM", sqlalchemy_orm, "objects with enums"),
    Other("SQLModel", sqlmodel_rows, "objects with enums"),
    Other("Django", django_rows, "objects, enums as text"),
    Other("Piccolo", piccolo_rows, "objects, enums as text"),
    Other("peewee", peewee_rows, "objects, enums as text"),
)
