"""A PostgreSQL server of our own: on a private socket, gone when its last user is gone."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pwd
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from psycopg.conninfo import make_conninfo

from runner.errors import ServerStartError
from runner.postgres import databases, supervise
from runner.postgres.binaries import Binaries, find_binaries, readable_by
from runner.postgres.connect import connect
from runner.postgres.supervise import CONTROL, Order

USER = "postgres"
# Nothing here survives a crash of the machine; commits still survive a crash of the server.
FAST: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off"}

_ANSWER_SECONDS = 240.0


class _BusyError(ServerStartError):
    """Another process starts or stops a server in the same data directory."""


class EmbeddedServer:
    """A running server that this process uses; made by `start_server`.

    Attributes:
        host: the directory of the server's socket.
        port: the number in the socket's name; no TCP port is open.
        user: the superuser, who needs no password.
        data: the data directory.
        binaries: PostgreSQL's programs, as the server runs them.
        supervisor_pid: the process that owns the server; SIGTERM to it stops the server.
        version: major and minor, such as (18, 6).
        account: the user and group id that it runs as when we are root, else None.
    """

    def __init__(
        self,
        control: socket.socket,
        process: subprocess.Popen[bytes] | None,
        binaries: Binaries,
        user: str = USER,
        account: tuple[int, int] | None = None,
    ) -> None:
        """Wait for the supervisor at the other end of the socket to say where the server is."""
        self._control = control
        self._process = process
        self.user = user
        self.account = account
        self.binaries = binaries
        self._creator = os.getpid()
        answer = self._hear()
        self.host = str(answer["home"])
        self.port = int(answer["port"])
        self.data = Path(answer["data"])
        self.supervisor_pid = int(answer["supervisor"])
        with connect(self.dsn(), application_name="trueup") as connection:
            number = connection.info.server_version
        self.version = (number // 10000, number % 10000)
        atexit.register(self.stop)

    @property
    def log(self) -> Path:
        """The server's log file."""
        return Path(self.host, "log")

    def dsn(self, dbname: str = "postgres") -> str:
        """The DSN of one of the server's databases."""
        return make_conninfo(host=self.host, port=self.port, user=self.user, dbname=dbname)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, empty or as a clone of another one that nobody is connected to."""
        databases.create_database(self.dsn(), name, template)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, and end the sessions in it."""
        databases.drop_database(self.dsn(), name)

    def crash(self) -> None:
        """Stop at once, as after a power cut: every session ends, nothing is tidied up."""
        self._ask("crash")

    def restart(self) -> None:
        """Start again, after `crash` or after a clean stop if it runs."""
        self._ask("restart")

    def keep(self) -> None:
        """Let the server outlive this process, until its supervisor is ended."""
        self._ask("keep")

    def keep_instructions(self) -> list[str]:
        """How to look into a server that was kept, and how to stop it: lines to print."""
        return [f"its log:  {self.log}", f"stop it:  kill {self.supervisor_pid}"]

    def stop(self) -> None:
        """Leave the server: the last user's leaving stops it, unless it was started to be kept."""
        atexit.unregister(self.stop)
        if os.getpid() != self._creator:
            return  # a forked child must not stop its parent's server
        if _say_and_wait(self._control, b"leave\n") and self._process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_ANSWER_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _ask(self, request: str) -> None:
        self._hear(request.encode() + b"\n")

    def _hear(self, request: bytes = b"") -> dict[str, Any]:
        try:
            self._control.sendall(request)
            answer = _hear(self._control)
        except ConnectionError:
            answer = None
        except OSError as error:
            raise ServerStartError(f"the embedded server does not answer: {error}") from error
        if answer is None and self._process is None:
            raise _BusyError("the embedded server that was found has just ended")
        if answer is None:
            raise ServerStartError("the embedded server's supervisor has ended")
        if "busy" in answer:
            raise _BusyError(answer["busy"])
        if "error" in answer:
            raise ServerStartError(f"the embedded server failed: {answer['error']}")
        return answer


