"""The check at start-up: entities against the catalog, with every difference."""

from __future__ import annotations

import pickle
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.numeric import FloatLoader
from psycopg.types.uuid import UUIDBinaryLoader

from pyorm import (
    Database,
    Model,
    ModelStatus,
    ProviderQuota,
    Request,
    column,
    entity,
    identity,
    server_default,
)
from pyorm.ddl import create_table
from pyorm.errors import SchemaMismatch

from .conftest import LEGACY, Made, Place
from .entities import Author, Book


@entity("ticket", old="tickets")
class Ticket:
    id: int
    status: ModelStatus


@entity("job")
class Job:
    id: int = identity()
    name: str = column(length=40, unique=True)
    status: ModelStatus
    owner: UUID | None = None
    at: datetime = server_default("now()")
    about: dict[str, Any] | None = column(sql_type="jsonb", default=None)
    tags: list[str] = column(default_factory=list)


def differences(db: Database, *entities: type[Any], sql: tuple[str, ...] = ()) -> list[str]:
    try:
        db.check(*entities, sql=sql)
    except SchemaMismatch as error:
        return list(pickle.loads(pickle.dumps(error)).differences)
    return []


def test_tables_that_are_as_declared_pass(place: Place) -> None:
    if place.loop:
        pytest.skip("the sync one; the async one makes it")
    db = Database(place.on, contract=place.contract)
    assert differences(db, Model, Request, ProviderQuota) == []
    if place.contract == "new":
        assert differences(db, Author, Book) == []


def test_a_table_that_its_entity_made_passes(made: Made) -> None:
    assert differences(Database(made(Job)), Job) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("'active', 'Inactive', 'gone'", ["Inactive"]),
        ("'active', 'inactive', 'Active'", []),
        ("'Active', 'DEPRECATED'", ["Active, DEPRECATED"]),
    ],
)
def test_texts_of_the_old_contract_that_pyorm_spells_otherwise_are_told(
    database: str, values: str, told: list[str]
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE tickets (id integer PRIMARY KEY, status varchar NOT NULL"
            f" CHECK (status IN ({values})))".encode()
        )
        assert differences(Database(connection, contract="auto"), Ticket) == [
            f"Ticket.status: the old contract spells it {spelled}, and there pyorm knows lowercase"
            ' alone: use contract="new", from enforce on'
            for spelled in told
        ]


def test_every_difference_is_told(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("""
            CREATE TABLE job (
                id bigint PRIMARY KEY,
                name varchar(20),
                status varchar NOT NULL CHECK (status IN ('ACTIVE', 'GONE')),
                owner text NOT NULL,
                about json,
                tags text[] NOT NULL,
                extra integer NOT NULL,
                harmless integer NOT NULL DEFAULT 0
            )
        """)
        assert differences(Database(connection), Job, Model) == [
            "Job.id: it is integer, the column is bigint",
            "Job.id: the server makes its value (identity), the column has no default",
            "Job.name: it holds 40 characters, the column 20",
            "Job.name: it is never None, the column may be null",
            "Job.name: it is unique, no unique index says so",
            "Job.status: its CHECK allows not DEPRECATED, INACTIVE and also GONE, "
            "as ModelStatus has it",
            "Job.owner: it is uuid, the column is text",
            "Job.owner: it may be None, the column is NOT NULL",
            'Job.at: "job" has no column at',
            "Job.about: it is jsonb, the column is json",
            'Job: "job".extra is NOT NULL without a default, and the entity has no field for it',
            'Model: there is no table "public"."model"',
        ]


def test_an_entity_that_no_contract_has_is_told(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        (told,) = differences(Database(connection, contract="auto"), Model)
        assert told.startswith("Model: the database has no table model")


def test_literals_that_hold_under_one_contract_only_are_told(database: str) -> None:
    right = "SELECT 'x' FROM {table} WHERE status = {Model.status.ACTIVE} -- 'ACTIVE'"
    wrong = ("SELECT 1 FROM {table} WHERE status = 'ACTIVE'", "SELECT '{chat,\"COMPLETION\"}'")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(LEGACY.read_bytes())
        db = Database(connection, contract="auto")
        told = differences(db, Model, Request, sql=(right, *wrong))
        assert {text.split("the literal ")[1].split()[0] for text in told} == {
            "'ACTIVE'",
            "'chat'",
            "'COMPLETION'",
        }
        assert told[0].startswith("SELECT 1 FROM {table} WHERE status = 'ACTIVE': the literal")
        assert told[0].endswith("write {Model.status.ACTIVE}")


def test_on_sqlite_columns_and_the_key_are_compared(made: Made) -> None:
    connection = made()
    if isinstance(connection, psycopg.Connection):
        return
    connection.execute("CREATE TABLE job (name TEXT PRIMARY KEY, id INTEGER)")
    told = differences(Database(connection), Job)
    assert "Job: its key is id, the primary key is name" in told
    assert 'Job.status: "job" has no column status' in told


class UuidsAsTexts(UUIDBinaryLoader):
    def load(self, data: Any) -> Any:
        return str(super().load(data))


def test_loaders_that_make_other_types_are_told(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(create_table(Job).encode())
        db = Database(connection)
        assert differences(db, Job) == []
        connection.adapters.register_loader("uuid", UuidsAsTexts)
        [told] = differences(db, Job)
        assert "::uuid as str, not UUID" in told
    with psycopg.connect(
        database, autocommit=True, cursor_factory=psycopg.ClientCursor
    ) as connection:
        connection.adapters.register_loader("numeric", FloatLoader)
        [told] = differences(Database(connection), Job)
        assert told.startswith("the connection reads 1.5 as float, not Decimal")
