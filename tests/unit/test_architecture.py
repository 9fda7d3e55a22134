"""Imports run downwards only, and what is public has a caller.

What still breaks a rule is listed by name, so that a list can only shrink: an entry that is no
longer true fails, too.
"""

from __future__ import annotations

import ast

from architecture.drawing import draw
from architecture.imports import ENTRY, ROOT, edges, find_cycles, read_imports, read_sources
from architecture.rooms import LAYERS, OF_PYORM, layer_of, room_of

# Empty each as its room is done.
KNOWN_CYCLES = {
    frozenset({"runner.generate.in_place", "runner.generate.names", "runner.generate.view"}),
    frozenset({"runner.lint.blocks", "runner.lint.steps"}),
}
KNOWN_IMPORTS = {("pyorm.testing", "runner.postgres.embedded")}

SOURCES = read_sources()
IMPORTS = read_imports(SOURCES)


def test_no_modules_import_each_other() -> None:
    assert find_cycles(IMPORTS) == KNOWN_CYCLES


def test_a_cycle_is_found_wherever_the_import_stands() -> None:
    sources = {
        "runner.a": "import runner.b",
        "runner.b": "if TYPE_CHECKING:\n    from runner import c",
        "runner.c": "def late():\n    from runner.a import name",
        "runner.d": "from runner.a import name",
        "runner": "",
    }
    assert find_cycles(read_imports(sources)) == {frozenset({"runner.a", "runner.b", "runner.c"})}


def test_rooms_import_downwards_only() -> None:
    upwards = [
        (module, imported)
        for module, imported in edges(IMPORTS)
        if module != ENTRY
        and module.startswith("runner.")
        and imported.startswith("runner.")
        and room_of(module) != room_of(imported)
        and layer_of(room_of(module)) >= layer_of(room_of(imported))
    ]
    assert upwards == []


def test_the_order_names_each_room_once_and_no_other() -> None:
    named = [room for layer in LAYERS for room in layer]
    there = {room_of(m) for m in SOURCES if m.startswith("runner.") and m != ENTRY}
    assert sorted(named) == sorted(there)


def test_pyorm_knows_nothing_of_runner_and_runner_only_its_enums() -> None:
    across = {
        (module, imported)
        for module, imported in edges(IMPORTS)
        if room_of(module) != room_of(imported)
        and "pyorm" in (room_of(module), room_of(imported))
        and imported not in OF_PYORM
    }
    assert across == KNOWN_IMPORTS


def test_the_verbs_do_not_import_each_other() -> None:
    sideways = [
        (module, imported)
        for module, imported in edges(IMPORTS)
        if module.startswith("runner.cli.")
        and imported.startswith("runner.cli")
        and imported != "runner.cli.root"
    ]
    assert sideways == []


def test_a_module_of_verbs_holds_one_function_a_verb_and_no_other() -> None:
    others = [
        f"{module}.{node.name}"
        for module in ("look", "review", "run", "write")
        for node in ast.parse(SOURCES[f"runner.cli.{module}"]).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not any(ast.unparse(d).startswith("cli.command(") for d in node.decorator_list)
    ]
    assert others == []


def test_the_drawing_is_of_this_code() -> None:
    drawn = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    assert drawn == draw(SOURCES, IMPORTS), "it is not current: make architecture"
