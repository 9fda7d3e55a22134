"""The schema `trueup`, with what the other files call."""

from __future__ import annotations

from runner.generate.files import OWN_NAMES, File
from runner.generate.statement import Statement
from runner.generate.text import text


def toolkit(folder: str, phase: str) -> File:
    """The file that makes it; only online do old names live on, whose uses are counted."""
    counts = folder == "online"
    return File(
        unlike="toolkit",
        folder=folder,
        phase=phase,
        subject="toolkit",
        title="Make the schema trueup and the functions that the other files call.",
        does="creates what the migration needs beside the service; touches no table of it",
        locks_said="only what it creates",
        cost="none",
        head=[OWN_NAMES],
        undo="drops it all, unless another unit of tables still needs it",
        body=[
            [Statement(text("toolkit.sql"))],
            *([[Statement(text("gate.sql"))]] if counts else []),
            [Statement(text("toolkit_end.sql", counts=counts))],
        ],
        rollback=[[Statement(text("toolkit.rollback.sql", counts=counts))]],
        back="Drops the functions, and the schema when nothing else lives in it.",
    )
