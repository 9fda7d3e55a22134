"""The same rules and errors as pyorm's, the same on PostgreSQL and on SQLite."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import ARRAY, Engine, any_, func, literal, select, text
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.schema import CreateTable

from pyorm import ModelCapability, ModelStatus
from pyorm.errors import InvalidValue, MappingError, UnknownEnumValue
from pyorm.sqlalchemy import EnumText, EnumTextArray, UUIDType

from .conftest import engine_of

ID = UUID("6f2c1a30-5b1e-4c7d-9a52-0c8f3a1d7e44")
pytestmark = pytest.mark.filterwarnings("error")


class Base(DeclarativeBase):
    pass


class Tool(Base):
    """As a service writes it that stays on SQLAlchemy."""

    __tablename__ = "tool"

    id: Mapped[UUID] = mapped_column(UUIDType(), primary_key=True, default=uuid4)
    parent: Mapped[UUID | None] = mapped_column(UUIDType("Tool.parent"))
    status: Mapped[ModelStatus] = mapped_column(EnumText(ModelStatus, field="Tool.status"))
    can: Mapped[list[ModelCapability]] = mapped_column(
        EnumTextArray(ModelCapability, field="Tool.can"), default=list
    )


TOOL = Base.metadata.tables["tool"]


@pytest.fixture
def session(engine: Engine) -> Any:
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session


def ddl(dialect: Any) -> str:
    return " ".join(str(CreateTable(TOOL).compile(dialect=dialect)).split())


def test_a_uuid_is_native_on_postgresql_and_36_characters_elsewhere() -> None:
    assert "id UUID NOT NULL" in ddl(postgresql.dialect())  # type: ignore[no-untyped-call]
    assert "id CHAR(36) NOT NULL" in ddl(sqlite.dialect())
    assert TOOL.c.id.type.compile(mysql.dialect()) == "CHAR(36)"


@pytest.mark.parametrize(
    "given", [ID, str(ID), str(ID).upper(), ID.hex, f"{{{ID}}}"], ids=lambda given: str(given)
)
def test_a_uuid_is_taken_in_any_spelling(session: Session, given: Any) -> None:
    session.add(Tool(id=given, status=ModelStatus.ACTIVE))
    session.commit()
    session.expire_all()
    for key in (ID, str(ID), given):
        assert session.scalars(select(Tool.id).where(Tool.id == key)).all() == [ID]
        found = session.get(Tool, key)
        assert found is not None
        assert found.id == ID
    stored = session.scalar(text("SELECT CAST(id AS varchar(36)) FROM tool"))
    assert stored == str(ID)


@pytest.mark.parametrize("given", ["not-a-uuid", "", str(ID)[:-1], 7, b"x" * 16])
def test_what_is_no_uuid_is_refused_before_it_is_sent(session: Session, given: Any) -> None:
    session.add(Tool(parent=given, status=ModelStatus.ACTIVE))
    with pytest.raises(InvalidValue, match=r"^Tool\.parent: ") as caught:
        session.flush()
    assert (caught.value.entity, caught.value.field) == ("Tool", "parent")
    assert caught.value.value == given
    session.rollback()
    with pytest.raises(InvalidValue, match="uuid"):
        session.scalars(select(Tool).where(Tool.id == given))
    with pytest.raises(InvalidValue, match="uuid"):
        session.scalars(select(Tool).where(Tool.id.in_([ID, given])))


@pytest.mark.parametrize("given", [ModelStatus.ACTIVE, "ACTIVE", "active", "aCtIvE"])
def test_an_enum_is_read_in_any_case_and_written_in_uppercase(session: Session, given: Any) -> None:
    session.add(Tool(status=given))
    session.commit()
    assert session.scalars(text("SELECT status FROM tool")).all() == ["ACTIVE"]
    found = session.scalars(select(Tool).where(Tool.status == given)).one()
    assert found.status is ModelStatus.ACTIVE
    assert session.scalars(select(Tool.status).where(Tool.status != given)).all() == []


@pytest.mark.parametrize(
    ("given", "nearest"), [("actve", "ACTIVE"), ("", None), ("ACTIVE ", "ACTIVE")]
)
def test_what_is_no_value_is_an_error_that_lists_the_valid_ones(
    session: Session, given: str, nearest: str | None
) -> None:
    session.add(Tool(status=given))
    with pytest.raises(UnknownEnumValue) as caught:
        session.commit()
    assert str(caught.value).startswith(f"Tool.status: {given!r} is not a ModelStatus")
    assert "valid values: ACTIVE, INACTIVE, DEPRECATED" in str(caught.value)
    assert caught.value.valid == ("ACTIVE", "INACTIVE", "DEPRECATED")
    assert caught.value.nearest == nearest
    session.rollback()
    with pytest.raises(UnknownEnumValue, match=r"Tool\.status"):
        session.scalars(select(Tool).where(Tool.status == given))


def test_a_list_of_them_keeps_the_same_rules(session: Session) -> None:
    session.add(Tool(status="active", can=["chat", ModelCapability.EMBEDDING]))
    session.commit()
    assert session.scalars(select(Tool)).one().can == [
        ModelCapability.CHAT,
        ModelCapability.EMBEDDING,
    ]
    for wrong, reason in ((["chat", "caht"], "did you mean 'CHAT'"), ("chat", "wants a list")):
        session.add(Tool(status="active", can=wrong))
        with pytest.raises(InvalidValue, match=rf"Tool\.can: .*{reason}"):
            session.flush()
        session.rollback()


def test_an_array_on_postgresql_is_searched_with_the_same_rules(session: Session) -> None:
    if session.get_bind().dialect.name != "postgresql":
        pytest.skip("SQLite has no arrays")
    session.add(Tool(status="active", can=["chat"]))
    session.flush()
    of_tools = select(func.count()).select_from(Tool)
    assert session.scalar(of_tools.where(Tool.can.contains(["Chat"]))) == 1
    chat = literal("Chat", EnumText(ModelCapability))
    assert session.scalar(of_tools.where(chat == any_(Tool.can))) == 1
    with pytest.raises(UnknownEnumValue):
        session.scalar(of_tools.where(Tool.can.contains(["caht"])))
    plain = literal(["chat"], ARRAY(EnumText(ModelCapability)))
    assert session.scalar(select(plain)) == [ModelCapability.CHAT]


def test_a_row_that_is_there_already_is_read_in_any_case_or_named(session: Session) -> None:
    insert = "INSERT INTO tool (id, status, can) VALUES (:id, :status, :can)"
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    none: Any = [] if is_postgresql else "[]"
    session.execute(text(insert), {"id": str(ID), "status": "Active", "can": none})
    assert session.scalars(select(Tool.status)).all() == [ModelStatus.ACTIVE]
    session.execute(text("UPDATE tool SET status = 'asleep'"))
    with pytest.raises(MappingError, match=r"'asleep' is not a ModelStatus .*DEPRECATED"):
        session.scalars(select(Tool.status)).all()


def test_a_pattern_is_no_value(session: Session) -> None:
    session.add(Tool(status="active"))
    session.flush()
    assert session.scalars(select(Tool.status).where(Tool.status.like("ACT%"))).all()


def test_null_stays_null(session: Session) -> None:
    session.add(Tool(status="active", parent=None))
    session.flush()
    assert session.scalars(select(Tool.parent)).all() == [None]
    assert session.scalars(select(Tool.parent).where(Tool.parent.is_(None))).all() == [None]


def test_values_stand_in_sql_as_they_are_stored() -> None:
    where = (Tool.id == ID.hex) & (Tool.status == "active")
    as_text = str(where.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    assert f"tool.id = '{ID}'" in as_text
    assert "tool.status = 'ACTIVE'" in as_text


@pytest.mark.asyncio
async def test_async_sessions_have_the_same_rules(at_contract: psycopg.Connection[Any]) -> None:
    engine = create_async_engine(engine_of(at_contract).url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        session.add(Tool(id=str(ID), status="active"))
        await session.commit()
        assert (await session.scalars(select(Tool.id))).all() == [ID]
        session.add(Tool(status="actve"))
        with pytest.raises(UnknownEnumValue, match=r"Tool\.status"):
            await session.commit()
    await engine.dispose()
