"""The same files on many databases: canaries first, failures isolated, a run for each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner import toml
from runner.config import DSN_VARIABLES
from runner.errors import UsageError

_TEXT = {"type": "string", "minLength": 1}
_KEYS = {
    "name": {**_TEXT, "description": "what the database is called in the report"},
    "dsn": {**_TEXT, "description": "where it is"},
    "dsn_variable": {**_TEXT, "description": "the environment variable that holds the DSN"},
    "canary": {"type": "boolean", "default": False, "description": "done before the others"},
}
UNDER_WAY = 6  # verify: nothing is wrong, and a phase is left


@dataclass(frozen=True)
class Member:
    """One database of a fleet.

    Args:
        name: what it is called in the report.
        dsn: where it is; never shown.
        canary: True when it is done before the others.
    """

    name: str
    dsn: str = field(repr=False)
    canary: bool


@dataclass(frozen=True)
class Result:
    """What became of one database.

    Args:
        name: the database.
        exit_code: of its run, as trueup's exit codes; None when it was not begun.
        message: the run's last word.
        seconds: how long it took.
    """

    name: str
    exit_code: int | None
    message: str
    seconds: float


def describe(result: Result, width: int) -> str:
    """What became of a database as a line of text, its name as wide as the widest."""
    standing = {None: "left", 0: "done", UNDER_WAY: "under way"}.get(result.exit_code, "failed")
    line = f"{result.name:<{width}}  {standing:<6}  {result.seconds:6.1f} s"
    return f"{line}  {result.message}"


def sum_up(results: Sequence[Result]) -> tuple[str, int]:
    """All results as a line of text and an exit code: 0 when all are done, 6 when none failed."""
    done = sum(result.exit_code == 0 for result in results)
    under_way = sum(result.exit_code == UNDER_WAY for result in results)
    line = f"fleet: {done} of {len(results)} databases done"
    if under_way:
        line += f", {under_way} under way"
    if done == len(results):
        return line, 0
    return line, UNDER_WAY if done + under_way == len(results) else 1


def read_fleet(path: Path) -> list[Member]:
    """Read a fleet file.

    It holds one table for each database: `[[database]]` with `name`, and `dsn` or `dsn_variable`
    (the environment variable that holds it); `canary = true` for those that go first.

    Args:
        path: a TOML file.

    Raises:
        UsageError: when it cannot be read, or an entry lacks something.
    """
    try:
        entries = toml.parse(path.read_text(encoding="utf-8")).get("database", [])
    except OSError as error:
        raise UsageError(f"fleet file {path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"fleet file {path} cannot be read: {error}") from None
    if not isinstance(entries, list) or not entries:
        raise UsageError(
            f"fleet file {path} names no database",
            hint='add entries: [[database]], name = "one", dsn = "postgresql://..."',
        )
    members = [_member(path, number, entry) for number, entry in enumerate(entries, start=1)]
    names = [member.name for member in members]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"fleet file {path} names {', '.join(twice)} more than once")
    return members


def schema() -> dict[str, Any]:
    """The JSON schema of a fleet file, for editors that complete and check it."""
    database = {
        "type": "object",
        "additionalProperties": False,
        "properties": _KEYS,
        "required": ["name"],
        "oneOf": [{"required": ["dsn"]}, {"required": ["dsn_variable"]}],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "trueup: fleet.toml",
        "description": "The databases that --fleet runs a verb on.",
        "type": "object",
        "required": ["database"],
        "properties": {"database": {"type": "array", "minItems": 1, "items": database}},
    }


def share_of(members: Sequence[Member], shard: str) -> list[Member]:
    """The databases that one of several runners takes; together they take each of them once.

    Args:
        members: all of a fleet, in the order of its file.
        shard: `3/16` for the third of sixteen.

    Raises:
        UsageError: it is none.
    """
    number, _, of = shard.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise UsageError(f"--shard {shard}: no share", hint="write it as 1/16 to 16/16")
    return list(members[int(number) - 1 :: int(of)])


def _member(path: Path, number: int, entry: object) -> Member:
    where = f"fleet file {path}, database {number}"
    if not isinstance(entry, dict):
        raise UsageError(f"{where} is not a table", hint="write [[database]] above it")
    if unknown := sorted(entry.keys() - _KEYS.keys()):
        raise UsageError(f"{where}: unknown key {', '.join(unknown)}")
    name, dsn, canary = entry.get("name"), entry.get("dsn"), entry.get("canary", False)
    if not isinstance(name, str) or not name:
        raise UsageError(f"{where} has no name")
    if not isinstance(canary, bool):
        raise UsageError(f"{where}: canary is neither true nor false")
    if variable := entry.get("dsn_variable"):
        dsn = os.environ.get(str(variable))
        if not dsn:
            raise UsageError(f"{where}: the environment variable {variable} is not set")
    if not isinstance(dsn, str) or not dsn:
        raise UsageError(f"{where} has neither dsn nor dsn_variable")
    return Member(name, dsn, canary)


def run_fleet(
    members: Sequence[Member],
    arguments: Sequence[str],
    *,
    parallel: int,
    report: Callable[[Result], None],
) -> list[Result]:
    """Run one command of trueup on each database, canaries first.

    Args:
        members: the databases.
        arguments: the command and its options, without the database.
        parallel: how many databases at a time; canaries go one by one.
        report: called with each result as it comes, from this thread.

    Returns:
        All results, in the order of the members. When a canary fails, the rest is not begun.
    """
    runs = _Runs(arguments)
    results: dict[str, Result] = {}

    def take(result: Result) -> None:
        results[result.name] = result
        report(result)

    try:
        for member in [m for m in members if m.canary]:
            take(runs.run(member))
            if results[member.name].exit_code not in (0, UNDER_WAY):
                for rest in members:
                    if rest.name not in results:
                        take(Result(rest.name, None, f"not begun: {member.name} failed", 0.0))
                return [results[m.name] for m in members]
        with ThreadPoolExecutor(parallel, thread_name_prefix="fleet") as pool:
            try:
                others = [pool.submit(runs.run, m) for m in members if not m.canary]
                for future in as_completed(others):
                    take(future.result())
            except BaseException:
                runs.stop()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    finally:
        runs.stop()
    return [results[m.name] for m in members]


class _Runs:
    """Processes of trueup, one a database, that can be stopped together."""

    def __init__(self, arguments: Sequence[str]) -> None:
        # -P: a folder `runner` where the command was typed is not ours.
        self._command = [sys.executable, "-P", "-m", "runner", *arguments]
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def run(self, member: Member) -> Result:
        kept = {k: v for k, v in os.environ.items() if k not in DSN_VARIABLES}
        begun = time.monotonic()
        with self._lock:
            if self._stopped:
                return Result(member.name, None, "not begun", 0.0)
            # By the environment: a command line is for everyone to read.
            process = subprocess.Popen(
                self._command,
                env={**kept, DSN_VARIABLES[0]: member.dsn},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._running.add(process)
        output, errors = process.communicate()
        with self._lock:
            self._running.discard(process)
        # What a verb found stands in its output, and its last line says it all.
        last = output.strip().rpartition("\n")[2]
        text = last if process.returncode == 0 else _error_in(errors) or last
        message = " ".join(text.split()) or f"ended with {process.returncode}"
        return Result(member.name, process.returncode, message, time.monotonic() - begun)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.send_signal(signal.SIGTERM)


def _error_in(errors: str) -> str:
    """What a run says from its error message on."""
    at = errors.rfind("error: ")
    return errors[at:] if at >= 0 else errors[-300:]
