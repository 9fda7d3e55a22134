"""`trueup lint --fix`: rewrites files where the safe way changes nothing else."""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import MigrationFileError
from runner.ledger.files import read_text
from runner.lint.engine import lint
from runner.lint.git import git, top_of
from runner.lint.settings import Settings
from runner.lint.steps import ScanError, statements

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from runner.lint.model import Edit, Finding

_ROUNDS = 5
_GIT_SECONDS = 30
_USUAL = Settings()


@dataclass(frozen=True)
class Fixed:
    """A file and what becomes of it.

    Args:
        path: the file.
        before: its text.
        after: its text with the safe way in it.
        rules: those whose findings are gone, in the order of the file.
    """

    path: Path
    before: str
    after: str
    rules: tuple[str, ...]

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            f"a/{self.path.as_posix().lstrip('/')}",
            f"b/{self.path.as_posix().lstrip('/')}",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


@dataclass(frozen=True)
class Fixes:
    """What `--fix` did or would do.

    Args:
        files: those that change.
        kept: why others, which have something to fix, stay as they are.
    """

    files: tuple[Fixed, ...]
    kept: dict[Path, str]


def fix(
    paths: Sequence[Path],
    *,
    layout: str | None = None,
    write: bool,
    applied: Collection[str] = (),
    also_applied: bool = False,
    settings: Settings = _USUAL,
    only: Collection[Path] | None = None,
) -> Fixes:
    """Replace what lint finds by the safe way, where that changes nothing else.

    Args:
        paths: files and folders.
        layout: how the files are laid out; found out by itself when None.
        write: whether to change the files; else only to tell.
        applied: ids of migrations that a database has recorded.
        also_applied: whether to change files that may have been applied.
        settings: of the project.
        only: change these files alone, by their resolved paths; None for all.

    Returns:
        The changes.

    Raises:
        MigrationFileError: for a file that cannot be read or written.
    """
    done: dict[Path, Fixed] = {}
    kept: dict[Path, str] = {}
    committed = _Committed()
    for _ in range(_ROUNDS if write else 1):
        changed = False
        report = lint(paths, layout=layout, with_squawk=False, settings=settings, only=only)
        for path, findings in _by_file(report.findings):
            reason = "" if also_applied else committed.reason(path, applied)
            if reason:
                kept[path] = reason
                continue
            fixed = _fixed(path, findings)
            if fixed is None:
                continue
            changed = True
            first = done.get(path)
            done[path] = Fixed(
                path,
                first.before if first else fixed.before,
                fixed.after,
                (*(first.rules if first else ()), *fixed.rules),
            )
            if write:
                _write(path, fixed)
        if not changed:
            break
    return Fixes(tuple(done[path] for path in sorted(done)), kept)


def _by_file(findings: Iterable[Finding]) -> list[tuple[Path, list[Finding]]]:
    found: dict[Path, list[Finding]] = {}
    for finding in findings:
        if finding.edits:
            found.setdefault(finding.path, []).append(finding)
    return sorted(found.items())


def _fixed(path: Path, findings: Sequence[Finding]) -> Fixed | None:
    """The file with as many findings mended as do not touch each other; None for none."""
    before = read_text(path)
    if any(finding.rule == "set-local-outside-transaction" for finding in findings):
        # What it sets may be the lock_timeout that is missing: the next round shows it.
        findings = [f for f in findings if f.rule != "missing-lock-timeout"]
    taken: list[Edit] = []
    rules: list[str] = []
    for finding in findings:
        new = [edit for edit in finding.edits if edit not in taken]
        if new and not any(_touch(edit, other) for edit in new for other in taken):
            after = _edited(before, [*taken, *new])
            if _reads_as_well(before, after):
                taken += new
                rules.append(finding.rule)
    return Fixed(path, before, _edited(before, taken), tuple(rules)) if taken else None


def _touch(one: Edit, other: Edit) -> bool:
    return one.start <= other.end and other.start <= one.end


def _edited(text: str, edits: Iterable[Edit]) -> str:
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _reads_as_well(before: str, after: str) -> bool:
    """Whether no statement became one that the grammar refuses."""
    try:
        problems = [sum(bool(s.problem) for s in statements(text)) for text in (before, after)]
    except ScanError:
        return False
    return problems[1] <= problems[0]


def _write(path: Path, fixed: Fixed) -> None:
    """Put the new text in the file's place in one step, with the old one's rights."""
    target = path.resolve()
    try:
        if read_text(target) != fixed.before:
            raise MigrationFileError(f"{path} was changed meanwhile", hint="run it again")
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
            file.write(fixed.after.encode("utf-8"))
        try:
            shutil.copymode(target, file.name)
            os.replace(file.name, target)
        except OSError:
            os.unlink(file.name)
            raise
    except OSError as error:
        raise MigrationFileError(f"{path} cannot be written: {error.strerror}") from error


class _Committed:
    """Which files git has on the branch that is deployed from, asked once a repository."""

    def __init__(self) -> None:
        self._names: dict[Path, tuple[str, frozenset[Path]]] = {}

    def reason(self, path: Path, applied: Collection[str]) -> str:
        """Why a file may have been applied; empty when nothing says so."""
        stem = path.name.removesuffix(".sql").removesuffix(".rollback")
        if stem in applied or path.stem in applied:
            return "it is recorded as applied"
        folder = path.resolve().parent
        if folder not in self._names:
            self._names[folder] = _on_the_base(folder)
        branch, names = self._names[folder]
        return f"it is on {branch}: it may have been applied" if path.resolve() in names else ""


def _on_the_base(folder: Path) -> tuple[str, frozenset[Path]]:
    """The branch that others build on, and the files of the folder that it has."""
    top = top_of(folder)
    here = f"{folder.relative_to(top).as_posix()}/"
    for branch in ("origin/HEAD", "origin/main", "origin/master", "main", "master"):
        listed = _git(folder, "ls-tree", "--name-only", "-z", branch, here)
        if listed is not None:
            names = [name for name in listed.split("\0") if name]
            return branch, frozenset(top / name for name in names)
    return "", frozenset()


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = git(folder, *arguments, seconds=_GIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(done.stdout) if done.returncode == 0 else None


def show(fixes: Fixes, *, written: bool, asked: bool) -> str:
    """What was done or would be, for people.

    Args:
        fixes: all of it.
        written: whether the files are changed: a line a file; else diffs.
        asked: whether the ledger of a database told what has been applied.
    """
    lines = []
    for fixed in fixes.files:
        if written:
            lines.append(f"fixed {fixed.path}: {', '.join(dict.fromkeys(fixed.rules))}")
        else:
            lines.append(fixed.diff.rstrip("\n"))
    for path, reason in sorted(fixes.kept.items()):
        lines.append(f"left as it is: {path}: {reason}; --also-applied changes it, too")
    if not fixes.files and not fixes.kept:
        lines.append("nothing that can be fixed by itself")
    elif fixes.files and not asked:
        lines.append(_NOT_KNOWN)
    return "\n".join(lines)


_NOT_KNOWN = (
    "note: neither git's base branch nor a ledger (--dsn) says whether these files have been"
    " applied; an applied file must not change"
)
