"""Processes of other users of a server, and what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_SECONDS = 120
_PROGRAM = """
import json, os, sys
from pathlib import Path
from runner.postgres.embedded import FAST, start_server
arguments = json.loads(sys.argv[1])
if "data" in arguments:
    arguments["data"] = Path(arguments["data"])
server = start_server(settings=FAST, **arguments)
print(json.dumps({"dsn": server.dsn(), "host": server.host, "data": str(server.data),
                  "supervisor": server.supervisor_pid}), flush=True)
"""


class ServerUser:
    """A process that starts a server, says where, and goes on with a body of its own.

    Args:
        body: Python statements to run then; `server` is the server. The default waits.
        arguments: keyword arguments for `start_server`.
        environment: added to ours.
    """

    def __init__(
        self,
        body: str = "sys.stdin.read()",
        *,
        arguments: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM + body, json.dumps(dict(arguments or {}))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        # Whatever a test waits for here comes to an end.
        self._timer = threading.Timer(_SECONDS, self.process.kill)
        self._timer.daemon = True
        self._timer.start()

    def server(self) -> dict[str, Any]:
        """Where the server is, once it runs."""
        told: dict[str, Any] = json.loads(self.line())
        return told

    def line(self) -> str:
        """The next line that the process prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate(timeout=_SECONDS)[1])
        return line

    def signal(self, number: signal.Signals) -> None:
        """Signal the process and its whole group, as a terminal or a job control would."""
        os.killpg(self.process.pid, number)

    def end(self) -> None:
        """Let a waiting body go on, and wait for the process to end."""
        self.process.communicate(timeout=_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        self._timer.cancel()


def eventually(condition: Callable[[], object], *, seconds: float = 30) -> None:
    """Wait until a condition holds; fail when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def processes_naming(text: str) -> list[str]:
    """The command lines of all live processes that contain a text."""
    if not Path("/proc/self/cmdline").exists():
        listing = subprocess.run(["ps", "-axo", "args"], capture_output=True, text=True, check=True)
        return [line for line in listing.stdout.splitlines() if text in line]
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found
