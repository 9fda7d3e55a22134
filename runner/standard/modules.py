"""The enums of a Python module, read from its text: whoever wrote it, nothing of it runs here.

A review reads standards that a pull request brings, and an import would hand it the environment.
An enum with one member whose value the text does not tell is not known at all.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from runner.errors import StandardError
from runner.standard.model import EnumStandard

_HERE = "Run trueup in the folder that holds it, or name that folder in PYTHONPATH."
_BASES = ("Enum", "Flag", "Choices")
_HARMLESS = {"enum.unique", "enum.verify", "functools.total_ordering", "warnings.deprecated"}
# What makes the values of a class that has it, and of the classes below it.
_COMPUTE = {"__new__", "__init__", "_generate_next_value_", "value", "_value_", "__getattribute__"}
_BELOW = {*_COMPUTE, "__init_subclass__", "__set_name__"}
_DJANGO = ("django.db.models", "django.db.models.enums")
_CHOICES = {f"{module}.{name}" for module in _DJANGO for name in ("Choices", "TextChoices")}
_OF_NUMBERS = {"enum.IntEnum", "int", *(f"{module}.IntegerChoices" for module in _DJANGO)}
_PLAIN = {"enum.Enum", "enum.StrEnum", "str", *_CHOICES, *_OF_NUMBERS}
# By these a module can give a name or a member another value without writing it down.
_HIDE = {"globals", "locals", "vars", "exec", "eval", "setattr", "delattr", "__import__"}
_HIDE_TOO = {"__dict__", "__setattr__", "__delattr__", "f_globals", "f_locals"}
_CHANGE = {*_COMPUTE, "name", "_name_", "__class__"}
_OURS = "pyorm"  # whose code is trusted
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
    try:
        found = _Reader().enums(module)
    except RecursionError:
        reason = "it is nested too deeply"
        raise StandardError(f"the enums module {module} cannot be read: {reason}") from None
    return [
        EnumStandard(name, enum.values, unknown=enum.unknown)
        for name, enum in found.items()
        if enum.values or enum.unknown
    ]


class _Reader:
    """Reads modules, each once: two that import each other end the search."""

    def __init__(self) -> None:
        self._read: dict[str, _Found] = {}
        self._names: dict[str, frozenset[str]] = {}

    def enums(self, module: str) -> _Found:
        if module in self._read:
            return self._read[module]
        found: _Found = {}
        self._read[module] = found
        path = _find(module)
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        body = list(_run(_parsed(module, path).body))
        bound, unknown = self._bound(body, package)
        names = _Names(body, package, bound)
        is_ours = package.partition(".")[0] == _OURS
        for node in body:
            if isinstance(node, ast.ImportFrom) and node.module != "enum":
                found.update(self._imported(node, package))
            elif isinstance(node, ast.ClassDef):
                if _is_enum(node, found):
                    found[node.name] = _read(node, found, names, is_ours=is_ours)
                elif _is_mixin(node):
                    names.mixins.add(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                for name, value in _assigned(node):
                    if isinstance(value, ast.Name) and value.id in found:
                        found[name] = found[value.id]
                    elif name in found:
                        found[name] = _Enum(unknown=ast.unparse(node))
                    elif bound[name] == 1 and (text := _text(value, names.constants)) is not None:
                        names.constants[name] = text
        for name, times in bound.items():
            if times > 1 and name in found and not found[name].unknown:
                found[name] = _Enum(unknown=f"{name}, which the module makes {times} times")
        if changed := "" if is_ours else unknown or _hidden(body, found):
            found.update(dict.fromkeys(found, _Enum(unknown=changed, computes=True)))
        self._names[module] = frozenset(bound)
        return found

    def _bound(self, body: Sequence[ast.stmt], package: str) -> tuple[Counter[str], str]:
        """How often a module binds each name, and the import of which nobody can tell that."""
        bound = Counter(_bound(body))
        unknown = ""
        for node in body:
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                there = _absolute(node, package)
                with suppress(StandardError):
                    self.enums(there)
                if there in self._names:
                    bound.update(n for n in self._names[there] if not n.startswith("_"))
                else:
                    unknown = ast.unparse(node)
        return bound, unknown

    def _imported(self, node: ast.ImportFrom, package: str) -> Iterator[tuple[str, _Enum]]:
        """What a module imports from another one; what cannot be read has no enums."""
        try:
            there = self.enums(_absolute(node, package))
        except StandardError:
            return
        for name in node.names:
            if name.name == "*":
                yield from there.items()
            elif name.name in there:
                yield name.asname or name.name, there[name.name]


class _Names:
    """What the names of a module stand for.

    Args:
        body: its statements.
        package: that it is in.
        bound: how often it binds each name.
    """

    def __init__(self, body: Sequence[ast.stmt], package: str, bound: Counter[str]) -> None:
        self.constants: dict[str, str] = {}
        self.mixins: set[str] = set()
        self.bound = bound
        self._from: dict[str, str] = {}
        for node in body:
            if isinstance(node, ast.ImportFrom):
                there = _absolute(node, package)
                self._from |= {n.asname or n.name: f"{there}.{n.name}" for n in node.names}
            elif isinstance(node, ast.Import):
                self._from |= {n.asname: n.name for n in node.names if n.asname}
                self._from |= {n: n for n in (_top(a) for a in node.names if not a.asname)}

    def origin(self, node: ast.expr) -> str:
        """Where a base or a decorator comes from, as `enum.Enum`; empty where that is not told."""
        if isinstance(node, ast.Attribute):
            above = self.origin(node.value)
            return above and f"{above}.{node.attr}"
        if not isinstance(node, ast.Name):
            return ""
        if node.id not in self.bound:
            return node.id  # of Python's own
        return self._from.get(node.id, "") if self.bound[node.id] == 1 else ""


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that a statement imports from."""
    above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    return ".".join([*above, *([node.module] if node.module else [])])


