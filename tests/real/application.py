"""An application from PyPI: its venv, its schema, and its own client."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
VENVS = HERE.parents[1] / "build" / "real"
_INSTALL_SECONDS, _ROUND_SECONDS = 900, 120


class RealError(Exception):
    """What did not come out as it should, with all that is needed to see why."""


@dataclass
class Rounds:
    """What a client in a loop saw so far."""

    seen: list[list[str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Application:
    """One application.

    Args:
        name: of its folder, with requirements.txt and client.py.
        driver: of SQLAlchemy, for the URL that it takes; django for a dictionary; empty for
            key=value pairs.
        makes_indexes: whether it does so when it starts, so that it cannot start on a view.
        stamps: a table in which it notes when it last wrote.
    """

    name: str
    driver: str = ""
    makes_indexes: bool = False
    stamps: str = ""

    @property
    def python(self) -> Path:
        """The interpreter of its venv."""
        return VENVS / self.name / "bin" / "python"

    def install(self) -> None:
        """Make its venv with the pinned packages, once for each requirements.txt."""
        wanted = (HERE / self.name / "requirements.txt").read_text(encoding="utf-8")
        stamp = VENVS / self.name / "installed.txt"
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            return
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENVS / self.name], check=True)
        subprocess.run(
            [
                *(self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("-r", HERE / self.name / "requirements.txt"),
            ],
            check=True,
            timeout=_INSTALL_SECONDS,
        )
        stamp.write_text(wanted, encoding="utf-8")

    def make(self, host: str, database: str) -> None:
        """Let the application make its schema, with rows of its own."""
        done = subprocess.run(
            self._command(host, database, "make"),
            capture_output=True,
            text=True,
            timeout=_ROUND_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RealError(f"{self.name} could not make its schema:\n{done.stderr}")

    def once(self, host: str, database: str) -> list[str]:
        """What its client sees in one round."""
        done = subprocess.run(
            self._command(host, database, "once"),
            capture_output=True,
            text=True,
            timeout=_ROUND_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RealError(f"{self.name}'s client ended:\n{done.stderr}")
        found = json.loads(done.stdout)
        if "error" in found:
            raise RealError(f"{self.name}'s client failed:\n{found['trace']}")
        seen: list[str] = found["seen"]
        return seen

    @contextmanager
    def looping(self, host: str, database: str) -> Iterator[Rounds]:
        """Its client at work, one round after the other; at least two before and two after."""
        rounds = Rounds()
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(
                self._command(host, database, "loop"),
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=subprocess.DEVNULL,
            )
            try:
                _wait(said, 2)
                yield rounds
                _wait(said, _count(said) + 2)
            finally:
                process.communicate(timeout=_ROUND_SECONDS)
            said.seek(0)
            for line in said:
                found: dict[str, Any] = json.loads(line)
                if "error" in found:
                    rounds.errors.append(found["trace"])
                else:
                    rounds.seen.append(found["seen"])

    def _command(self, host: str, database: str, action: str) -> list[str | Path]:
        where: object = f"host={host} user=postgres dbname={database}"
        if self.driver == "django":
            where = {"HOST": host, "USER": "postgres", "NAME": database}
        elif self.driver:
            where = f"postgresql+{self.driver}://postgres@/{database}?host={host}"
        client = HERE / self.name / "client.py"
        return [self.python, HERE / "rounds.py", client, json.dumps(where), action]


def _count(said: Any) -> int:
    said.seek(0)
    return sum(1 for _ in said)


def _wait(said: Any, rounds: int) -> None:
    until = time.monotonic() + _ROUND_SECONDS
    while _count(said) < rounds:
        if time.monotonic() > until:
            raise RealError(f"the client did not come to {rounds} rounds")
        time.sleep(0.1)
