"""One build of a service runs before, during and after its migration, and back."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import uvicorn

from pyorm import ModelProvider, ProviderQuota, Repository

from .app import create_app

SERVICE = Path("sql/model_orchestration")


@contextmanager
def serving(dsn: str) -> Iterator[str]:
    """The service behind a port of the loopback; yields its URL."""
    config = uvicorn.Config(create_app(dsn), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the service did not start"
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


def trueup(*arguments: str, dsn: str) -> None:
    done = run_trueup(*arguments, dsn=dsn)
    assert done.returncode == 0, done.stdout + done.stderr


def run_trueup(*arguments: str, dsn: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runner", *arguments, "--dsn", dsn, "--service", str(SERVICE)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def contract_once_allowed(dsn: str) -> None:
    """Ask again, as an operator does, until the odometer rests: the service left the old names."""
    deadline = time.monotonic() + 30
    while True:
        done = run_trueup("apply", "--to", "contract", "--waiting-period", "1s", dsn=dsn)
        if done.returncode == 0:
            return
        assert "may still be in use" in done.stderr, done.stderr
        assert time.monotonic() < deadline, f"still in use: {done.stderr}"
        time.sleep(0.5)


class Clients:
    """Clients that use every endpoint all the time, and what they were answered."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: Counter[tuple[str, int]] = Counter()
        self.wrong: list[str] = []
        self.tokens = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def work(self, number: int) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as http:
            for turn in itertools.count():
                if self._stop.is_set():
                    return
                self._turn(http, f"m-{number}-{turn}")

    def _turn(self, http: httpx.Client, name: str) -> None:
        new = {"model_id": name, "provider": "OPENAI", "capabilities": ["CHAT"]}
        model = self._check("add", http.post("/models", json=new), 201)
        if not model:
            return
        path = f"/models/{model['id']}"
        read = self._check("get", http.get(path), 200)
        if read != model:
            self.wrong.append(f"{read} is not {model}")
        changed = self._check("change", http.patch(path, json={"status": "INACTIVE"}), 200)
        if changed.get("status") != "INACTIVE":
            self.wrong.append(f"not changed: {changed}")
        listed = self._check("list", http.get("/models", params={"status": "INACTIVE"}), 200)
        if any(item["status"] != "INACTIVE" for item in listed.get("items", [])):
            self.wrong.append(f"not filtered: {listed}")
        sent = {"request_id": str(uuid4()), "model": model["id"], "type": "CHAT", "tokens": 3}
        if self._check("request", http.post("/requests", json=sent), 201):
            with self._lock:
                self.tokens += 3
        self._check("twice", http.post("/models", json=new), 409)
        self._check("missing", http.get(f"/models/{uuid4()}"), 404)

    def _check(self, what: str, answer: httpx.Response, expected: int) -> dict[str, Any]:
        with self._lock:
            self.answers[what, answer.status_code] += 1
        if answer.status_code != expected:
            self.wrong.append(f"{what}: {answer.status_code} {answer.text}")
            return {}
        found: dict[str, Any] = answer.json()
        return found

    @contextmanager
    def running(self, count: int) -> Iterator[None]:
        with ThreadPoolExecutor(count) as threads:
            working = [threads.submit(self.work, number) for number in range(count)]
            try:
                yield
            finally:
                self._stop.set()
                for each in working:
                    each.result(60)


@pytest.mark.parametrize("strategy", ["online", "window"])
def test_no_request_fails_while_the_database_goes_there_and_back(
    database: str, strategy: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute((SERVICE / "legacy/0001_baseline_legacy_schema.sql").read_bytes())
        quotas = Repository(ProviderQuota, connection, contract="auto")
        quotas.add(ProviderQuota(provider=ModelProvider.OPENAI))
        trueup("baseline", dsn=database)

        with serving(database) as url:
            clients = Clients(url)
            with clients.running(3):
                for step in there_and_back(strategy, database):
                    time.sleep(1.5)
                    step()
                    assert not clients.wrong
                time.sleep(1.5)

        assert clients.wrong == []
        turns = clients.answers["missing", 404]
        assert turns > 20
        (quota,) = quotas.find()
        assert quota.daily_tokens_used == clients.tokens
        stored = connection.execute("SELECT count(*) FROM requests").fetchone()
        assert stored == (clients.tokens // 3,)


def there_and_back(strategy: str, dsn: str) -> Iterator[Callable[[], None]]:
    with_strategy = ("--strategy", strategy)
    if strategy == "window":
        yield lambda: trueup("apply", *with_strategy, dsn=dsn)
        yield lambda: trueup("rollback", "--to", "baseline", *with_strategy, dsn=dsn)
        return
    yield lambda: trueup("apply", "--to", "expand", dsn=dsn)
    yield lambda: trueup("apply", "--to", "enforce", dsn=dsn)
    yield lambda: trueup("apply", "--to", "switch", dsn=dsn)
    yield lambda: trueup("rollback", "--to", "enforce", dsn=dsn)
    yield lambda: trueup("rollback", "--to", "baseline", dsn=dsn)
    yield lambda: trueup("apply", "--to", "switch", dsn=dsn)
    yield lambda: contract_once_allowed(dsn)
    yield lambda: trueup("rollback", "--to", "baseline", dsn=dsn)
