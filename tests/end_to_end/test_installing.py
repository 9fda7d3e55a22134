"""Both distributions in an environment of their own, from a checkout and from built wheels."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
PSYCOPG = "psycopg[binary]>=3.2,<4"
INSTALL_SECONDS = 600

A_SERVICE = """
from importlib.util import find_spec
from pyorm import Repository, column, entity
from uuid import UUID, uuid4
import sqlite3

@entity("order")
class Order:
    id: UUID = column(default_factory=uuid4)
    note: str
    def __fields__(self, **fields: object) -> None: ...

connection = sqlite3.connect(":memory:", isolation_level=None)
connection.execute('CREATE TABLE "order" (id TEXT PRIMARY KEY, note TEXT NOT NULL)')
orders = Repository(Order, connection)
assert orders.get(orders.add(Order(note="x")).id).note == "x"
print([name for name in ("runner", "yoyo", "jinja2", "pytest", "sqlalchemy") if find_spec(name)])
"""


ITS_TESTS = """
def test_without_a_server(pyorm_sqlite): pass
def test_with_one(pyorm_connection): pass
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds what a test installs, and nothing of ours besides."""

    folder: Path

    def install(self, *what: object) -> None:
        self._run(
            [sys.executable, "-m", "pip", f"--python={self.folder}", "install", "--quiet"],
            ["-c", str(CONSTRAINTS), *map(str, what)],
        )

    def python(self, code: str) -> str:
        return self._run([str(self.folder / "bin" / "python"), "-I", "-c", code])

    def command(self, name: str, *arguments: str, ends_with: int = 0) -> str:
        return self._run([str(self.folder / "bin" / name), *arguments], ends_with=ends_with)

    def _run(self, command: Sequence[str], more: Sequence[str] = (), ends_with: int = 0) -> str:
        done = subprocess.run(
            [*command, *more],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        assert done.returncode == ends_with, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where pip reaches no index: an empty environment is filled from one."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries=0"]
    target = ["--dest", str(tmp_path_factory.mktemp("probe")), "-c", str(CONSTRAINTS), "psycopg"]
    done = subprocess.run(
        [*command, *target], capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"pip reaches no index: {done.stderr.strip().splitlines()[-1]}")


@pytest.fixture
def environment(tmp_path: Path, index: None) -> Environment:
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return Environment(folder)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of both, built with the hatchling that is here."""
    folder = tmp_path_factory.mktemp("wheels")
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run(
        [sys.executable, "-m", "pip", *build, "./pyorm", "."],
        cwd=ROOT,
        check=True,
        timeout=INSTALL_SECONDS,
    )
    return folder


def test_each_wheel_holds_its_own_package(wheels: Path) -> None:
    tops = {}
    for wheel in wheels.glob("*.whl"):
        with ZipFile(wheel) as content:
            names = content.namelist()
        tops[wheel.name.split("-")[0]] = {name.split("/")[0] for name in names} - {
            name.split("/")[0] for name in names if ".dist-info/" in name
        }
        assert not [name for name in names if name.endswith(("pyproject.toml", "README.md"))]
    assert tops == {"pyorm": {"pyorm"}, "trueup": {"runner"}}


Install = Callable[[Environment, str], None]


@pytest.fixture(params=["checkout", "wheels"])
def install(request: pytest.FixtureRequest) -> Install:
    """`install(environment, "pyorm")` installs one of the two, as a user of either does."""
    if request.param == "checkout":
        return lambda where, name: where.install(ROOT / "pyorm" if name == "pyorm" else ROOT)
    folder: Path = request.getfixturevalue("wheels")
    return lambda where, name: where.install(next(folder.glob(f"{name}-*.whl")))


def test_pyorm_works_alone_and_trueup_on_top_of_it(
    environment: Environment, install: Install, database: str
) -> None:
    install(environment, "pyorm")
    environment.install(PSYCOPG)
    assert environment.python(A_SERVICE) == "[]\n"

    install(environment, "trueup")
    on = ("--service", "model_orchestration", "--dsn", database)
    assert "applied: " in environment.command("trueup", "apply", "--strategy", "window", *on)
    assert "distance to the standard: 0" in environment.command("trueup", "verify", *on)


def test_pytest_runs_beside_pyorm_without_its_extra(
    environment: Environment, wheels: Path, tmp_path: Path
) -> None:
    environment.install(next(wheels.glob("pyorm-*.whl")), PSYCOPG, "pytest")
    (tmp_path / "test_it.py").write_text(ITS_TESTS, encoding="utf-8")
    said = environment.command("pytest", str(tmp_path), ends_with=1)
    assert "1 passed, 1 error" in said
    assert "hint: pip install 'pyorm[testing]'" in said
