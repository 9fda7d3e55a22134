"""The enums of a Python module, read from its text: whoever wrote it, nothing of it runs here.

A review reads standards that a pull request brings, and an import would hand it the environment.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from runner.errors import StandardError
from runner.standard.model import EnumStandard

_HERE = "Run trueup in the folder that holds it, or name that folder in PYTHONPATH."
_BASES = ("Enum", "Flag", "Choices")
_MOST = 5_000_000  # bytes of a module
_Found = dict[str, EnumStandard | None]  # None: an enum without members, which others derive from


def shared_enums(module: str) -> list[EnumStandard]:
    """The enums that a module defines or imports, as far as their values are written there.

    Args:
        module: its dotted name; looked for where Python does, and in the working folder.

    Raises:
        StandardError: it is not there, or is not Python.
    """
    found = _Reader().enums(module)
    return [enum for enum in found.values() if enum is not None]


class _Reader:
    """Reads modules, each once: two that import each other end the search."""

    def __init__(self) -> None:
        self._read: dict[str, _Found] = {}

    def enums(self, module: str) -> _Found:
        if module in self._read:
            return self._read[module]
        found: _Found = {}
        self._read[module] = found
        path = _find(module)
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        constants: dict[str, str] = {}
        for node in _parsed(module, path).body:
            if isinstance(node, ast.ImportFrom):
                found.update(self._imported(node, package))
            elif isinstance(node, ast.ClassDef) and _is_enum(node, found):
                values = tuple(dict.fromkeys(_values(node, constants)))
                found[node.name] = EnumStandard(node.name, values) if values else None
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                constants.update(_texts(node, constants))
        return found

    def _imported(self, node: ast.ImportFrom, package: str) -> Iterator[tuple[str, Any]]:
        """What a module imports from another one; what cannot be read has no enums."""
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        try:
            there = self.enums(".".join([*above, *([node.module] if node.module else [])]))
        except StandardError:
            return
        for name in node.names:
            if name.name == "*":
                yield from there.items()
            elif name.name in there:
                yield name.asname or name.name, there[name.name]


def _find(module: str) -> Path:
    """The file of a module; no package on the way to it is imported."""
    places: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    for number, _ in enumerate(parts := module.split("."), start=1):
        name = ".".join(parts[:number])
        spec = _spec(name, places) if number == 1 or places else None
        if spec is None:
            break
        places = spec.submodule_search_locations
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise StandardError(f"the enums module {module} is not there", hint=_HERE)
    return Path(spec.origin)


def _spec(name: str, places: Sequence[str] | None) -> ModuleSpec | None:
    if places is not None:
        return PathFinder.find_spec(name, places)
    found = (finder.find_spec(name, None) for finder in sys.meta_path)
    return next(filter(None, found), None) or PathFinder.find_spec(name, [str(Path.cwd())])


def _parsed(module: str, path: Path) -> ast.Module:
    try:
        if path.stat().st_size > _MOST:
            raise StandardError(f"the enums module {module} is larger than {_MOST:,} bytes")
        return ast.parse(path.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = f"it is not Python: {error}"
    raise StandardError(f"the enums module {module} cannot be read: {reason}")


def _is_enum(node: ast.ClassDef, found: Mapping[str, Any]) -> bool:
    names = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
    return any(name in found or name.endswith(_BASES) for name in names)


def _values(node: ast.ClassDef, constants: Mapping[str, str]) -> Iterator[str]:
    """The values of the members; auto() of a StrEnum is the name in lower case."""
    known = dict(constants)
    is_text = any("StrEnum" in ast.unparse(base) for base in node.bases)
    for statement in node.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        known.update(texts := dict(_texts(statement, known, is_text=is_text)))
        yield from (value for name, value in texts.items() if not name.startswith("_"))


def _texts(
    node: ast.Assign | ast.AnnAssign, known: Mapping[str, str], *, is_text: bool = False
) -> Iterable[tuple[str, str]]:
    """The names that are given a plain value, and that as text."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    value = node.value
    if isinstance(value, ast.Tuple) and value.elts:
        value = value.elts[0]  # behind it stands a label, as Django's choices have it
    for target in targets:
        if not isinstance(target, ast.Name):
            continue
        if isinstance(value, ast.Constant) and isinstance(value.value, str | int):
            yield target.id, str(value.value)
        elif isinstance(value, ast.Name) and value.id in known:
            yield target.id, known[value.id]
        elif is_text and isinstance(value, ast.Call) and ast.unparse(value.func).endswith("auto"):
            yield target.id, target.id.lower()
