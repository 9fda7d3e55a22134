"""The Table of an entity: what a repository writes it reads, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Column, Engine, Index, MetaData, Table, create_engine, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateTable

from pyorm import Model, ModelProvider, ModelStatus, Repository, column, entity
from pyorm.errors import DeclarationError, InvalidValue, UnknownEnumValue
from pyorm.sqlalchemy import UUIDType, include_object, to_table
from pyorm.testing import sqlite_database, tables

from ..entities import Address, Author, Book, Mood, Street

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(params=["postgresql", "sqlite"])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Engine, Any]]:
    """An engine and a connection for repositories, on the same database with authors."""
    if request.param == "sqlite":
        connection = sqlite_database(Author, Book)
        yield (
            create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool),
            connection,
        )
        return
    dsn: str = request.getfixturevalue("database")
    tables(Author, Book)(**conninfo_to_dict(dsn))
    engine = create_engine("postgresql+psycopg://", connect_args=conninfo_to_dict(dsn))
    with psycopg.connect(dsn, autocommit=True) as of_repositories:
        yield engine, of_repositories
    engine.dispose()


@pytest.fixture
def authors() -> Table:
    return to_table(Author, MetaData())


AN_AUTHOR: dict[str, Any] = {
    "id": uuid4(),
    "name": "Ann",
    "born": datetime(1990, 2, 3, tzinfo=UTC).date(),
    "balance": Decimal("12.50"),
    "address": Address(Street("Main Street", 7), mood=Mood.CROSS),
    "tags": ["a", 'b"c'],
    "moods": [Mood.CALM],
    "scans": 1 << 40,
    "picture": b"\0\1",
    "active": False,
    "rating": 4.5,
    "since": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
}


def test_a_repository_reads_what_sqlalchemy_wrote(
    place: tuple[Engine, Any], authors: Table
) -> None:
    engine, connection = place
    values = {"Name" if key == "name" else key: value for key, value in AN_AUTHOR.items()}
    with engine.begin() as writing:
        writing.execute(insert(authors), values)
    assert Repository(Author, connection).find() == [Author(**AN_AUTHOR)]


def test_sqlalchemy_reads_what_a_repository_wrote(
    place: tuple[Engine, Any], authors: Table
) -> None:
    engine, connection = place
    Repository(Author, connection).add(Author(**AN_AUTHOR))
    with engine.connect() as reading:
        (row,) = reading.execute(select(authors)).all()
    assert tuple(row) == tuple(AN_AUTHOR.values())


def test_values_are_compared_as_they_are_stored(place: tuple[Engine, Any], authors: Table) -> None:
    engine, connection = place
    Repository(Author, connection).add(Author(**AN_AUTHOR))
    since = AN_AUTHOR["since"].astimezone(tz=None)
    with engine.connect() as reading:
        for wanted in (
            authors.c.since == since,
            authors.c.since > since - timedelta(days=1),
            authors.c.id == str(AN_AUTHOR["id"]),
            authors.c.born.in_([AN_AUTHOR["born"]]),
            authors.c.scans + 1 == (1 << 40) + 1,
            authors.c.Name.like("A%"),
            authors.c.active.is_(False),
            ~authors.c.active,
        ):
            assert reading.scalar(select(authors.c.id).where(wanted)) == AN_AUTHOR["id"], wanted


def test_defaults_are_the_entitys(place: tuple[Engine, Any], authors: Table) -> None:
    engine, _ = place
    with engine.begin() as writing:
        writing.execute(insert(authors).values(Name="Bob"))
        row = writing.execute(select(authors)).one()
    assert isinstance(row.id, UUID)
    assert (row.active, row.tags, row.scans, row.address.street.number) == (True, [], 0, 1)


def test_changes_are_stamped(engine: Engine, metadata: MetaData) -> None:
    models = metadata.tables["model"]
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    with engine.begin() as writing:
        new = {"model_id": "m", "provider": "openai", "capabilities": [], "updated_at": long_ago}
        writing.execute(insert(models).values(new))
        writing.execute(update(models).values(status="inactive"))
        row = writing.execute(select(models)).one()
    assert row.status is ModelStatus.INACTIVE
    assert row.updated_at > long_ago


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"created_at": datetime(2020, 1, 1)}, "wants a time with its zone"),  # noqa: DTZ001
        ({"display_name": "x" * 101}, "101 characters are more than 100"),
        ({"max_tokens": 1 << 40}, "needs more than 32 bits"),
        ({"description": "a\0b"}, "stores no NUL"),
        ({"id": "nope"}, "'nope' is not a uuid"),
        ({"provider": "opnai"}, "did you mean 'OPENAI'"),
        ({"capabilities": "chat"}, "wants a list"),
        ({"configuration": [1]}, "wants dict, not list"),
        ({"configuration": {"a": float("nan")}}, "not JSON compliant"),
    ],
)
def test_what_a_repository_refuses_is_refused_in_its_words(
    engine: Engine, metadata: MetaData, wrong: dict[str, Any], reason: str
) -> None:
    models = metadata.tables["model"]
    given: dict[str, Any] = {"model_id": "m", "provider": ModelProvider.OPENAI, "capabilities": []}
    with pytest.raises(InvalidValue, match=reason) as caught, engine.begin() as writing:
        writing.execute(insert(models).values(given | wrong))
    with pytest.raises(type(caught.value).__mro__[1]) as by_repository:
        Repository(Model, sqlite_database(Model)).add(Model(**given | wrong))
    assert str(caught.value) == str(by_repository.value)
    (field,) = wrong
    assert (caught.value.entity, caught.value.field) == ("Model", field)
    with engine.begin() as writing:
        assert writing.execute(select(models)).all() == []


def test_a_declarative_class_stands_on_it(engine: Engine) -> None:
    class Base(DeclarativeBase):
        pass

    class ModelRow(Base):
        __table__ = to_table(Model, Base.metadata)

    with Session(engine) as session:
        row: Any = ModelRow(model_id="m", provider="OpenAI", capabilities=["chat"])
        session.add(row)
        session.commit()
        assert row.provider is ModelProvider.OPENAI
        by_text = session.get(ModelRow, str(row.id))
        assert by_text == row
        row.status = "actve"
        with pytest.raises(UnknownEnumValue, match=r"Model\.status"):
            session.commit()


def test_what_an_entity_does_not_declare_is_given_beside_it() -> None:
    table = to_table(Model, MetaData(), Index("model_provider_idx", "provider"))
    assert [index.name for index in table.indexes] == ["model_provider_idx"]


def ddl(table: Table) -> str:
    return " ".join(str(CreateTable(table).compile(dialect=postgresql.dialect())).split())  # type: ignore[no-untyped-call]


def test_odd_names_and_other_schemas_are_themselves() -> None:
    @entity("Order", schema="Shop.eu")
    class Order:
        id: UUID = column(default_factory=uuid4)
        state: ModelStatus = column(name='the "state" %')
        before: UUID | None = column(references='"Order" (id)', default=None)

        def __fields__(self, **fields: Any) -> None: ...

    metadata = MetaData()
    made = ddl(to_table(Order, metadata))
    assert made.startswith('CREATE TABLE "Shop.eu"."Order" ( id UUID NOT NULL')
    assert 'REFERENCES "Shop.eu"."Order" (id)' in made
    assert """CHECK ("the ""state"" %%" IN ('ACTIVE'""" in made
    assert ddl(to_table(Order, MetaData(), schema=None)).startswith('CREATE TABLE "Order" (')


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("orders (id)", "REFERENCES orders (id)"),
        ("public.orders(id)", "REFERENCES orders (id)"),
        ("Orders ( ID )", "REFERENCES orders (id)"),
        ('shop."Or""ders" ("Id")', 'REFERENCES shop."Or""ders" ("Id")'),
        ("GRÖSSE$(Ö)", 'REFERENCES "grÖsse$" ("Ö")'),
    ],
)
def test_a_reference_is_read_as_sql_reads_it(reference: str, found: str) -> None:
    metadata = MetaData()
    Table("orders", metadata, Column("id", UUIDType()))
    Table("grÖsse$", metadata, Column("Ö", UUIDType()))
    Table('Or"ders', metadata, Column("Id", UUIDType()), schema="shop")
    assert found in ddl(to_table(line(reference), metadata))


@pytest.mark.parametrize(
    "reference", ["orders (id) ON DELETE CASCADE", "orders", '"or.ders" (id)', "orders (a, b)"]
)
def test_a_reference_that_says_more_is_refused(reference: str) -> None:
    with pytest.raises(DeclarationError, match=r"Line\.order_id: the reference"):
        to_table(line(reference))


def line(reference: str) -> type[Any]:
    @entity("line")
    class Line:
        id: UUID = column(default_factory=uuid4)
        order_id: UUID = column(references=reference)

        def __fields__(self, **fields: Any) -> None: ...

    return Line


def test_every_type_of_an_entity_is_found_by_alembic(database: str) -> None:
    @entity("thing")
    class Thing:
        id: int = column(sql_type="bigint")
        code: str = column(sql_type="char(3)")
        price: Decimal = column(sql_type="numeric(10,2)")
        size: float = column(sql_type="real")
        text: str = column(sql_type="text")
        plans: list[Address]
        details: dict[str, Any] = column(sql_type="jsonb")
        days: list[datetime]
        keys: list[UUID]

        def __fields__(self, **fields: Any) -> None: ...

    metadata = MetaData()
    table = to_table(Thing, metadata)
    tables(Thing)(**conninfo_to_dict(database))
    engine = create_engine("postgresql+psycopg://", connect_args=conninfo_to_dict(database))
    stored = {
        "id": 1,
        "code": "abc",
        "price": Decimal("1.50"),
        "size": 0.5,
        "text": "t",
        "plans": [Address(Street("Main Street", 7))],
        "details": {"a": [1, None]},
        "days": [datetime(2026, 1, 2, tzinfo=UTC)],
        "keys": [uuid4()],
    }
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": include_object})
        assert compare_metadata(context, metadata) == []
        connection.execute(insert(table), stored)
        assert connection.execute(select(table)).one()._asdict() == stored
    engine.dispose()
