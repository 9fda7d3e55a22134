"""docs/alembic.md, command by command and file by file."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL
from support.databases import DatabaseFactory
from support.pages import commands, matches

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "alembic.md").read_text(encoding="utf-8")
TICKETS = ROOT / "tests" / "services" / "tickets"
COMMANDS = {
    "alembic": [sys.executable, "-m", "alembic"],
    "trueup": [sys.executable, "-m", "runner"],
}


class Shell:
    """A shell in the service's folder, and the databases that the page names."""

    def __init__(self, folder: Path, databases: list[str]) -> None:
        self.folder = folder
        self.databases = iter(databases)
        self.dsn = ""

    def use_next_database(self) -> None:
        self.dsn = next(self.databases)

    def run(self, command: str) -> tuple[int, str, str]:
        found = {key: str(value) for key, value in conninfo_to_dict(self.dsn).items()}
        url = URL.create(
            "postgresql+psycopg",
            username=found["user"],
            password=found.get("password"),
            database=found["dbname"],
            query={"host": found["host"], "port": found["port"]},
        ).render_as_string(hide_password=False)
        name, *arguments = shlex.split(command)
        environment = {k: v for k, v in os.environ.items() if k != "TRUEUP_DSN"}
        done = subprocess.run(
            [*COMMANDS[name], *arguments],
            cwd=self.folder,
            env={**environment, "DATABASE_URL": url, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def shell(tmp_path: Path, database_factory: DatabaseFactory) -> Shell:
    folder = tmp_path / "tickets"
    shutil.copytree(TICKETS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    live, new = database_factory(), database_factory()
    shell = Shell(folder, [live, live, new])
    shell.use_next_database()
    code, _, said = shell.run("alembic upgrade head")
    assert code == 0, said
    with psycopg.connect(live) as connection:
        connection.execute((TICKETS / "rows.sql").read_bytes())
    return shell


def steps(page: str) -> Iterator[tuple[str, str]]:
    """Files that the page shows, by their name, and commands with what they print."""
    for kind, block in re.findall(r"^```(\w+)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        if kind == "console":
            for command, output in commands(block):
                yield f"$ {command}", output
        else:
            first, _, text = block.partition("\n")
            yield first.removeprefix("# "), text


def rows(dsn: str) -> list[list[tuple[object, ...]]]:
    with psycopg.connect(dsn) as connection:
        return [
            connection.execute(f"SELECT to_jsonb(t) FROM {table} AS t ORDER BY id").fetchall()
            for table in ("customers", "tickets")
        ]


def test_the_page_is_true(shell: Shell) -> None:
    live = shell.dsn
    before = rows(live)
    for step, text in steps(PAGE):
        if step.startswith("$ export "):
            shell.use_next_database()
        elif not step.startswith("$ "):
            target = shell.folder / step
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.name == "standard.toml":
                assert "alembic_version" not in target.read_text(encoding="utf-8")
            target.write_text(text, encoding="utf-8")
        else:
            if step == "$ alembic downgrade 0003":
                shell.dsn = live
            code, printed, said = shell.run(step.removeprefix("$ "))
            refused = text.startswith("first: ")
            assert (code != 0) == refused, f"{step}: {said}"
            assert matches(text, said if refused else printed), f"{step} printed:\n{printed}{said}"
    assert shell.dsn == live
    assert rows(live) == before
