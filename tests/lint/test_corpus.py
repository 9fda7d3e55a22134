"""The labelled corpus: what lint catches of it, and what it says without a reason.

A forward file says in a comment what is expected: `expect: RULE...`, or `expect: safe`. Every
expected rule must speak, and a rule that speaks and is not expected is a false alarm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.lint import lint

CORPUS = Path(__file__).parent / "corpus"
_EXPECT = re.compile(r"expect: ([a-z0-9 -]+?)\s*(?:\*/)?$", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """What was expected of a file, and what lint said."""

    path: Path
    labelled: bool
    expected: frozenset[str]
    found: frozenset[str]


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    report = lint([CORPUS], with_squawk=False)
    found: dict[Path, set[str]] = {}
    for finding in report.findings:
        found.setdefault(finding.path, set()).add(finding.rule)
    judged = []
    for path in sorted(CORPUS.rglob("*.sql")):
        match = _EXPECT.search(path.read_text("utf-8"))
        expected = frozenset(match[1].split()) - {"safe"} if match else frozenset()
        said = frozenset(found.get(path, ()))
        judged.append(Verdict(path, match is not None, expected, said))
    return judged


def test_the_corpus_is_large_and_labelled(verdicts: list[Verdict]) -> None:
    labelled = [v for v in verdicts if v.labelled]
    assert len(labelled) >= 60
    layouts = {v.path.relative_to(CORPUS).parts[1] for v in labelled}
    assert layouts == {"yoyo", "dbmate", "flyway", "sqitch", "plain"}


def test_at_least_95_percent_caught_with_at_most_5_percent_false_alarms(
    verdicts: list[Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    hazards = [v for v in verdicts if v.expected]
    caught = [v for v in hazards if v.expected <= v.found]
    safe = [v for v in verdicts if v.labelled and not v.expected]
    others = [v for v in verdicts if not v.labelled]
    alarmed = [v for v in safe if v.found]
    beyond = [v for v in hazards if v.found - v.expected]
    with capsys.disabled():
        print(
            f"\nlint corpus: {len(caught)} of {len(hazards)} hazards caught; "
            f"{len(alarmed)} of {len(safe)} safe files alarmed; "
            f"{sum(bool(v.found) for v in others)} of {len(others)} rollback files alarmed; "
            f"{len(beyond)} hazards with a finding beyond their label"
        )
        for verdict in [v for v in hazards if v not in caught]:
            name = verdict.path.relative_to(CORPUS)
            print(f"  missed: {name}: {', '.join(sorted(verdict.expected - verdict.found))}")
        for verdict in (*alarmed, *beyond):
            name = verdict.path.relative_to(CORPUS)
            print(f"  alarm: {name}: {', '.join(sorted(verdict.found - verdict.expected))}")
    assert len(caught) >= 0.95 * len(hazards)
    assert len(alarmed) <= 0.05 * len(safe)
    assert len(beyond) <= 0.05 * len(hazards)
    assert not [v for v in others if v.found]


def test_one_file_alone_gets_the_findings_it_gets_with_all(verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        alone = lint([verdict.path], with_squawk=False)
        assert {finding.rule for finding in alone.findings} == set(verdict.found), verdict.path
