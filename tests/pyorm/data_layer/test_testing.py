"""The fixtures for services, in runs of a service's own tests."""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from pyorm.errors import InvalidValue
from pyorm.testing import Server

ROOT = Path(__file__).parents[3]
ORDERS = {
    "conftest.py": """
from uuid import UUID, uuid4
from typing import Any
import pytest
from pyorm import column, entity

pytest_plugins = ["pyorm.testing"]

@entity("order", old="orders")
class Order:
    id: UUID = column(default_factory=uuid4)
    note: str

    def __fields__(self, **fields: Any) -> None: ...

@pytest.fixture(scope="session")
def pyorm_entities():
    return (Order,)
""",
    "test_orders.py": """
import pytest
from conftest import Order
from pyorm import AsyncRepository, Repository

@pytest.fixture(params=["pyorm_connection", "pyorm_pool", "pyorm_sqlite"])
def orders(request):
    return Repository(Order, request.getfixturevalue(request.param))

@pytest.mark.parametrize("note", ["first", "second"])
def test_starts_empty(orders, note):
    orders.add(Order(note=note))
    assert [order.note for order in orders.find()] == [note]

@pytest.mark.parametrize("note", ["first", "second"])
@pytest.mark.asyncio
async def test_starts_empty_on_a_connection(pyorm_async_connection, note):
    orders = AsyncRepository(Order, pyorm_async_connection)
    await orders.add(Order(note=note))
    assert [order.note for order in await orders.find()] == [note]

@pytest.mark.asyncio
async def test_starts_empty_on_an_async_pool(pyorm_async_pool):
    orders = AsyncRepository(Order, pyorm_async_pool)
    await orders.add(Order(note="only"))
    assert [order.note for order in await orders.find()] == ["only"]
""",
}


def run(folder: Path, files: dict[str, str], **environment: str) -> str:
    """Run a service's tests; what pytest printed."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture
def on_server(server_dsn: str) -> dict[str, str]:
    """Runs tests on the server that is there already."""
    return {"PYORM_TEST_DSN": server_dsn}


def databases(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def test_a_service_gets_a_clean_database_for_each_test(
    tmp_path: Path, on_server: dict[str, str], server_dsn: str
) -> None:
    before = databases(server_dsn)
    assert "9 passed" in (said := run(tmp_path, ORDERS, **on_server)), said
    assert databases(server_dsn) == before


def test_the_embedded_server_is_there_without_being_asked_for(tmp_path: Path) -> None:
    assert "9 passed" in (said := run(tmp_path, ORDERS)), said


def test_databases_stand_at_any_phase_of_a_services_files(
    tmp_path: Path, on_server: dict[str, str]
) -> None:
    conftest = f"""
from pytest_postgresql import factories
from pyorm.testing import migrated

SERVICE = {str(ROOT / "sql/model_orchestration")!r}
PHASES = ["baseline", "expand", "enforce", "contract", "window"]
for phase in PHASES:
    globals()[f"{{phase}}_noproc"] = factories.postgresql_noproc(
        depends_on="pyorm_server", dbname=f"at_{{phase}}", load=[migrated(SERVICE, to=phase)]
    )
    globals()[phase] = factories.postgresql(f"{{phase}}_noproc")
"""
    tests = """
import pytest
from conftest import PHASES
from pyorm import Model, ModelProvider, Repository

@pytest.mark.parametrize("phase", PHASES)
def test_serves_the_service(request, phase):
    connection = request.getfixturevalue(phase)
    models = Repository(Model, connection, contract="auto")
    added = models.add(Model(model_id="m", provider=ModelProvider.OPENAI, capabilities=[]))
    assert models.get(added.id) == added
    tables = connection.execute("SELECT to_regclass('models'), to_regclass('model')").fetchone()
    assert tables[0] is None if phase in ("contract", "window") else tables[0] is not None
    assert tables[1] is None if phase == "baseline" else tables[1] is not None
