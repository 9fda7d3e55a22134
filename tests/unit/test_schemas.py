"""JSON schemas of the files that people write, for their editors."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from runner import fleet
from runner.cli import cli
from runner.errors import UsageError
from runner.standard.load import ENUM_KEYS, TABLE_KEYS
from runner.standard.schema import schema

DOCS = Path(__file__).parents[2] / "docs"
PUBLISHED = {
    "standard": DOCS / "schemas" / "standard.schema.json",
    "fleet": DOCS / "schemas" / "fleet.schema.json",
    "settings": DOCS / "trueup.schema.json",
}


@pytest.mark.parametrize("file", sorted(PUBLISHED))
def test_what_is_published_is_what_the_command_prints(file: str) -> None:
    printed = CliRunner().invoke(cli, ["schema", file]).output
    path = PUBLISHED[file]
    if os.environ.get("UPDATE"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(printed, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == printed, "run it with UPDATE=1"
    assert json.loads(printed)["title"].startswith("trueup")


def test_the_schema_of_a_standard_knows_the_keys_that_are_read() -> None:
    known = schema()["properties"]
    assert set(known["table"]["additionalProperties"]["properties"]) == TABLE_KEYS
    assert set(known["enum"]["additionalProperties"]["properties"]) == ENUM_KEYS
    inside = known["schema"]["additionalProperties"]["additionalProperties"]
    assert set(inside["properties"]) == TABLE_KEYS


def test_the_schema_of_a_fleet_knows_the_keys_that_are_read(tmp_path: Path) -> None:
    keys = fleet.schema()["properties"]["database"]["items"]["properties"]
    path = tmp_path / "fleet.toml"
    values = {"name": '"a"', "dsn": '"dbname=a"', "canary": "true"}
    lines = [f"{key} = {values[key]}" for key in keys if key in values]
    path.write_text("\n".join(["[[database]]", *lines]), encoding="utf-8")
    assert fleet.read_fleet(path)[0].canary
    path.write_text('[[database]]\nname = "a"\nother = 1\n', encoding="utf-8")
    with pytest.raises(UsageError, match="unknown key other"):
        fleet.read_fleet(path)
