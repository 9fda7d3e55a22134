"""Findings that were there when a team began: known, and not told again."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.errors import UsageError
from runner.lint.counted import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runner.lint.engine import Report
    from runner.lint.model import Finding
    from runner.lint.settings import Settings

_VERSION = 1


def fingerprints(
    findings: Sequence[Finding], texts: Mapping[Path, str], settings: Settings
) -> list[str]:
    """What a finding is known by when the lines above it change: its rule, file and statement.

    Args:
        findings: in the order of their places.
        texts: of the files.
        settings: say what paths are relative to.

    Returns:
        A hash for each; findings that are the same are counted.
    """
    lines: dict[Path, list[str]] = {}
    seen: Counter[str] = Counter()
    found = []
    for finding in findings:
        if finding.path not in lines:
            lines[finding.path] = texts.get(finding.path, "").split("\n")
        statement = lines[finding.path][finding.line - 1 : finding.end_line]
        parts = (finding.rule, settings.relative(finding.path), *(" ".join(statement).split()))
        plain = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
        seen[plain] += 1
        found.append(f"{plain}:{seen[plain]}")
    return found


def write_baseline(
    path: Path, findings: Sequence[Finding], prints: Sequence[str], settings: Settings
) -> None:
    """Write all findings down as known.

    Raises:
        UsageError: something else stands there, or it cannot be written.
    """
    if path.is_symlink():
        raise UsageError(f"the baseline {path} is a link", hint="put a file there, or remove it")
    if path.exists() and path.stat().st_size:
        try:
            read_baseline(path)
        except UsageError as error:
            hint = "remove it, or name another file: --baseline FILE"
            raise UsageError(error.message, hint=hint) from None
    known = [
        {"file": settings.relative(finding.path), "rule": finding.rule, "fingerprint": mark}
        for finding, mark in zip(findings, prints, strict=True)
    ]
    text = json.dumps({"version": _VERSION, "findings": known}, indent=1, ensure_ascii=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def read_baseline(path: Path) -> dict[str, str]:
    """The known findings: their files by fingerprint.

    Raises:
        UsageError: when it cannot be read, or was written by a newer trueup.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
        if value["version"] != _VERSION:
            raise UsageError(f"{path} has the version {value['version']}, expected {_VERSION}")
        return {str(known["fingerprint"]): str(known["file"]) for known in value["findings"]}
    except OSError as error:
        raise UsageError(
            f"the baseline {path} cannot be read: {error.strerror}",
            hint="`trueup lint --write-baseline` writes it",
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(
            f"{path} is not a baseline", hint="`trueup lint --write-baseline` writes one"
        ) from None


def unknown(report: Report, settings: Settings) -> Report:
    """Leave out what the baseline of the settings knows.

    Args:
        report: of lint.
        settings: of the project.

    Returns:
        The new findings, and notes: how many are known, and how many known ones are gone.
    """
    if settings.baseline is None:
        return report
    known = read_baseline(settings.baseline)
    marks = fingerprints(report.findings, report.texts, settings)
    pairs = zip(report.findings, marks, strict=True)
    kept = tuple(finding for finding, mark in pairs if mark not in known)
    notes = []
    if len(kept) < len(marks):
        left_out = counted(len(marks) - len(kept), "known finding")
        notes.append(f"left out, as the baseline has them: {left_out}")
    looked_at = {settings.relative(path) for path in report.texts}
    gone = [mark for mark, file in known.items() if file in looked_at and mark not in marks]
    if gone:
        fixed = counted(len(gone), "finding")
        notes.append(f"gone since the baseline: {fixed}; `--write-baseline` takes them out of it")
    return replace(report, findings=kept, notes=(*report.notes, *notes))
