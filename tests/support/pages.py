"""Pages as their reader follows them: commands are run, files are written, output is compared.

A comment above a block says what becomes of it:

    <!-- run -->                         its commands are run, one after the other
    <!-- run on: an existing service -->  the same, on another database from here on
    <!-- file: NAME -->                  it is written to this file
    <!-- part of: NAME -->               it stands in this file, word for word
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^<!-- ([^>]+) -->\n```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_URL = re.compile(r"postgresql(\+\w+)?://[^\s]+")


@dataclass(frozen=True)
class Step:
    """A block of a page that is marked.

    Args:
        what: run, run on, file, part of.
        name: the database or the file.
        text: the block.
    """

    what: str
    name: str
    text: str


def steps(page: str) -> Iterator[Step]:
    """The marked blocks of a page, in their order."""
    for mark, text in _BLOCK.findall(page):
        what, _, name = mark.partition(": ")
        yield Step(what, name, text)


def commands(block: str) -> list[tuple[str, str]]:
    """Each command of a console block with the output that stands under it.

    Where no line begins with a prompt, every line is a command; a backslash continues it.
    """
    block = block.replace("\\\n", " ")
    if "$ " not in block:
        return [(line, "...\n") for line in block.splitlines() if line and line[0] != "#"]
    found = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        found.append((command, output))
    return found


def matches(expected: str, found: str) -> bool:
    """Whether the output is as the page shows it; a line of three dots stands for any lines."""
    pattern = re.escape(expected).replace(re.escape("...\n"), "(?s:.*)")
    return re.fullmatch(pattern, found) is not None


class Reader:
    """Somebody who follows a page.

    Args:
        folder: where.
        databases: gives the DSN of a new database, by what the page says of it.
    """

    def __init__(self, folder: Path, databases: Callable[[str], str]) -> None:
        self._folder, self._databases = folder, databases
        self._dsn = ""

    def follow(self, page: str) -> int:
        """Do what the page says.

        Returns:
            How many commands were run.

        Raises:
            AssertionError: when a command fails, or prints something else.
        """
        number = 0
        for step in steps(page):
            if step.what == "file":
                target = self._folder / step.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(step.text, encoding="utf-8")
            elif step.what == "part of":
                assert step.text in (self._folder / step.name).read_text(encoding="utf-8")
            elif step.what in ("run", "run on"):
                if step.name:
                    self._dsn = self._databases(step.name)
                for command, expected in commands(step.text):
                    printed = self._run(command)
                    assert matches(expected, printed), f"{command} printed:\n{printed}"
                    number += 1
            else:
                raise AssertionError(f"no page can say {step.what!r}")
        return number

    def _run(self, command: str) -> str:
        words = shlex.split(command, comments=True)
        if words[0] == "export":
            return ""
        if words[0] == "createdb":
            self._dsn = self._databases("an empty database")
            return ""
        if words[0] == "psql":
            return self._psql(words)
        if words[0] == "trueup":
            program = [sys.executable, "-m", "runner"]
            if "contract" in words and "--waiting-period" not in words:
                words += ["--waiting-period", "0s"]  # a test does not wait for a day
        else:
            program = [str(Path(sys.executable).with_name(words[0]))]
            words = [_URL.sub(lambda found: self._url(found[1] or ""), word) for word in words]
        done = subprocess.run(
            [*program, *words[1:]],
            cwd=self._folder,
            env={**os.environ, "TRUEUP_DSN": self._dsn, "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def _psql(self, words: list[str]) -> str:
        """What psql would do: its files, and the first value of its commands."""
        printed = ""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            for option, value in pairwise(words):
                if option == "--file":
                    connection.execute((self._folder / value).read_bytes())
                elif option == "--command":
                    printed += f"{connection.execute(value.encode()).fetchone()}\n"
        return printed

    def _url(self, driver: str) -> str:
        found = {key: str(value) for key, value in conninfo_to_dict(self._dsn).items()}
        return URL.create(
            f"postgresql{driver}",
            username=found["user"],
            password=found.get("password"),
            database=found["dbname"],
            query={"host": found["host"], "port": found["port"]},
        ).render_as_string(hide_password=False)
