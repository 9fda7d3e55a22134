"""Clients of the old or of the new contract, in a process of their own.

`python -m runner.demo.clients`: they read, join, insert, upsert, lock and count with prepared
statements until they get SIGTERM, then write one line of JSON for each transaction: when it
ended, how long it took, what it was, and the error if it failed. Meanwhile a file beside that one
says how many there are so far, and how many failed. A value in the other contract's
spelling is a failure too.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row


@dataclass(frozen=True, slots=True)
class Contract:
    """The statements of a service's release, and how it spells a value and an id."""

    spell: Callable[[str], str]
    key: Callable[[uuid.UUID], object]
    statements: dict[str, LiteralString]


_OLD: dict[str, LiteralString] = {
    "read": "SELECT id, model_id, provider, capabilities, status FROM models WHERE id = %(model)s",
    "find": """
        SELECT id, provider, success, created_at FROM requests
        WHERE created_at > now() - interval '5 minutes' AND provider = %(provider)s AND success
        ORDER BY created_at DESC LIMIT 5
    """,
    "join": """
        SELECT r.id, r.request_type, m.model_id, m.status
        FROM requests AS r JOIN models AS m ON m.id = r.model_id
        WHERE r.id = %(request)s
    """,
    "insert": """
        INSERT INTO requests
            (id, request_id, request_type, model_id, provider, request_data, success)
        VALUES (%(new)s, %(name)s, %(type)s, %(model)s, %(provider)s, '{"demo": true}', true)
        RETURNING id, request_type, provider
    """,
    "upsert": """
        INSERT INTO models (id, model_id, provider, capabilities)
        VALUES (%(new)s, 'demo-upsert', %(provider)s, ARRAY[%(type)s])
        ON CONFLICT (model_id) DO UPDATE SET provider = excluded.provider, updated_at = now()
        RETURNING id, provider, status
    """,
    "lock": "SELECT id, status FROM models WHERE model_id = 'demo-upsert' FOR UPDATE",
    "update": """
        UPDATE models SET status = %(status)s, updated_at = now() WHERE model_id = 'demo-upsert'
    """,
    "count": """
        UPDATE provider_quotas SET daily_tokens_used = daily_tokens_used + 1
        WHERE id = %(quota)s RETURNING provider
    """,
    "delete": "DELETE FROM requests WHERE id = %(new)s",
    # What a view would refuse.
    "group": """
        SELECT m.model_id, m.updated_at, count(r.id) FROM models AS m LEFT JOIN requests AS r
            ON r.model_id = m.id AND r.created_at > now() - interval '5 seconds'
        GROUP BY m.id
    """,
    "by constraint": """
        INSERT INTO models (id, model_id, provider, capabilities)
        VALUES (%(new)s, 'demo-upsert', %(provider)s, ARRAY[%(type)s])
        ON CONFLICT ON CONSTRAINT models_model_id_key DO NOTHING
    """,
    "copy": "COPY provider_quotas (id, provider) TO STDOUT",
}

_NEW: dict[str, LiteralString] = {
    "read": "SELECT id, model_id, provider, capabilities, status FROM model WHERE id = %(model)s",
    "find": """
        SELECT id, provider, success, created_at FROM request
        WHERE created_at > now() - interval '5 minutes' AND provider = %(provider)s AND success
        ORDER BY created_at DESC LIMIT 5
    """,
    "join": """
        SELECT r.id, r.request_type, m.model_id, m.status
        FROM request AS r JOIN model AS m ON m.id = r.model_id
        WHERE r.id = %(request)s
    """,
    "insert": """
        INSERT INTO request
            (id, request_id, request_type, model_id, provider, request_data, success)
        VALUES (%(new)s, %(name)s, %(type)s, %(model)s, %(provider)s, '{"demo": true}', true)
        RETURNING id, request_type, provider
    """,
    "upsert": """
        INSERT INTO model (id, model_id, provider, capabilities)
        VALUES (%(new)s, 'demo-upsert', %(provider)s, ARRAY[%(type)s])
        ON CONFLICT (model_id) DO UPDATE SET provider = excluded.provider, updated_at = now()
        RETURNING id, provider, status
    """,
    "lock": "SELECT id, status FROM model WHERE model_id = 'demo-upsert' FOR UPDATE",
    "update": """
        UPDATE model SET status = %(status)s, updated_at = now() WHERE model_id = 'demo-upsert'
    """,
    "count": """
        UPDATE provider_quota SET daily_tokens_used = daily_tokens_used + 1
        WHERE id = %(quota)s RETURNING provider
    """,
    "delete": "DELETE FROM request WHERE id = %(new)s",
}

CONTRACTS = {
    "old": Contract(str.lower, str, _OLD),
    "new": Contract(str.upper, lambda key: key, _NEW),
}

PROVIDERS = ("openai", "anthropic", "ollama", "custom")
TYPES = ("chat", "completion", "embedding")
STATUSES = ("active", "inactive", "deprecated")
_SPELLED = ("provider", "status", "request_type", "capabilities")

