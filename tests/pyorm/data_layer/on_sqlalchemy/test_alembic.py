"""`alembic check` on the new contract, with the real command, on PostgreSQL and SQLite."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
)

from pyorm.ddl import create_table
from pyorm.mapping import SQLITE
from pyorm.sqlalchemy import UUIDType, include_object

from .conftest import ENTITIES, engine_of

INI = "[alembic]\nscript_location = migrations\nprepend_sys_path = .\n"
SCRIPT = """
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

def upgrade():
    ${upgrades if upgrades else "pass"}

def downgrade():
    ${downgrades if downgrades else "pass"}
"""
ENV = """
import os
from alembic import context
from pyorm.sqlalchemy import include_object, render_item
from sqlalchemy import create_engine
from models import metadata

with create_engine(os.environ["URL"]).connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=include_object,
        render_item=render_item,
        {more}
    )
    with context.begin_transaction():
        context.run_migrations()
"""
OF_ENTITIES = """
from pyorm import Model, ProviderQuota, Request
from pyorm.sqlalchemy import to_table
from sqlalchemy import MetaData

metadata = MetaData()
for entity in (Model, Request, ProviderQuota):
    to_table(entity, metadata)
"""
BY_HAND = """
from datetime import datetime
from typing import Any
from uuid import UUID
from pyorm import ModelProvider
from pyorm.sqlalchemy import EnumText, UUIDType
from sqlalchemy import DateTime, Index
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True), UUID: UUIDType()}

