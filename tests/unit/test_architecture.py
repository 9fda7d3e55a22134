"""Imports run downwards only, and what is public has a caller; but for what known.py lists."""

from __future__ import annotations

import ast
import re

from architecture.callers import find_uncalled
from architecture.drawing import draw
from architecture.imports import ENTRY, ROOT, edges, find_cycles, read_imports, read_sources
from architecture.known import CYCLES, IMPORTS_ACROSS, OF_TESTS, UNCALLED
from architecture.rooms import LAYERS, OF_PYORM, layer_of, room_of

SOURCES = read_sources()
IMPORTS = read_imports(SOURCES)


def test_no_modules_import_each_other() -> None:
    assert find_cycles(IMPORTS) == CYCLES


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


def test_what_is_generated_depends_on_no_server_and_no_disk() -> None:
    outside = {"os", "pathlib", "psycopg", "socket", "subprocess", "time"}
    allowed = {"runner.postgres.locks"}
    found = [
        (module, name)
        for module, source in SOURCES.items()
        if room_of(module) == "generate"
        for name in named(source)
        if name.partition(".")[0] in outside
        or (name.startswith(("runner.postgres", "runner.ledger")) and name not in allowed)
    ]
    assert found == []


def named(source: str) -> set[str]:
    """The modules that the import statements of a module name, ours or not."""
    nodes = [*ast.walk(ast.parse(source))]
    plain = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    return plain | {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}


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
    assert across == IMPORTS_ACROSS


def test_the_verbs_do_not_import_each_other() -> None:
    sideways = [
        (module, imported)
        for module, imported in edges(IMPORTS)
        if module.startswith("runner.cli.")
        and imported.startswith("runner.cli")
        and imported not in ("runner.cli.root", "runner.cli.manual")
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


def test_the_page_links_to_what_is_there() -> None:
    docs = ROOT / "docs"
    links = re.findall(r"\]\(([^)#]+)\)", (docs / "architecture.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (docs / link).exists()] == []


def test_what_is_public_has_a_caller_in_python() -> None:
    assert find_uncalled(SOURCES) == UNCALLED | OF_TESTS


def test_a_method_is_called_as_a_method_and_a_verb_by_click() -> None:
    source = """
class TrueupError:
    def used(self): ...
    def unused(self): ...
    def _own(self): ...
def helper(): return TrueupError().used
@cli.command()
def verb(): unused = 1
"""
    assert find_uncalled({"runner.errors": source}) == {
        "runner.errors.TrueupError.unused",
        "runner.errors.helper",
    }