def _top(name: ast.alias) -> str:
    return name.name.partition(".")[0]


def _run(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run, where a module asks how old Python or its enum is."""
    for node in body:
        newer = isinstance(node, ast.If) and _is_newer(node.test)
        tried = isinstance(node, ast.Try) and all(map(_imports_enum, node.body))
        if isinstance(node, ast.If | ast.Try) and (newer or tried):
            yield from node.body
        else:
            yield node


def _imports_enum(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "enum" and not node.level


def _is_newer(test: ast.expr) -> bool:
    """Whether a condition is `sys.version_info >= (3, 11)`, which holds here."""
    match test:
        case ast.Compare(ast.Attribute(ast.Name("sys"), "version_info"), [ast.GtE()], [version]):
            try:
                return bool(tuple(ast.literal_eval(version)) <= tuple(sys.version_info[:3]))
            except (TypeError, ValueError):
                return False
    return False


def _find(module: str) -> Path:
    """The file of a module; no package on the way to it is imported."""
    places: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    for number, part in enumerate(parts := module.split("."), start=1):
        name = ".".join(parts[:number])
        spec = _spec(name, places) if part.isidentifier() and (number == 1 or places) else None
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


def _own(node: ast.ClassDef) -> set[str]:
    """The names that a class binds."""
    return {*_bound(node.body), *(n.name for n in node.body if isinstance(n, ast.ClassDef))}


def _is_mixin(node: ast.ClassDef) -> bool:
    """Whether a class changes no value of an enum that derives from it."""
    return not (node.bases or node.keywords or node.decorator_list or _own(node) & _BELOW)


def _computed(node: ast.ClassDef, found: _Found, names: _Names, *, is_ours: bool) -> str:
    """What makes the values of a class, other than that they are written; empty for nothing."""
    for name in sorted(_own(node) & (_COMPUTE if is_ours else _BELOW)):
        return f"def {name}"
    for keyword in node.keywords:
        return f"class {node.name}({keyword.arg}={ast.unparse(keyword.value)})"
    for base in node.bases:
        last = _last(base)
        if isinstance(base, ast.Name) and names.bound[base.id] > 1:
            return f"class {node.name}({last}), of which the module makes several"
        enum = found.get(last) if isinstance(base, ast.Name) else None
        is_mixin = isinstance(base, ast.Name) and base.id in names.mixins
        if enum.computes if enum else not is_mixin and names.origin(base) not in _PLAIN:
            return f"class {node.name}({last})"
    return ""


def _hidden(body: Sequence[ast.stmt], found: _Found) -> str:
    """What of a module may give a name or a member another value unseen; empty for nothing."""
    own = {id(node) for node in _of_instances(body, found)}
    for statement in body:
        for node in ast.walk(statement):
            if id(node) in own:
                continue
            if isinstance(node, ast.Attribute):
                told = node.attr in _HIDE_TOO or (
                    node.attr in _CHANGE and isinstance(node.ctx, ast.Store)
                )
                told = told or (node.attr == "modules" and _last(node.value) == "sys")
            else:
                told = isinstance(node, ast.Name) and node.id in _HIDE
            if told:
                return ast.unparse(_around(statement, node)).partition("\n")[0]
    return ""


def _of_instances(body: Sequence[ast.stmt], found: _Found) -> Iterator[ast.expr]:
    """Where methods change the instance that they are called on, and it is no member of an enum.

    Models and errors stand beside enums, and have a name or a value that their methods set.
    """
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    enums = {c.name for c in classes if _is_enum(c, found)}
    shared = enums | {base for c in classes if c.name in enums for base in _bases(c)}
    for statement in body:  # Who names a class otherwise may call its method with a member.
        for node in ast.walk(statement):
            value = node.value if isinstance(node, ast.Attribute | ast.Assign) else None
            shared |= {value.id} if isinstance(value, ast.Name) else set()
    for one in classes:
        if one.name not in shared:
            for method in one.body:
                if isinstance(method, ast.FunctionDef) and not method.decorator_list:
                    yield from _of_instance(method)


def _of_instance(method: ast.FunctionDef) -> Iterator[ast.expr]:
    """Where a method changes its instance; nothing where the name of that may be another's."""
    first = [*method.args.posonlyargs, *method.args.args][:1]
    nodes = list(ast.walk(method))
    for self in first:
        named = [n for n in nodes if isinstance(n, ast.arg) and n.arg == self.arg]
        if len(named) > 1 or self.arg in _bound(method.body):
            return
        for node in nodes:
            match node:
                case ast.Attribute(ast.Name(of), "name" | "value" | "__dict__") if of == self.arg:
                    yield node
                case ast.Call(
                    ast.Name("setattr" | "delattr" | "vars") as called, [ast.Name(of), *_]
                ) if of == self.arg:
                    yield called


def _around(statement: ast.stmt, node: ast.AST) -> ast.stmt:
    """The innermost statement that holds a node."""
    inner = (s for s in ast.walk(statement) if isinstance(s, ast.stmt) and s is not statement)
    holding = [s for s in inner if any(n is node for n in ast.walk(s))]
    return holding[-1] if holding else statement


def _read(node: ast.ClassDef, found: _Found, names: _Names, *, is_ours: bool) -> _Enum:
    """A class of members. Whatever could make, change or hide one makes all of it unknown."""
    if computed := _computed(node, found, names, is_ours=is_ours):
        return _Enum(unknown=computed, computes=True)
    known = dict(names.constants)
    values: list[str] = []
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if names.origin(called) not in _HARMLESS:
            return _Enum(unknown=f"@{ast.unparse(decorator)}", computes=True)
    origins = [names.origin(base) for base in node.bases]
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and not any(
            _last(decorator) == "member" for decorator in statement.decorator_list
        ):
            continue
        if isinstance(statement, ast.AsyncFunctionDef | ast.Pass):
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
                elif not name.startswith("__") and not (name[0] == name[-1] == "_"):
                    text = _member(name, value, origins, known)
                    if text is not None:
                        known[name] = text
                        values.append(text)
        if text is None:
            first = ast.unparse(statement).partition("\n")[0]
            return _Enum(unknown=first)
    return _Enum(tuple(dict.fromkeys(values)))


def _member(
    name: str, value: ast.expr, origins: Sequence[str], known: Mapping[str, str]
) -> str | None:
    """The value of a member as text, None when it is not written there."""
    if origins == ["enum.StrEnum"] and isinstance(value, ast.Call) and _last(value) == "auto":
        return name.lower()
    if isinstance(value, ast.Tuple) and value.elts and any(o.endswith("Choices") for o in origins):
        value = value.elts[0]  # behind it stands a label
    of_numbers = any(o in _OF_NUMBERS for o in origins)
    if of_numbers and not (isinstance(value, ast.Constant) and type(value.value) is int):
        return None
    return _text(value, known)


def _text(value: ast.expr, known: Mapping[str, str]) -> str | None:
    if isinstance(value, ast.Constant) and type(value.value) in (str, int):
        with suppress(ValueError):  # a number of thousands of digits
            return str(value.value)
    return known.get(value.id) if isinstance(value, ast.Name) else None


def _assigned(node: ast.Assign | ast.AnnAssign) -> Iterator[tuple[str, ast.expr]]:
    """The names that are given a value; nothing for one that is taken apart."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if isinstance(target, ast.Name) and node.value is not None:
            yield target.id, node.value


def _bound(body: Sequence[ast.AST]) -> Iterator[str]:
    """The names that statements bind, in branches too, each as often as they do."""
    left: list[ast.AST] = [*body]
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
            yield node.asname or _top(node)
        elif isinstance(node, ast.MatchAs | ast.MatchStar | ast.ExceptHandler) and node.name:
            yield node.name
        left += ast.iter_child_nodes(node)