class ProviderQuota(Base):
    __tablename__ = "provider_quota"
    __table_args__ = (
        Index("provider_quota_provider_idx", "provider"),
        {"comment": "What may be spent with a provider, and what was spent"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider: Mapped[ModelProvider] = mapped_column(EnumText(ModelProvider, length=50))
    daily_token_limit: Mapped[int | None]
    monthly_token_limit: Mapped[int | None]
    daily_cost_limit: Mapped[float | None]
    monthly_cost_limit: Mapped[float | None]
    daily_tokens_used: Mapped[int]
    monthly_tokens_used: Mapped[int]
    daily_cost_used: Mapped[float]
    monthly_cost_used: Mapped[float]
    daily_reset_at: Mapped[datetime | None]
    monthly_reset_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

metadata = Base.metadata
"""
CLEAN = "No new upgrade operations detected.\n"


class Project:
    """A service's folder with Alembic in it."""

    def __init__(self, folder: Path, url: str, models: str, more: str = "") -> None:
        self.folder = folder
        self.url = url
        versions = folder / "migrations" / "versions"
        versions.mkdir(parents=True)
        (folder / "alembic.ini").write_text(INI)
        (folder / "migrations" / "script.py.mako").write_text(SCRIPT)
        (folder / "migrations" / "env.py").write_text(ENV.replace("{more}", more))
        (folder / "models.py").write_text(models)

    def alembic(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=self.folder,
            env={"URL": self.url, "PATH": ""},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def check(self) -> str:
        done = self.alembic("check")
        return done.stdout + done.stderr


def url_of(connection: psycopg.Connection[Any]) -> str:
    return engine_of(connection).url.render_as_string(hide_password=False)


@pytest.mark.parametrize("more", ["", "include_schemas=True, compare_server_default=True,"])
@pytest.mark.parametrize("strategy", ["at_contract", "at_window"])
def test_finds_no_difference_on_postgresql(
    request: pytest.FixtureRequest, tmp_path: Path, strategy: str, more: str
) -> None:
    url = url_of(request.getfixturevalue(strategy))
    assert Project(tmp_path, url, OF_ENTITIES, more).check() == CLEAN


@pytest.mark.parametrize("made_by", ["metadata", "pyorm"])
def test_finds_no_difference_on_sqlite(tmp_path: Path, made_by: str, metadata: MetaData) -> None:
    url = f"sqlite:///{tmp_path / 'service.db'}"
    engine = create_engine(url)
    if made_by == "metadata":
        metadata.create_all(engine)
    else:
        with engine.begin() as connection:
            for entity in ENTITIES:
                connection.exec_driver_sql(create_table(entity, SQLITE))
    assert Project(tmp_path, url, OF_ENTITIES).check() == CLEAN


def test_finds_no_difference_to_models_written_by_hand(
    at_contract: psycopg.Connection[Any], tmp_path: Path
) -> None:
    project = Project(tmp_path, url_of(at_contract), BY_HAND, "include_name=only_quotas,")
    env = project.folder / "migrations" / "env.py"
    only = (
        "def only_quotas(name, type_, parents):\n"
        "    return type_ != 'table' or name not in ('model', 'request')\n"
    )
    env.write_text(only + env.read_text())
    assert project.check() == CLEAN


def test_says_what_would_go_without_it(
    at_contract: psycopg.Connection[Any], tmp_path: Path
) -> None:
    project = Project(tmp_path, url_of(at_contract), OF_ENTITIES, "include_schemas=True,")
    env = project.folder / "migrations" / "env.py"
    env.write_text(env.read_text().replace("include_object=include_object,", ""))
    said = project.check()
    for dropped in ("remove_table', Table('yoyo_lock'", "'trueup'", "request_created_at_idx"):
        assert dropped in said


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("ALTER TABLE model ADD COLUMN note text", "remove_column"),
        ("ALTER TABLE model DROP COLUMN description", "add_column"),
        ("ALTER TABLE model ALTER COLUMN status TYPE integer USING 1", "modify_type"),
        ("ALTER TABLE model ALTER COLUMN model_id DROP NOT NULL", "modify_nullable"),
        ("ALTER TABLE model DROP CONSTRAINT model_model_id_key", "add_constraint"),
        ("ALTER TABLE model ADD UNIQUE (display_name)", "remove_constraint"),
        ("ALTER TABLE request DROP CONSTRAINT request_model_id_fkey", "add_fk"),
        ("CREATE TABLE left_over (id uuid)", "remove_table"),
        ("DROP TABLE provider_quota", "add_table"),
        ("CREATE TABLE own__old (id uuid)", "remove_table"),
        ("ALTER TABLE model ADD COLUMN note__old text", "remove_column"),
    ],
)
def test_still_finds_what_differs(
    at_contract: psycopg.Connection[Any], tmp_path: Path, change: str, found: str
) -> None:
    # What PostgreSQL would not change with the column's type.
    at_contract.execute("ALTER TABLE model DROP CONSTRAINT model_status_check")
    at_contract.execute("ALTER TABLE model ALTER COLUMN status DROP DEFAULT")
    at_contract.execute(change.encode())
    at_contract.commit()
    assert found in Project(tmp_path, url_of(at_contract), OF_ENTITIES).check()


def test_a_new_revision_runs_and_outlives_the_code(
    at_contract: psycopg.Connection[Any], tmp_path: Path
) -> None:
    more = """
from pyorm import ModelCapability, ModelStatus
from pyorm.sqlalchemy import EnumText, EnumTextArray, UUIDType
from sqlalchemy import Column, Table

Table(
    "tool", metadata,
    Column("id", UUIDType(), primary_key=True),
    Column("status", EnumText(ModelStatus, length=20)),
    Column("can", EnumTextArray(ModelCapability)),
)
"""
    project = Project(tmp_path, url_of(at_contract), OF_ENTITIES + more)
    assert "add_table" in project.check()
    done = project.alembic("revision", "--autogenerate", "-m", "add tool")
    assert done.returncode == 0, done.stderr
    (revision,) = (project.folder / "migrations" / "versions").glob("*.py")
    written = revision.read_text()
    assert "from pyorm.sqlalchemy import UUIDType" in written
    assert "sa.Column('id', UUIDType(), nullable=False)" in written
    assert "sa.Column('status', sa.String(length=20), nullable=True)" in written
    assert "sa.Column('can', postgresql.ARRAY(sa.String()), nullable=True)" in written
    assert "ModelStatus" not in written
    done = project.alembic("upgrade", "head")
    assert done.returncode == 0, done.stderr
    assert project.check() == CLEAN


@pytest.mark.parametrize("ending", ["__old", "__new"])
def test_what_stands_on_a_table_while_both_contracts_live_is_left_alone(ending: str) -> None:
    parents = Table("parents", MetaData(), Column("id", String, primary_key=True))
    found = Table(
        "models",
        parents.metadata,
        Column("id", String),
        Column("parent", String),
        other := Column[Any](f"id{ending}", UUIDType()),
        parent := Column(f"parent{ending}", String, ForeignKey("parents.id")),
        own := Column(f"note{ending}", String),
    )
    (key,) = parent.foreign_keys
    for thing, kind in (
        (other, "column"),
        (Index("i", other), "index"),
        (UniqueConstraint(other), "unique_constraint"),
        (key.constraint, "foreign_key_constraint"),
    ):
        assert not include_object(thing, None, kind, True, None), thing
        assert include_object(thing, None, kind, False, None), thing
    assert include_object(own, own.name, "column", True, None)
    assert include_object(found, "models", "table", True, None)
    assert isinstance(key.constraint, ForeignKeyConstraint)