def start_server(
    *,
    binaries: Binaries | None = None,
    settings: Mapping[str, str] | None = None,
    keep: bool = False,
    data: Path | None = None,
    user: str = USER,
    memory: int | None = None,
) -> EmbeddedServer:
    """Start a server on a private socket; it ends with the last process that uses it.

    Args:
        binaries: PostgreSQL's programs; found by `find_binaries` if not given.
        settings: server settings, such as `FAST` for tests; PostgreSQL's defaults if not given.
        keep: leave the server running when this process ends, until its supervisor is ended.
        data: a data directory to make or to use, and to leave in place; a server that runs
            there already is shared as it is. Without it the data goes with the server.
        user: the superuser's name.
        memory: bytes of address space that each of its processes may have; else as many as ours.

    Raises:
        ServerNotFoundError: there are no binaries.
        ServerStartError: PostgreSQL does not start; the message holds the end of its log.
    """
    binaries = binaries or find_binaries()
    data = data.absolute() if data else None
    account = _account(data)
    if account:
        binaries = readable_by(binaries, *account)
    deadline = time.monotonic() + _ANSWER_SECONDS
    while True:
        try:
            if data and (control := _attach(data)):
                server = EmbeddedServer(control, None, binaries, user, account)
                if keep:
                    server.keep()
                return server
            return _spawn(binaries, settings or {}, keep, data, account, user, memory)
        except _BusyError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _account(data: Path | None) -> tuple[int, int] | None:
    """The user and group id that PostgreSQL shall run as when we are root, whom it refuses."""
    if os.geteuid() != 0:
        return None
    if data and data.exists() and (owner := data.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    # Not `postgres` first: where it is there, a machine's real databases are its own.
    for name in ("nobody", "postgres"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise ServerStartError(
        "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody`",
        hint="run trueup as an ordinary user",
    )


def _initdb_arguments(version: tuple[int, int], data: Path | None, user: str) -> list[str]:
    # With either, upper('äß') is the same on every machine, whatever its locales.
    locale = (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if version >= (17, 0)
        else ["--locale=C", "--lc-ctype=C.UTF-8"]
    )
    durable = [] if data else ["--no-sync"]
    return ["--username", user, "--auth=trust", "--encoding=UTF8", *durable, *locale]


def _spawn(
    binaries: Binaries,
    settings: Mapping[str, str],
    keep: bool,
    data: Path | None,
    account: tuple[int, int] | None,
    user: str,
    memory: int | None,
) -> EmbeddedServer:
    ours, theirs = socket.socketpair()
    with theirs:
        order = Order(
            directory=str(binaries.directory),
            initdb=_initdb_arguments(binaries.version, data, user),
            settings=dict(settings),
            data=str(data) if data else None,
            keep=keep,
            account=account,
            memory=memory,
            socket=theirs.fileno(),
        )
        process = subprocess.Popen(
            # -I -S: the supervisor needs nothing that is installed, and starts faster.
            [sys.executable, "-I", "-S", supervise.__file__, json.dumps(asdict(order))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            pass_fds=[order.socket],
        )
    try:
        return EmbeddedServer(ours, process, binaries, user, account)
    except BaseException:
        ours.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_ANSWER_SECONDS)
        raise


def _attach(data: Path) -> socket.socket | None:
    """A connection to the supervisor of the server that runs on the data directory, if any."""
    try:
        home = (data / "postmaster.pid").read_text().splitlines()[4]
    except (OSError, IndexError):
        return None
    control = socket.socket(socket.AF_UNIX)
    try:
        control.connect(os.path.join(home, CONTROL))
    except OSError:
        control.close()
        return None
    return control


def _hear(control: socket.socket) -> dict[str, Any] | None:
    """The supervisor's answer, or None when it has ended."""
    control.settimeout(_ANSWER_SECONDS)
    received = b""
    while not received.endswith(b"\n"):
        part = control.recv(65536)
        if not part:
            return None
        received += part
    answer: dict[str, Any] = json.loads(received)
    return answer


def _say_and_wait(control: socket.socket, request: bytes) -> bool:
    """Tell the supervisor something last; True when it has ended, with all that it made."""
    with contextlib.suppress(OSError), control:
        control.settimeout(_ANSWER_SECONDS)
        control.sendall(request)
        while part := control.recv(4096):
            if part.endswith(b"stays\n"):
                return False
    return True
