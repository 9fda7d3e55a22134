"""The files that a branch or the working tree changes, as git tells them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runner.errors import UsageError
from runner.lint.git import git

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def changed_files(folders: Iterable[Path], since: str | None) -> set[Path]:
    """The files that are new or changed, those that git does not know yet included.

    Args:
        folders: in the repositories to ask.
        since: a commit or branch; what was changed after leaving it. None: after the last commit.

    Returns:
        Their resolved paths.

    Raises:
        UsageError: outside a repository, for a commit that is not there, and without git.
    """
    found: set[Path] = set()
    for top in {_top(folder) for folder in folders}:
        base = _git(top, "merge-base", since, "HEAD").strip() if since else "HEAD"
        listed = _git(top, "diff", "--name-only", "-z", "--diff-filter=d", base, "--")
        listed += _git(top, "ls-files", "-z", "--others", "--exclude-standard")
        found |= {(top / name).resolve() for name in listed.split("\0") if name}
    return found


def _top(folder: Path) -> Path:
    return type(folder)(_git(folder, "rev-parse", "--show-toplevel").strip())


def _git(folder: Path, *arguments: str) -> str:
    if arguments[1:2] and arguments[1].startswith("-") and arguments[0] == "merge-base":
        raise UsageError(f"{arguments[1]!r} is not a commit or branch")
    try:
        done = git(folder, *arguments)
    except FileNotFoundError:
        raise UsageError("git is not installed, and --since and --changed ask it") from None
    if done.returncode:
        told = os.fsdecode(done.stderr).strip().splitlines()
        raise UsageError(
            f"git {' '.join(arguments)}: {told[0] if told else 'failed'}",
            hint="a shallow clone does not hold old commits: fetch them (fetch-depth: 0)",
        )
    return os.fsdecode(done.stdout)