"""
    files = {"conftest.py": conftest, "test_phases.py": tests}
    assert "5 passed" in (said := run(tmp_path, files, **on_server)), said


def test_what_one_test_taught_of_its_database_does_not_hold_for_the_next(
    tmp_path: Path, on_server: dict[str, str]
) -> None:
    conftest = f"""
import pytest
from pyorm.testing import migrated

SERVICE = {str(ROOT / "sql/model_orchestration")!r}

@pytest.fixture(scope="session")
def pyorm_load():
    return [migrated(SERVICE, to="baseline")]
"""
    tests = """
import psycopg
import pytest
from conftest import SERVICE
from psycopg.conninfo import conninfo_to_dict
from pyorm import Model, ModelProvider, Repository, contract
from pyorm.testing import migrated

@pytest.mark.parametrize("to", ["contract", "baseline", "contract"])
def test_serves_the_service(pyorm_postgres, to, monkeypatch):
    monkeypatch.setattr(contract, "LOOK_AGAIN", 3600.0)
    if to == "contract":
        place = {"user": None, "password": None} | conninfo_to_dict(pyorm_postgres)
        migrated(SERVICE)(**place)
    with psycopg.connect(pyorm_postgres, autocommit=True) as connection:
        told = []
        models = Repository(Model, connection, contract="auto", on_query=told.append)
        added = models.add(Model(model_id="m", provider=ModelProvider.OPENAI, capabilities=[]))
        assert models.find(id=added.id) == [added]
        assert [query.error for query in told if query.error] == []
"""
    files = {"conftest.py": conftest, "test_phases.py": tests}
    assert "3 passed" in (said := run(tmp_path, files, **on_server)), said


def test_a_service_brings_its_own_schema(tmp_path: Path, on_server: dict[str, str]) -> None:
    conftest = """
from pathlib import Path
import pytest

@pytest.fixture(scope="session")
def pyorm_load():
    return [Path(__file__).with_name("schema.sql")]
"""
    tests = """
def test_has_its_table(pyorm_connection):
    assert pyorm_connection.execute('TABLE "Shop"').fetchall() == []
"""
    schema = 'CREATE TABLE "Shop" (id uuid PRIMARY KEY)'
    files = {"conftest.py": conftest, "test_shop.py": tests, "schema.sql": schema}
    assert "1 passed" in (said := run(tmp_path, files, **on_server)), said


def test_a_team_with_pytest_postgresql_changes_one_line(
    tmp_path: Path, on_server: dict[str, str]
) -> None:
    theirs = """
from pathlib import Path
from pytest_postgresql import factories

SCHEMA = Path(__file__).with_name("schema.sql")

shop_server = factories.postgresql_proc(load=[SCHEMA])
shop = factories.postgresql("shop_server")
"""
    ours = theirs.replace("postgresql_proc(", 'postgresql_noproc(depends_on="pyorm_server", ')
    changed = [
        line for line in difflib.ndiff(theirs.splitlines(), ours.splitlines()) if line[0] == "+"
    ]
    assert len(changed) == 1
    tests = """
import pytest

@pytest.mark.parametrize("name", ["first", "second"])
def test_starts_empty(shop, name):
    shop.execute("INSERT INTO shop VALUES (%s)", [name])
    shop.commit()
    assert shop.execute("SELECT * FROM shop").fetchall() == [(name,)]
"""
    files = {
        "conftest.py": ours,
        "test_shop.py": tests,
        "schema.sql": "CREATE TABLE shop (name text)",
    }
    assert "2 passed" in (said := run(tmp_path, files, **on_server)), said


def test_what_a_dsn_says_beyond_the_fixtures_is_refused(server_dsn: str) -> None:
    with pytest.raises(InvalidValue, match=r"names sslmode.*\nhint: set PGSSLMODE"):
        Server.at(f"{server_dsn} sslmode=require")
