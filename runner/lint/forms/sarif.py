"""SARIF 2.1.0, for GitHub's code scanning and others."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from runner.lint.registry import all_rules

if TYPE_CHECKING:
    from pathlib import Path

    from runner.lint.model import Finding
    from runner.lint.shown import Shown

_LEVELS = {"error": "error", "warning": "warning", "style": "note"}
_URI = "https://pypi.org/project/trueup/"


def write(shown: Shown) -> str:
    """The report as SARIF."""
    by_name = {finding.rule: finding for finding in shown.findings}
    rules = [_rule(name, finding) for name, finding in sorted(by_name.items())]
    places = {rule["id"]: number for number, rule in enumerate(rules)}
    results = [
        {
            "ruleId": f.rule,
            "ruleIndex": places[f.rule],
            "level": _LEVELS[f.level],
            "message": {"text": f.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": _location(shown, f.path),
                        "region": {
                            "startLine": f.line,
                            "startColumn": f.column,
                            "endLine": f.end_line,
                        },
                    }
                }
            ],
            "partialFingerprints": {"trueup/v1": mark},
        }
        for f, mark in zip(shown.findings, shown.fingerprints, strict=True)
    ]
    driver = {
        "name": "trueup",
        "version": version("trueup"),
        "semanticVersion": version("trueup"),
        "informationUri": _URI,
        "rules": rules,
    }
    notes = [{"level": "note", "message": {"text": note}} for note in shown.notes]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"uri": shown.root.resolve().as_uri() + "/"}},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "results": results,
    }
    value = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(value, indent=2, ensure_ascii=False)


def _rule(name: str, finding: Finding) -> dict[str, Any]:
    titles = {rule.name: (rule.title, rule.level) for rule in all_rules()}
    title, level = titles.get(name, (name.replace("-", " "), finding.level))
    described: dict[str, Any] = {
        "id": name,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "shortDescription": {"text": title},
        "fullDescription": {"text": finding.why},
        "helpUri": _URI,
        "help": {"text": finding.why},
        "defaultConfiguration": {"level": _LEVELS[level]},
    }
    if finding.instead:
        described["help"] = {
            "text": finding.instead,
            "markdown": f"{finding.why}\n\n```sql\n{finding.instead}\n```",
        }
    return described


def _location(shown: Shown, path: Path) -> dict[str, str]:
    name = shown.relative(path)
    if path.is_absolute() and name == str(path):
        return {"uri": path.as_uri()}
    return {"uri": quote(name), "uriBaseId": "SRCROOT"}
