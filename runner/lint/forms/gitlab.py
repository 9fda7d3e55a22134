"""GitLab's Code Quality report: findings in the widget and beside the lines of a merge request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.lint.shown import Shown

_SEVERITIES = {"error": "critical", "warning": "major", "style": "minor"}


def write(shown: Shown) -> str:
    """The report as GitLab reads it."""
    value = [
        {
            "description": f"{f.rule}: {f.message}",
            "check_name": f.rule,
            "fingerprint": mark,
            "severity": _SEVERITIES[f.level],
            "location": {
                "path": shown.relative(f.path),
                "lines": {"begin": f.line, "end": f.end_line},
            },
        }
        for f, mark in zip(shown.findings, shown.fingerprints, strict=True)
    ]
    return json.dumps(value, indent=2, ensure_ascii=False)
