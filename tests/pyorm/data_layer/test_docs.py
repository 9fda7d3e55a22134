"""Every example of docs/data-layer.md, in its order, against a real database."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pyorm import Model
from pyorm.ddl import create_table

DOCS = Path("docs/data-layer.md")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore:.*is deprecated, write:DeprecationWarning")
def test_every_example_does_what_the_page_says(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(create_table(Model).encode())
    text = DOCS.read_text()
    names: dict[str, Any] = {"dsn": database, "__name__": "tutorial"}
    kinds = set()
    for block in BLOCK.finditer(text):
        kind, code = block[1], block[2]
        line = text[: block.start()].count("\n") + 2
        kinds.add(kind)
        if kind == "python":
            exec(compile("\n" * (line - 1) + code, str(DOCS), "exec", dont_inherit=True), names)
        elif kind == "pycon":
            check_session(code, names, line)
        elif kind == "console":
            check_console(code)
    assert {"python", "pycon", "console"} <= kinds
    names["connection"].close()


def check_session(code: str, names: dict[str, Any], line: int) -> None:
    session = doctest.DocTestParser().get_doctest(code, {}, DOCS.name, str(DOCS), line - 1)
    session.globs = names
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        runner.run(session, out=told.append, clear_globs=False)
    assert not told, "".join(told)


def check_console(code: str) -> None:
    command, _, expected = code.partition("\n")
    words = shlex.split(command.removeprefix("$ "))
    assert words[0] == "python"
    done = subprocess.run(
        [sys.executable, *words[1:]], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == expected