# A transaction: the statements that it runs, and how often it is picked.
_MIX: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("read", ("read",), 30),
    ("find", ("find",), 10),
    ("join", ("join",), 20),
    ("insert", ("insert",), 12),
    ("insert and delete", ("insert", "delete"), 6),
    ("upsert", ("upsert",), 6),
    ("lock and update", ("lock", "update"), 6),
    ("count", ("count",), 10),
)


# What only a release that has the table can send.
_TABLE_MIX: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("group by the key", ("group",), 4),
    ("upsert by constraint", ("by constraint",), 4),
    ("copy", ("copy",), 4),
)


class _WrongSpellingError(Exception):
    """A value came back in the other contract's spelling."""


class Client(threading.Thread):
    """One connection that runs transactions at a pace until it is told to stop.

    Args:
        dsn: the database.
        contract: the release's statements.
        models, requests: ids that exist, to read.
        quota: the id of the row that every client counts on.
        pause: seconds from the start of one transaction to the start of the next.
        stop: set to end.
        has_table: whether it sends what a view would refuse, too.
    """

    def __init__(
        self,
        dsn: str,
        contract: Contract,
        models: list[uuid.UUID],
        requests: list[uuid.UUID],
        quota: uuid.UUID,
        pause: float,
        stop: threading.Event,
        *,
        has_table: bool = False,
    ) -> None:
        super().__init__(daemon=True)
        self._dsn, self._contract, self._stop_event = dsn, contract, stop
        self._models, self._requests, self._quota = models, requests, quota
        self._pause = pause
        self._mix = _MIX + (_TABLE_MIX if has_table else ())
        self._random = random.Random()
        self.samples: list[tuple[float, float, str, str]] = []
        self.failed = 0

    def run(self) -> None:
        """Run transactions; an error is a sample, and a lost connection is opened again."""
        names, steps, weights = zip(*self._mix, strict=True)
        connection = self._connect()
        due = time.monotonic()
        while not self._stop_event.is_set():
            pick = self._random.choices(range(len(names)), weights)[0]
            begun, error = time.monotonic(), ""
            try:
                self._transaction(connection, steps[pick])
            except (psycopg.Error, _WrongSpellingError) as failure:
                error = f"{type(failure).__name__}: {failure}"
                self.failed += 1
                if connection.closed:
                    connection = self._connect()
            ended = time.monotonic()
            self.samples.append((ended, ended - begun, names[pick], error))
            due = max(due + self._pause, ended - 0.5)
            self._stop_event.wait(max(0.0, due - ended))
        connection.close()

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(
            self._dsn, autocommit=True, prepare_threshold=0, row_factory=dict_row
        )

    def _transaction(
        self, connection: psycopg.Connection[dict[str, Any]], steps: tuple[str, ...]
    ) -> None:
        spell, key, choose = self._contract.spell, self._contract.key, self._random.choice
        new = uuid.uuid4()
        values = {
            "new": key(new),
            "name": f"demo-{new}",
            "model": key(choose(self._models)),
            "request": key(choose(self._requests)),
            "quota": key(self._quota),
            "provider": spell(choose(PROVIDERS)),
            "type": spell(choose(TYPES)),
            "status": spell(choose(STATUSES)),
        }
        with connection.transaction():
            for step in steps:
                statement = self._contract.statements[step]
                if step == "copy":
                    with connection.cursor().copy(statement) as copied:
                        for _ in copied:
                            pass
                    continue
                cursor = connection.execute(statement, values)
                for row in cursor.fetchall() if cursor.description is not None else ():
                    self._check(row)

    def _check(self, row: dict[str, Any]) -> None:
        for column in _SPELLED:
            value = row.get(column)
            for text in value if isinstance(value, list) else [value]:
                if text is not None and text != self._contract.spell(text):
                    raise _WrongSpellingError(f"{column} came back as {text!r}")


def main() -> None:
    """Run clients until SIGTERM, then write their samples."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--contract", choices=sorted(CONTRACTS), required=True)
    parser.add_argument("--ids", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--has-table", action="store_true", help="send what a view refuses, too")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rate", type=float, default=100.0, help="transactions a second")
    options = parser.parse_args()

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    ids = json.loads(options.ids.read_text())
    clients = [
        Client(
            options.dsn,
            CONTRACTS[options.contract],
            [uuid.UUID(i) for i in ids["models"]],
            [uuid.UUID(i) for i in ids["requests"]],
            uuid.UUID(ids["quota"]),
            options.connections / options.rate,
            stop,
            has_table=options.has_table,
        )
        for _ in range(options.connections)
    ]
    gc.freeze()  # a full collection would be a latency of ours
    for client in clients:
        client.start()
    now = options.out.with_suffix(".now")
    while not stop.wait(0.5):
        heard = [sum(len(c.samples) for c in clients), sum(c.failed for c in clients)]
        now.with_suffix(".next").write_text(json.dumps(heard), encoding="utf-8")
        now.with_suffix(".next").replace(now)
    for client in clients:
        client.join(timeout=30)
    with options.out.open("w", encoding="utf-8") as out:
        for client in clients:
            out.writelines(json.dumps(sample) + "\n" for sample in client.samples)


if __name__ == "__main__":
    main()
