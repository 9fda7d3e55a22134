"""Which public functions, methods and properties of runner no Python code names.

By name alone: any function of that name anywhere is taken for the one that is meant.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def find_uncalled(sources: Mapping[str, str]) -> set[str]:
    """The public functions, methods and properties of runner that nothing in Python uses.

    Verbs do not count: click calls them. Nor do methods of a library's class that ours replace.

    Args:
        sources: the text of each module.
    """
    trees = {module: ast.parse(source) for module, source in sources.items()}
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    attributes = {n.attr for n in nodes if isinstance(n, ast.Attribute) and _is_read(n)}
    names = {n.id for n in nodes if isinstance(n, ast.Name) and _is_read(n)}
    return {
        f"{module}.{'.'.join((*classes, function.name))}"
        for module, tree in trees.items()
        if module.startswith("runner.")
        for classes, function in _public(tree)
        if function.name not in (attributes if classes else attributes | names)
        and not _is_verb(function)
        and not (classes and _replaces(module, classes, function.name))
    }


def _is_read(node: ast.Attribute | ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _public(
    node: ast.AST, classes: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Definition]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _public(child, (*classes, child.name))
        elif isinstance(child, Definition) and not child.name.startswith("_"):
            yield classes, child


def _is_verb(function: Definition) -> bool:
    return any(ast.unparse(d).startswith("cli.command(") for d in function.decorator_list)


def _replaces(module: str, classes: tuple[str, ...], name: str) -> bool:
    """Whether a class that is not ours has the method: a library calls it."""
    found: object = importlib.import_module(module)
    for one in classes:
        found = getattr(found, one)
    assert isinstance(found, type)
    return any(
        hasattr(base, name) for base in found.__mro__ if not base.__module__.startswith("runner")
    )
