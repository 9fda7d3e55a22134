"""The same small service on SQLAlchemy, on psycopg by hand and on pyorm: lines, queries, time."""

from __future__ import annotations

import ast
import gc
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from bench.support import Bench
from pyorm import ModelStatus
from pyorm.ddl import create_table

from .services import with_pyorm

NAMES = ("sqlalchemy", "psycopg", "pyorm")
ROUNDS = 5
TURNS = 200


def measure(bench: Bench) -> None:
    for name in NAMES:
        try:
            module = importlib.import_module(f"bench.pyorm.services.with_{name}")
        except ImportError:
            bench.figure(f"service on {name}: not installed", 0)
            continue
        database = bench.empty_database()
        dsn = bench.server.dsn(database)
        create(dsn)
        bench.figure(f"service on {name}: lines", lines(Path(str(module.__file__))))
        service = module.Service(dsn)
        bench.figure(f"service on {name}: queries of five calls", queries(service))
        for part, seconds in times(dsn, module, service).items():
            bench.figure(f"service on {name}: {part}", seconds * 1e3, "ms")
        del service
        gc.collect()
        bench.server.drop_database(database)


def create(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        for entity in (with_pyorm.Model, with_pyorm.Request):
            connection.execute(create_table(entity).encode())


def lines(path: Path) -> int:
    """The lines of code: no blank ones, comments, docstrings or imports."""
    text = path.read_text()
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        imports = isinstance(node, ast.Import | ast.ImportFrom)
        if imports or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            assert isinstance(node, ast.stmt)
            left_out |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    numbered = enumerate(text.splitlines(), 1)
    return sum(
        1
        for number, line in numbered
        if line.strip() and not line.strip().startswith("#") and number not in left_out
    )


def use(service: Any, number: int) -> None:
    """Five calls, as five requests of a client make them."""
    model = service.add(f"model-{number}", "OPENAI", ["CHAT", "COMPLETION"])
    found = service.get(str(model.id))
    page = service.page("ACTIVE", None, 20)
    service.page("ACTIVE", page.next, 20)
    changed = service.set_status(str(model.id), "INACTIVE")
    if found.model_id != model.model_id or changed.status is not ModelStatus.INACTIVE:
        raise RuntimeError("the service does not do what it should")


def queries(service: Any) -> int:
    """How many statements psycopg sent for them, those of its transactions included."""
    sent = 0
    originals: dict[str, Callable[..., Any]] = {
        "execute": psycopg.Cursor.execute,
        "_exec_command": psycopg.Connection._exec_command,
    }

    def execute(self: Any, *args: Any, **options: Any) -> Any:
        nonlocal sent
        sent += 1
        status = self.connection.pgconn.transaction_status
        if status == psycopg.pq.TransactionStatus.IDLE and not self.connection.autocommit:
            sent += 1  # psycopg's own BEGIN
        return originals["execute"](self, *args, **options)

    def exec_command(self: Any, command: Any, *args: Any, **options: Any) -> Any:
        nonlocal sent
        if command in (b"COMMIT", b"ROLLBACK"):
            sent += 1
        return originals["_exec_command"](self, command, *args, **options)

    service.add("warm", "OPENAI", [])
    psycopg.Cursor.execute = execute  # type: ignore[method-assign]
    psycopg.Connection._exec_command = exec_command  # type: ignore[method-assign]
    try:
        use(service, -1)
    finally:
        psycopg.Cursor.execute = originals["execute"]  # type: ignore[method-assign]
        psycopg.Connection._exec_command = originals["_exec_command"]  # type: ignore[method-assign]
    return sent


def times(dsn: str, module: Any, service: Any) -> dict[str, float]:
    """The best of several rounds: of five calls, of a bulk load and of reading it."""
    best: dict[str, float] = {}

    def best_of(name: str, call: Callable[[], Any], turns: int = 1) -> None:
        gc.collect()
        begun = time.perf_counter()
        for _ in range(turns):
            call()
        taken = (time.perf_counter() - begun) / turns
        best[name] = min(best.get(name, taken), taken)

    model = service.add("bulk", "OPENAI", [])
    number = 0

    def five_calls() -> None:
        nonlocal number
        number += 1
        use(service, number)

    with psycopg.connect(dsn, autocommit=True) as connection:
        for _ in range(ROUNDS):
            best_of("five calls", five_calls, TURNS)
            connection.execute("TRUNCATE request")
            rows = [module.request(n, model) for n in range(20_000)]
            best_of("20,000 rows written", lambda rows=rows: service.load(rows))  # type: ignore[misc]
            del rows
            best_of("20,000 rows read", service.all_requests)
    return best
