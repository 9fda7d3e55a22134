"""The fixtures for services, in a run of a service's own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg

CONFTEST = """
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
"""
TESTS = """
import pytest
from conftest import Order
from pyorm import Repository

@pytest.fixture(params=["pyorm_connection", "pyorm_sqlite"])
def orders(request):
    return Repository(Order, request.getfixturevalue(request.param))

@pytest.mark.parametrize("note", ["first", "second"])
def test_starts_empty(orders, note):
    orders.add(Order(note=note))
    assert [order.note for order in orders.find()] == [note]
"""


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_orders.py").write_text(TESTS)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_service_gets_a_clean_database_for_each_test(tmp_path: Path, server_dsn: str) -> None:
    done = run(tmp_path, PYORM_TEST_DSN=server_dsn)
    assert "4 passed" in done.stdout, done.stdout
    with psycopg.connect(server_dsn) as connection:
        left = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'pyorm_%'")
        assert left.fetchall() == []


def test_the_embedded_server_is_there_without_being_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert "4 passed" in done.stdout, done.stdout
