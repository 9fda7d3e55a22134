"""How pyorm is built: sync code is made of async code, and imports run one way."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from support.sync_twins import PYORM, outdated, sources


def test_the_sync_modules_are_what_the_async_ones_make() -> None:
    assert {path.name for path in sources()} >= {"repository_async.py", "postgres_async.py"}
    assert outdated() == [], "run: make sync"


def imported(path: Path) -> set[str]:
    """The modules of pyorm that a module imports, in functions and under TYPE_CHECKING too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "pyorm":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pyorm."):
            found.add((node.module or "").removeprefix("pyorm."))
    return found


def test_no_two_modules_import_each_other() -> None:
    graph = {path.stem: imported(path) for path in PYORM.glob("*.py")}
    assert "entity" in graph["mapping"]
    assert "__init__" in list(TopologicalSorter(graph).static_order())  # raises CycleError
