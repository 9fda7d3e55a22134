"""Two distributions of one repository: what ties them together, and what keeps them apart."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def project(file: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]
    return found


TRUEUP, PYORM = project("pyproject.toml"), project("pyorm/pyproject.toml")


def test_have_one_version_and_pin_each_other_to_it() -> None:
    assert TRUEUP["version"] == PYORM["version"]
    assert f"pyorm=={PYORM['version']}" in TRUEUP["dependencies"]
    testing = PYORM["optional-dependencies"]["testing"]
    assert f"trueup[embedded]=={TRUEUP['version']}" in testing


@pytest.mark.parametrize("key", ["requires-python", "license"])
def test_promise_the_same(key: str) -> None:
    assert TRUEUP[key] == PYORM[key]


def test_carry_the_same_licence() -> None:
    assert (ROOT / "LICENSE").read_bytes() == (ROOT / "pyorm/LICENSE").read_bytes()


def test_want_the_same_psycopg() -> None:
    (plain,) = PYORM["dependencies"]
    binary = plain.replace("psycopg", "psycopg[binary]")
    assert binary in TRUEUP["dependencies"]
    assert PYORM["optional-dependencies"]["binary"] == [binary]


def imports(folder: str) -> Iterator[tuple[Path, str]]:
    """Every module that the files of a package import, at the top or within functions."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield path, node.module


def test_pyorm_never_imports_runner() -> None:
    found = [(path, name) for path, name in imports("pyorm") if name.split(".")[0] == "runner"]
    assert found == []


def test_runner_imports_no_more_of_pyorm_than_its_enums() -> None:
    found = [(path, name) for path, name in imports("runner") if name.split(".")[0] == "pyorm"]
    assert {name for _, name in found} <= {"pyorm.enums"}, found
