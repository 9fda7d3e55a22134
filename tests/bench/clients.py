"""The demo's clients as a load: a process of old or new ones, and what they saw."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, LiteralString

import psycopg


@dataclass(frozen=True, slots=True)
class Sample:
    """One transaction: its end on the monotonic clock, its seconds, its kind, its error."""

    ended: float
    seconds: float
    name: str
    error: str


def write_ids(dsn: str, folder: Path) -> None:
    """Pick the rows that the clients work on; the database is at the old contract."""
    queries: dict[str, LiteralString] = {
        "models": "SELECT id FROM public.models LIMIT 2000",
        "requests": "SELECT id FROM public.requests LIMIT 2000",
        "quota": "SELECT id FROM public.provider_quotas LIMIT 1",
    }
    with psycopg.connect(dsn) as connection:
        ids = {name: [row[0] for row in connection.execute(q)] for name, q in queries.items()}
    content = {**ids, "quota": ids["quota"][0]}
    (folder / "ids.json").write_text(json.dumps(content), encoding="utf-8")


class Clients:
    """A process with clients of one contract.

    Args:
        contract: old or new.
        dsn: the database.
        folder: holds ids.json, and takes what they saw.
        rate: transactions a second, all connections together.
        connections: how many.
    """

    def __init__(
        self,
        contract: Literal["old", "new"],
        dsn: str,
        folder: Path,
        *,
        rate: float,
        connections: int,
    ) -> None:
        self.samples: list[Sample] = []
        self._out = folder / f"{contract}-{time.monotonic_ns()}.jsonl"
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "runner.demo.clients"),
                *("--dsn", dsn, "--contract", contract),
                *("--ids", str(folder / "ids.json"), "--out", str(self._out)),
                *("--rate", str(rate), "--connections", str(connections)),
            ],
            stdin=subprocess.DEVNULL,
        )

    def stop(self) -> list[Sample]:
        """Stop them and read what they saw."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)
        with self._out.open(encoding="utf-8") as lines:
            self.samples = [Sample(*json.loads(line)) for line in lines]
        return self.samples

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@contextmanager
def clients(
    contract: Literal["old", "new"],
    dsn: str,
    folder: Path,
    *,
    rate: float = 100,
    connections: int = 4,
) -> Iterator[Clients]:
    """Clients that run within the context, and are stopped, or killed on an error, at its end."""
    running = Clients(contract, dsn, folder, rate=rate, connections=connections)
    try:
        yield running
        if running._process.poll() is None:
            running.stop()
    finally:
        running.kill()


def acknowledged(samples: list[Sample]) -> int:
    """How many increments of the counter the clients saw succeed."""
    return sum(s.name == "count" and not s.error for s in samples)
