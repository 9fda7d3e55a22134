"""The page for scripts names each code, event, metric and variable that there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from runner.cli.manual import ENVIRONMENT, EXIT_CODES
from runner.execute import events, metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "scripts.md").read_text(encoding="utf-8")


def test_each_exit_code_is_there() -> None:
    told = re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)
    section = PAGE.partition("## Exit codes")[2].partition("## ")[0]
    assert re.findall(r"^\| (\d+) \|", section, re.MULTILINE) == told


@pytest.mark.parametrize("event", get_args(events.Event))
def test_each_event_is_there_with_its_fields(event: type) -> None:
    named = ", ".join(f"`{name}`" for name in inspect.signature(event).parameters)
    (line,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{event.__name__}` |"))
    assert line.endswith(f"| {named} |")


def test_each_metric_is_there() -> None:
    source = Path(metrics.__file__).read_text(encoding="utf-8")
    made = set(re.findall(r'"(trueup_\w+)"', source))
    section = PAGE.partition("## Metrics")[2].partition("Worth an alert")[0]
    assert made == {n.removesuffix("_total") for n in re.findall(r"`(trueup_\w+)`", section)}


def test_each_variable_is_there() -> None:
    read = {
        name
        for path in (ROOT / "runner").rglob("*.py")
        for name in re.findall(r'"(TRUEUP_[A-Z_]+)"', path.read_text(encoding="utf-8"))
    }
    section = PAGE.partition("## Environment")[2].partition("## ")[0]
    assert read == set(re.findall(r"`(TRUEUP_[A-Z_]+)`", section))
    assert set(re.findall(r"^  ([A-Z_]+)", ENVIRONMENT, re.MULTILINE)) == {
        *re.findall(r"^\| `([A-Z_]+)`", section, re.MULTILINE),
        "DATABASE_URL",
    }
