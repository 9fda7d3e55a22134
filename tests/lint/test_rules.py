"""Every rule flags its own bad examples and lets its good ones pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.lint import all_rules, lint, registry
from runner.lint.docs import LOOKS_FILE, write_example, written_looks
from runner.lint.looks import LOOKS
from runner.lint.model import Rule
from runner.lint.parser import must_be_quoted
from runner.lint.rules.alter_column_type import keeps_rows

RULES = all_rules()
FLAGGED = [(rule, example) for rule in RULES for example in rule.flagged]
PASSED = [(rule, example) for rule in RULES for example in rule.passed]


def _id(value: object) -> str:
    return value.name if isinstance(value, Rule) else ""


def _rules_that_speak(folder: Path, example: str) -> set[str]:
    write_example(folder, example)
    return {finding.rule for finding in lint([folder]).findings}


@pytest.mark.parametrize(("rule", "example"), FLAGGED, ids=_id)
def test_a_rule_flags_its_bad_example(rule: Rule, example: str, tmp_path: Path) -> None:
    assert rule.name in _rules_that_speak(tmp_path, example)


@pytest.mark.parametrize(("rule", "example"), PASSED, ids=_id)
def test_a_rule_lets_its_good_example_pass(rule: Rule, example: str, tmp_path: Path) -> None:
    assert rule.name not in _rules_that_speak(tmp_path, example)


@pytest.mark.parametrize("rule", RULES, ids=_id)
def test_a_rule_is_complete(rule: Rule) -> None:
    module = rule.name.replace("-", "_")
    assert (Path("runner/lint/rules") / f"{module}.py").is_file()
    assert rule.flagged
    assert rule.passed
    assert rule.why.endswith(".")
    assert rule.step or rule.script or rule.chain
    assert bool(rule.step) == bool(rule.verbs)


def test_a_run_knows_which_rules_look_at_what_without_reading_them() -> None:
    assert LOOKS_FILE.read_text("utf-8") == written_looks(), "run: python -m runner.lint.docs docs"


def test_a_rule_that_is_not_listed_yet_looks_at_everything_it_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a.sql").write_text("DROP TABLE customers;\n", encoding="utf-8")
    without = {what: names.replace("drop-table", "") for what, names in LOOKS.items()}
    for found in (registry.step_rules, registry._not_listed):
        found.cache_clear()
    monkeypatch.setattr(registry, "LOOKS", without)
    try:
        assert "drop-table" in {finding.rule for finding in lint([tmp_path]).findings}
    finally:
        registry.step_rules.cache_clear()
        registry._not_listed.cache_clear()


@pytest.mark.parametrize(("rule", "example"), FLAGGED, ids=_id)
def test_the_safe_way_names_the_objects(rule: Rule, example: str, tmp_path: Path) -> None:
    write_example(tmp_path, example)
    for finding in lint([tmp_path]).findings:
        assert not re.search(r"\{[a-z]+\}", finding.instead), finding.instead


@pytest.mark.parametrize(
    "reserved", ["order", "user", "group", "table", "left", "end", "desc", "analyse"]
)
def test_names_that_need_quotes(reserved: str) -> None:
    assert must_be_quoted(reserved)


@pytest.mark.parametrize("free", ["position", "time", "name", "value", "Order", "zwölf", "a b", ""])
def test_names_that_need_none_are_not_called_key_words(free: str) -> None:
    assert not must_be_quoted(free)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("varchar(50)", "varchar(100)"),
        ("varchar(50)", "varchar"),
        ("varchar(50)", "text"),
        ("text", "varchar"),
        ("numeric(10,2)", "numeric(12,2)"),
        ("numeric(10,2)", "numeric"),
        ("timestamptz(3)", "timestamptz(6)"),
        ("timestamp(0)", "timestamp"),
        ("cidr", "inet"),
    ],
)
def test_types_that_change_in_the_catalog_alone(old: str, new: str) -> None:
    assert keeps_rows(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("varchar(50)", "varchar(20)"),
        ("text", "varchar(50)"),
        ("numeric(10,2)", "numeric(12,4)"),
        ("numeric", "numeric(12,4)"),
        ("integer", "bigint"),
        ("timestamp", "timestamptz"),
        ("timestamptz(6)", "timestamptz(3)"),
        ("char(5)", "text"),
        ("inet", "cidr"),
    ],
)
def test_types_that_rewrite_the_table(old: str, new: str) -> None:
    assert not keeps_rows(old, new)


def test_the_house_sql_passes_with_one_suppression() -> None:
    report = lint([Path("sql")])
    assert report.files > 90
    assert [f"{f.path}:{f.line} {f.rule} {f.message}" for f in report.findings] == []
    files = [path.read_text("utf-8") for path in Path("sql").rglob("*.sql")]
    ignored = [line for text in files for line in text.splitlines() if "trueup: ignore" in line]
    assert ignored == ["-- trueup: ignore unlogged-table because a crash must empty it"]
