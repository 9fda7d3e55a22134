"""A report as it is shown: what is new to the team, and how paths are written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from runner.lint.settings import Settings, in_utf8

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.lint.engine import Report
    from runner.lint.model import Finding


@dataclass(frozen=True)
class Shown:
    """What a form writes out.

    Args:
        findings: by file and line.
        texts: of the files.
        settings: of the project.
        files: how many files were read for findings.
        notes: what could not be looked at, and why.
        root: the folder that paths in reports for other programs are relative to.
    """

    findings: tuple[Finding, ...]
    texts: Mapping[Path, str]
    settings: Settings
    files: int
    notes: tuple[str, ...]
    root: Path

    @classmethod
    def of(cls, report: Report, settings: Settings | None = None) -> Shown:
        """All of a report."""
        settings = settings or Settings()
        root = _root(settings.folder)
        return cls(report.findings, report.texts, settings, report.files, report.notes, root)

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        """What each finding is known by when the lines above it change."""
        from runner.lint.baseline import fingerprints

        return tuple(fingerprints(self.findings, self.texts, self.settings))

    def relative(self, path: Path) -> str:
        """A path from the root, with slashes; as it is when it is not below."""
        absolute = (Path.cwd() / path).resolve()
        root = self.root.resolve()
        below = root in absolute.parents
        return in_utf8(absolute.relative_to(root).as_posix() if below else str(path))

    def failed(self, *, strict: bool = False) -> bool:
        """Whether there is an error; with strict, also whether there is a warning."""
        levels = ("error", "warning") if strict else ("error",)
        return any(finding.level in levels for finding in self.findings)


def _root(folder: Path) -> Path:
    """The repository, as code scanning and merge requests name files; else the folder."""
    for above in (folder.resolve(), *folder.resolve().parents):
        if (above / ".git").exists():
            return above
    return folder
