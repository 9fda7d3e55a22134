"""The field types of entities, for the type checkers: printed, written into the source, checked.

python -m pyorm.fields service.orders:Order          prints them
python -m pyorm.fields --write service.orders        writes those of each entity of the module
python -m pyorm.fields --check service.orders        tells which are not current; exit code 1
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pyorm.entity import Declaration, declaration, mend_field_types
from pyorm.errors import DeclarationError, PyormError
from pyorm.hints import plain

USAGE = "usage: python -m pyorm.fields [--write | --check] MODULE[:ENTITY] ..."


def field_types(entity: type[Any], name: str | None = None, doc: str | None = None) -> str:
    """The TypedDict of an entity's fields, as Python source.

    Args:
        entity: the entity.
        name: of the TypedDict, None for the usual one.
        doc: its docstring, None for the usual one, empty for none.
    """
    declared = declaration(entity)
    if doc is None:
        doc = f"The types of {declared.name}'s fields in filters and changes."
    lines = [f"class {name or f'{declared.name}Fields'}(Fields, total=False):"]
    lines += [f'    """{doc}"""', ""] if doc else []
    lines += [f"    {column.field}: {_source(column.hint)}" for column in declared.columns]
    return "\n".join(lines)


def _source(hint: Any) -> str:
    """A field's type as it is written; a uuid is given as its text too."""
    hint = plain(hint)
    if get_origin(hint) in (Union, UnionType):
        members = [member for member in get_args(hint) if member is not NoneType]
        nothing = " | None" if NoneType in get_args(hint) else ""
        return " | ".join(map(_source, members)) + nothing
    name = _name(hint)
    return "UUID | str" if name == "UUID" else name


def _name(hint: Any) -> str:
    if hint is dict:
        return "dict[str, Any]"
    if get_origin(hint) in (Union, UnionType):
        return " | ".join(map(_name, get_args(hint)))
    if arguments := get_args(hint):
        return f"{get_origin(hint).__name__}[{', '.join(map(_name, arguments))}]"
    return "None" if hint is NoneType else str(getattr(hint, "__name__", hint))


@dataclass(frozen=True, slots=True)
class Place:
    """Where the field types of an entity stand in its module.

    Args:
        entity: the entity.
        text: what stands there, empty when nothing does.
        first: the line it begins with, counted from 0.
        last: the line after it.
        wanted: what should stand there.
    """

    entity: type[Any]
    text: str
    first: int
    last: int
    wanted: str


def places(module: ModuleType, entities: list[type[Any]]) -> list[Place]:
    """Where the field types of some entities stand, and what they should be."""
    source = Path(inspect.getfile(module)).read_text(encoding="utf-8")
    lines = source.splitlines()
    classes = {n.name: n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ClassDef)}
    found = []
    for entity in entities:
        name = _typed_dict(classes[entity.__name__]) or f"{entity.__name__}Fields"
        node = classes.get(name)
        if node is None or node.end_lineno is None:
            above = classes[entity.__name__]
            line = min(above.lineno, *(one.lineno for one in above.decorator_list)) - 1
            found.append(Place(entity, "", line, line, f"{field_types(entity, name)}\n\n"))
            continue
        text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        wanted = field_types(entity, name, ast.get_docstring(node, clean=False) or "")
        found.append(Place(entity, text, node.lineno - 1, node.end_lineno, wanted))
    return found


def _typed_dict(entity: ast.ClassDef) -> str | None:
    """The name that an entity's __fields__ unpacks."""
    for node in entity.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__fields__" and node.args.kwarg:
            annotation = node.args.kwarg.annotation
            if isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Name):
                return annotation.slice.id
    return None


def write(module: ModuleType, found: list[Place]) -> list[str]:
    """Write what is not current into a module's source; tells what it wrote."""
    path = Path(inspect.getfile(module))
    lines = path.read_text(encoding="utf-8").splitlines()
    told = []
    first = len(lines)
    for place in sorted(found, key=lambda place: place.first, reverse=True):
        if place.text == place.wanted:
            continue
        first = place.first
        lines[place.first : place.last] = place.wanted.split("\n")
        name = place.entity.__name__
        told.append(f"{path}: wrote the field types of {name}")
        if not place.text:
            told.append(f"  give {name} its __fields__, which unpacks them (Unpack is of typing):")
            line = f"def __fields__(self, **fields: Unpack[{name}Fields]) -> None: ..."
            told.append(f"    {line}")
    if told and not hasattr(module, "Fields"):
        lines.insert(_after_imports(lines, first), "from pyorm import Fields")
    if told:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return told


def _after_imports(lines: list[str], first: int) -> int:
    """The line after the last import above a line, or else after the docstring."""
    nodes = ast.parse("\n".join(lines)).body
    above: list[ast.stmt] = [
        node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    if isinstance(nodes[0], ast.Expr):
        above.append(nodes[0])
    return max((n.end_lineno or 0 for n in above if (n.end_lineno or 0) <= first), default=0)


def _entities(module: ModuleType, name: str) -> list[type[Any]]:
    if name:
        return [declaration(getattr(module, name)).entity]
    own = [value for value in vars(module).values() if _is_own_entity(value, module)]
    if not own:
        raise DeclarationError(f"{module.__name__} has no entity of its own")
    return own


def _is_own_entity(value: Any, module: ModuleType) -> bool:
    declared = getattr(value, "__pyorm__", None)
    return (
        isinstance(declared, Declaration)
        and declared.entity is value
        and value.__module__ == module.__name__
    )


def main(arguments: list[str]) -> int:
    """Print, write or check the field types of what is named as `module:Entity` or `module`."""
    mode = arguments[0] if arguments and arguments[0] in ("--write", "--check") else ""
    named = arguments[1:] if mode else arguments
    if not named or any(name.startswith("-") for name in named):
        print(USAGE, file=sys.stderr)
        return 2
    sys.path.insert(0, "")
    # What is to be mended here would be an error at the import.
    mend_field_types()
    outdated = 0
    for argument in named:
        module_name, _, name = argument.partition(":")
        try:
            module = importlib.import_module(module_name)
            entities = _entities(module, name)
            if not mode:
                print("\n\n\n".join(map(field_types, entities)))
                continue
            if name:  # it may be only imported there
                module = importlib.import_module(entities[0].__module__)
            found = places(module, entities)
        except Exception as error:  # the module is the user's, and may raise anything
            own = isinstance(error, PyormError | ImportError)
            kind = "" if own else f"{type(error).__name__}: "
            print(f"{argument}: {kind}{error}", file=sys.stderr)
            return 1
        if mode == "--write":
            for line in write(module, found):
                print(line)
            continue
        for place in found:
            if place.text != place.wanted:
                outdated += 1
                told = "not current" if place.text else "missing"
                where = f"{inspect.getfile(module)}:{place.first + 1}"
                print(f"{where}: the field types of {place.entity.__name__} are {told}")
    return 1 if outdated else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
