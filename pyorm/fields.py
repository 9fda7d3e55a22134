"""Print the field types of an entity: `python -m pyorm.fields service:Order`."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from pyorm.entity import DeclaredColumn, declaration
from pyorm.errors import DeclarationError


def field_types(entity: type[Any]) -> str:
    """The TypedDict of an entity's fields, as Python source."""
    declared = declaration(entity)
    lines = [
        f"class {declared.name}Fields(Fields, total=False):",
        f'    """The types of {declared.name}\'s fields in filters and changes."""',
        "",
    ]
    lines += [f"    {column.field}: {_type(column)}" for column in declared.columns]
    return "\n".join(lines)


def _type(column: DeclaredColumn) -> str:
    name = column.python.__name__
    if name == "UUID" and not column.array:
        name = "UUID | str"
    if name == "dict":
        name = "dict[str, Any]"
    if column.array:
        name = f"list[{name}]"
    return f"{name} | None" if column.nullable else name


def main(arguments: list[str]) -> int:
    """Print the field types of each entity that is named as `module:Entity`."""
    if not arguments or not all(":" in argument for argument in arguments):
        print("usage: python -m pyorm.fields MODULE:ENTITY ...", file=sys.stderr)
        return 2
    sys.path.insert(0, "")
    for argument in arguments:
        module, _, name = argument.partition(":")
        try:
            print(field_types(getattr(importlib.import_module(module), name)))
        except (ImportError, AttributeError, DeclarationError) as error:
            print(f"{argument}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
