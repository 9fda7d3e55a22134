"""The commit that migration files are of."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from runner.lint.git import git

_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit.

    Args:
        id: its hash; with "+changes" when files of the folder differ from it; empty when unknown.
        author: name and address, as git tells them.
    """

    id: str = ""
    author: str = ""

    def __str__(self) -> str:
        """The hash cut short, and the author."""
        if not self.id:
            return "not known: the files are under no git"
        changes = " and changes since" if self.id.endswith("+changes") else ""
        return f"{self.id[:12]}{changes}, by {self.author}"


def commit_of(folder: Path) -> Commit:
    """The newest commit of the repository that holds a folder, empty without git."""
    head = _git(folder, "rev-parse", "--verify", "HEAD")
    if not head:
        return Commit()
    author = _git(folder, "log", "-1", "--no-show-signature", "--format=%aN <%aE>")
    changed = _git(folder, "status", "--porcelain", "--", str(folder.resolve()))
    return Commit(head + ("+changes" if changed else ""), author)


def _git(folder: Path, *arguments: str) -> str:
    """What git says; nothing when it cannot, as outside of a repository."""
    try:
        done = git(folder, *arguments, seconds=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode != 0:
        return ""
    text = done.stdout.decode(errors="replace").strip()
    return "".join(c if c.isprintable() else " " for c in text)
