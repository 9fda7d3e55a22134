"""Which module imports which, as the source says: inside functions and TYPE_CHECKING, too."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("runner", "pyorm")
# Starts the process and belongs to no room: it imports cli, and nothing imports it.
ENTRY = "runner.__main__"

Imports = Mapping[str, frozenset[str]]


def read_sources(root: Path = ROOT) -> dict[str, str]:
    """The source of each module of runner and pyorm, by its dotted name."""
    return {
        _dotted(path.relative_to(root)): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_imports(sources: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """What each module imports of the others.

    Args:
        sources: the text of each module.

    Returns:
        For each module those that its import statements name, wherever they stand. A name that is
        imported from a package counts as the package, unless it is a module of its own.
    """
    return {
        module: frozenset(_named(module, source, sources) - {module})
        for module, source in sources.items()
    }


def _named(module: str, source: str, known: Mapping[str, str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise SyntaxError(f"{module}, line {node.lineno}: write the import's full name")
            for alias in node.names:
                one = f"{node.module}.{alias.name}"
                found.add(one if one in known else node.module or "")
    return found & known.keys()


def find_cycles(imports: Imports) -> set[frozenset[str]]:
    """The groups of modules that import each other, directly or around corners."""
    reached = {module: _reach(module, imports) for module in imports}
    return {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in imports
        if module in reached[module]
    }


def _reach(module: str, imports: Imports) -> set[str]:
    found: set[str] = set()
    left = list(imports[module])
    while left:
        if (one := left.pop()) not in found:
            found.add(one)
            left += imports[one]
    return found


def edges(imports: Imports) -> Iterator[tuple[str, str]]:
    """Each importing module with each module that it imports."""
    for module, imported in sorted(imports.items()):
        for other in sorted(imported):
            yield module, other
