"""The migration files of any team's tool: what runs forward, what undoes it, in which order."""

from runner.layouts.model import LAYOUTS, UNDO_OPTIONAL, Chain, Pair, ScriptText, layout_named
from runner.layouts.read import Reading, find_files, read_chains

__all__ = [
    "LAYOUTS",
    "UNDO_OPTIONAL",
    "Chain",
    "Pair",
    "Reading",
    "ScriptText",
    "find_files",
    "layout_named",
    "read_chains",
]
