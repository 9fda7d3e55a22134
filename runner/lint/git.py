"""Asks git, and lets nothing that lies among the files choose what it runs."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# A folder of a pull request may be a repository of its own, without a `.git`: its configuration
# names programs. Versions before 2.38 do not know the first of these.
_CAREFUL = (
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
)


def git(
    folder: Path, *arguments: str, seconds: float | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run git in the closest folder above that holds a `.git`, which no pull request can bring.

    Args:
        folder: a folder of the repository.
        arguments: of git; paths are absolute.
        seconds: how long it may take.

    Raises:
        OSError: there is no git.
        subprocess.TimeoutExpired: it took longer.
    """
    return subprocess.run(
        ["git", *_CAREFUL, *arguments],
        cwd=top_of(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=seconds,
    )


def top_of(folder: Path) -> Path:
    """The closest folder at or above one that holds a `.git`; itself where none does."""
    here = folder.resolve()
    return next((f for f in (here, *here.parents) if os.path.lexists(f / ".git")), here)
