"""Runs of trueup that fail on order: `python -m faults.failing_runs`, driven by `FailingRuns`.

One process imports trueup once and forks a child for each run, because a test of every boundary
needs a thousand of them. Each round trip to the server is counted; before the chosen one the fault
happens. Product code knows nothing of it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import psycopg

Kind = Literal["kill", "term", "answered", "disconnect", "terminate", "none"]
_SECONDS = 60


@dataclass(frozen=True)
class Order:
    """One run.

    Args:
        arguments: of the trueup command.
        dsn: the database.
        fault: kill and term are signals to the run; answered is a term that comes together with the
            server's answer; disconnect cuts its socket; terminate ends its session from the
            server's side.
        at: the round trip before which it happens, from 0; answered happens after it.
    """

    arguments: list[str]
    dsn: str
    fault: Kind = "none"
    at: int = -1


@dataclass(frozen=True)
class Ended:
    """What became of a run.

    Args:
        exit_code: minus the signal's number when one ended it.
        first_file: how many round trips there were before the first file.
        calls: how many there were in all.
        errors: what it wrote to standard error.
    """

    exit_code: int
    first_file: int
    calls: int
    errors: str


class FailingRuns:
    """The process that forks the runs."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.failing_runs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )

    def run(self, order: Order) -> Ended:
        """Run one, to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process that forks the runs has ended"
        return Ended(**json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


class _Counter:
    """Counts round trips of the run's sessions, and makes the fault happen.

    Args:
        order: which fault, and when.
        told: takes the counts, in a place that outlives the process.
    """

    def __init__(self, order: Order, told: int) -> None:
        self._order, self._told = order, told
        self._calls, self._first_file = 0, -1
        self._wait = psycopg.Connection.wait

    def install(self) -> None:
        from runner.execute.executor import Executor

        execute = Executor.execute
        counter = self

        def wait(connection: psycopg.Connection[Any], *arguments: Any, **options: Any) -> Any:
            name = connection.info.parameter_status("application_name") or ""
            counted = name.startswith("trueup-") and not name.endswith(" observer")
            due = counted and counter.before_call(connection)
            answer = counter._wait(connection, *arguments, **options)
            if due and counter._order.fault == "answered":
                os.kill(os.getpid(), signal.SIGTERM)
            return answer

        def execute_file(executor: Executor, *arguments: Any) -> None:
            if counter._first_file < 0:
                counter._first_file = counter._calls
            execute(executor, *arguments)

        psycopg.Connection.wait = wait  # type: ignore[method-assign,assignment]
        Executor.execute = execute_file  # type: ignore[method-assign,assignment]

    def before_call(self, connection: psycopg.Connection[Any]) -> bool:
        due = self._calls == self._order.at
        self._calls += 1
        os.pwrite(self._told, json.dumps([self._first_file, self._calls]).encode(), 0)
        if not due:
            return False
        match self._order.fault:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "term":
                os.kill(os.getpid(), signal.SIGTERM)
            case "disconnect":
                with socket.socket(fileno=os.dup(connection.fileno())) as wire:
                    wire.shutdown(socket.SHUT_RDWR)
            case "terminate":
                with psycopg.connect(self._order.dsn, autocommit=True) as other:
                    other.execute(
                        "SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid]
                    )
        return True


def _child(order: Order, told: int, errors: int) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(errors, 2)
    signal.alarm(_SECONDS)  # whatever happens, the test goes on
    from runner import cli

    _Counter(order, told).install()
    os.environ["TRUEUP_DSN"] = order.dsn
    sys.argv = ["trueup", *order.arguments]
    code = 1
    try:
        cli.main()
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(done.code is not None)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _serve() -> None:
    # Imported once, for all runs.
    from runner import cli  # noqa: F401
    from runner.execute import engine, executor, listeners  # noqa: F401
    from runner.ledger import lock, privileges, rules, selection  # noqa: F401

    for line in sys.stdin:
        order = Order(**json.loads(line))
        with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as errors:
            child = os.fork()
            if child == 0:
                _child(order, told.fileno(), errors.fileno())
            _, status = os.waitpid(child, 0)
            told.seek(0)
            errors.seek(0)
            first_file, calls = json.loads(told.read() or b"[-1, 0]")
            ended = Ended(
                os.waitstatus_to_exitcode(status), first_file, calls, errors.read().decode()
            )
        print(json.dumps(asdict(ended)), flush=True)


if __name__ == "__main__":
    _serve()
