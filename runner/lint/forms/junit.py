"""JUnit XML, which nearly every CI shows: a file is a suite, a finding a failed case."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from runner.lint.shown import Shown

_FAILS = ("error", "warning")
# What XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(shown: Shown) -> str:
    """The report as JUnit XML; style findings are cases that pass."""
    failures = sum(finding.level in _FAILS for finding in shown.findings)
    tests = max(1, len(shown.findings))
    root = ElementTree.Element(
        "testsuites", name="trueup lint", tests=str(tests), failures=str(failures), errors="0"
    )
    for path, found in groupby(shown.findings, key=lambda finding: finding.path):
        findings = list(found)
        name = shown.relative(path)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_legal(name),
            tests=str(len(findings)),
            failures=str(sum(finding.level in _FAILS for finding in findings)),
            errors="0",
        )
        for finding in findings:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                name=f"{finding.rule}, line {finding.line}",
                classname=_legal(name),
                file=_legal(name),
                line=str(finding.line),
            )
            told = _legal(f"{finding.message}\n\n{finding.why}\n\n{finding.instead}".rstrip())
            if finding.level in _FAILS:
                failure = ElementTree.SubElement(
                    case, "failure", type=finding.level, message=_legal(finding.message)
                )
                failure.text = told
            else:
                ElementTree.SubElement(case, "system-out").text = told
    if not shown.findings:
        suite = ElementTree.SubElement(
            root, "testsuite", name="trueup lint", tests="1", failures="0", errors="0"
        )
        ElementTree.SubElement(
            suite, "testcase", name=f"{shown.files} files", classname="trueup lint"
        )
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False)


def _legal(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
