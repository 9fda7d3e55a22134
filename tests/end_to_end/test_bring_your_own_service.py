"""docs/bring-your-own-service.md, command by command."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from support.pages import commands, matches

from runner.catalog import diff, read_catalog

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bring-your-own-service.md").read_text(encoding="utf-8")
PLANNING = ROOT / "tests" / "services" / "planning"


def rows(dsn: str) -> dict[str, list[str]]:
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace AND relname NOT LIKE '%yoyo%' ORDER BY 1"
        ).fetchall()
        return {
            name: sorted(str(r) for r in connection.execute(f"SELECT to_jsonb(t) FROM {name} AS t"))
            for (name,) in tables
        }


@pytest.fixture
def planning(database: str) -> str:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute((PLANNING / "schema.sql").read_bytes())
    return database


def test_the_page_is_true(planning: str, tmp_path: Path) -> None:
    with psycopg.connect(planning) as connection:
        before = read_catalog(connection)
    rows_before = rows(planning)
    environment = {**os.environ, "TRUEUP_DSN": planning, "COLUMNS": "200"}
    trueup = f"{sys.executable} -m runner"
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for command, expected in [step for block in blocks for step in commands(block)]:
        if command.startswith("export "):
            continue
        done = subprocess.run(
            shlex.split(command.replace("trueup", trueup, 1)),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert matches(expected, done.stdout), f"{command} printed:\n{done.stdout}"
        standard = tmp_path / "sql" / "planning" / "standard.toml"
        if command.startswith("trueup propose"):
            proposed = standard.read_text(encoding="utf-8")
            decided = (PLANNING / "standard.toml").read_text(encoding="utf-8")
            toml = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
            assert toml[0] in proposed
            assert all(block in decided for block in toml[1:])
            standard.write_text(decided, encoding="utf-8")
    with psycopg.connect(planning) as connection:
        after = read_catalog(connection)
    ours = {"_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock"}
    left = [
        d
        for d in diff(before, after, column_order=False)
        if not any(name in d.object for name in ours)
    ]
    assert left == []
    assert rows(planning) == rows_before
