"""The enums of a Python module, read from its text: whoever wrote it, nothing of it runs here.

A review reads standards that a pull request brings, and an import would hand it the environment.
An enum with one member whose value the text does not tell is not known at all.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from runner.errors import StandardError
from runner.standard.model import EnumStandard

_HERE = "Run trueup in the folder that holds it, or name that folder in PYTHONPATH."
_BASES = ("Enum", "Flag", "Choices")
_HARMLESS = ("unique", "verify", "total_ordering", "deprecated")  # decorators
_COMPUTE = {"__new__", "__init__", "_generate_next_value_", "value", "_value_"}  # functions
_PLAIN = {"Enum", "IntEnum", "StrEnum", "Choices", "TextChoices", "IntegerChoices", "str", "int"}
_MOST = 5_000_000  # bytes of a module


@dataclass(frozen=True)
class _Enum:
    """What the text of a class tells.

    Args:
        values: of its members.
        unknown: what of it does not tell a value, empty where all are told.
        computes: whether a class that derives from it may have other values than it writes.
    """

    values: tuple[str, ...] = ()
    unknown: str = ""
    computes: bool = False


_Found = dict[str, _Enum]


def shared_enums(module: str) -> list[EnumStandard]:
    """The enums that a module defines or imports; `unknown` of those whose values it computes.

    Args:
        module: its dotted name; looked for where Python does, and in the working folder.

    Raises:
        StandardError: it is not there, or is not Python.
    """
    found = _Reader().enums(module)
    return [
        EnumStandard(name, enum.values, unknown=enum.unknown)
        for name, enum in found.items()
        if enum.values or enum.unknown
    ]


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
        tree = _parsed(module, path)
        once = _assigned_once(tree)
        constants: dict[str, str] = {}
        mixins: set[str] = set()
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module != "enum":
                found.update(self._imported(node, package))
            elif isinstance(node, ast.ClassDef):
                if _is_enum(node, found):
                    found[node.name] = _read(node, found, constants, mixins)
                elif not node.bases and not _functions(node) & _COMPUTE:
                    mixins.add(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                for name, value in _assigned(node):
                    if isinstance(value, ast.Name) and value.id in found:
                        found[name] = found[value.id]
                    elif name in found:
                        found[name] = _Enum(unknown=ast.unparse(node))
                    elif name in once and (text := _text(value, constants)) is not None:
                        constants[name] = text
        for name, times in Counter(_bound(tree)).items():
            if times > 1 and name in found and not found[name].unknown:
                found[name] = _Enum(unknown=f"{name}, which the module makes {times} times")
        if changed := _changed_later(tree):
            found.update(dict.fromkeys(found, _Enum(unknown=changed)))
        return found

    def _imported(self, node: ast.ImportFrom, package: str) -> Iterator[tuple[str, _Enum]]:
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


def _is_enum(node: ast.ClassDef, found: _Found) -> bool:
    return any(name in found or name.endswith(_BASES) for name in _bases(node))


def _bases(node: ast.ClassDef) -> list[str]:
    return [_last(base) for base in node.bases]


def _last(node: ast.expr) -> str:
    """The last part of a dotted name, of what is called too."""
    return ast.unparse(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]


def _functions(node: ast.ClassDef) -> set[str]:
    return {f.name for f in node.body if isinstance(f, ast.FunctionDef)}


def _computed(node: ast.ClassDef, found: _Found, mixins: set[str]) -> str:
    """What makes the values of a class, other than that they are written; empty for nothing."""
    for name in sorted(_functions(node) & _COMPUTE):
        return f"def {name}"
    for base in _bases(node):
        if found[base].computes if base in found else base not in _PLAIN | mixins:
            return f"class {node.name}({base})"
    return ""


def _changed_later(tree: ast.Module) -> str:
    """The statement of a module that gives a member another value; empty for none."""
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            continue
        stored = (n for n in ast.walk(statement) if isinstance(n, ast.Attribute))
        if any(n.attr in _COMPUTE and isinstance(n.ctx, ast.Store) for n in stored):
            return ast.unparse(statement).partition("\n")[0]
    return ""


def _read(
    node: ast.ClassDef, found: _Found, constants: Mapping[str, str], mixins: set[str]
) -> _Enum:
    """A class of members. Whatever could make, change or hide one makes all of it unknown."""
    bases = _bases(node)
    if computed := _computed(node, found, mixins):
        return _Enum(unknown=computed, computes=True)
    known = dict(constants)
    values: list[str] = []
    for decorator in node.decorator_list:
        if _last(decorator) not in _HARMLESS:
            return _Enum(unknown=f"@{ast.unparse(decorator)}", computes=True)
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.Pass):
            continue
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        if isinstance(statement, ast.AnnAssign) and statement.value is None:
            continue
        text: str | None = None
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            for name, value in _assigned(statement):
                if name.startswith("__") and name.endswith("__"):
                    text = ""
                elif not (name.startswith("_") and name.endswith("_")):
                    is_plain = bases == ["StrEnum"] and "StrEnum" not in found
                    text = _member(name, value, bases, known, is_plain)
                    if text is not None:
                        known[name] = text
                        values.append(text)
        if text is None:
            first = ast.unparse(statement).partition("\n")[0]
            return _Enum(unknown=first)
    return _Enum(tuple(dict.fromkeys(values)))


def _member(
    name: str, value: ast.expr, bases: Sequence[str], known: Mapping[str, str], is_plain: bool
) -> str | None:
    """The value of a member as text, None when it is not written there."""
    if is_plain and isinstance(value, ast.Call) and _last(value) == "auto":
        return name.lower()
    if isinstance(value, ast.Tuple) and value.elts and any(b.endswith("Choices") for b in bases):
        value = value.elts[0]  # behind it stands a label
    return _text(value, known)


def _text(value: ast.expr, known: Mapping[str, str]) -> str | None:
    if isinstance(value, ast.Constant) and type(value.value) in (str, int):
        return str(value.value)
    return known.get(value.id) if isinstance(value, ast.Name) else None


def _assigned(node: ast.Assign | ast.AnnAssign) -> Iterator[tuple[str, ast.expr]]:
    """The names that are given a value; nothing for one that is taken apart."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if isinstance(target, ast.Name) and node.value is not None:
            yield target.id, node.value


def _bound(tree: ast.Module) -> Iterator[str]:
    """The names that a module's statements bind, in branches too, each as often as they do."""
    left: list[ast.AST] = [*tree.body]
    while left:
        node = left.pop()
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
            for inner in ast.walk(node):
                yield from inner.names if isinstance(inner, ast.Global) else ()
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        left += ast.iter_child_nodes(node)


def _assigned_once(tree: ast.Module) -> set[str]:
    """The names that nothing in the whole module gives another value."""
    stored = Counter(
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del)
    )
    return {name for name, times in stored.items() if times == 1}
