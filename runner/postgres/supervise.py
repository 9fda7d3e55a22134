"""The process that owns one embedded server and removes it when its last user is gone.

Run by its path, detached, by runner.postgres.embedded; so it needs the standard library only. Every
user holds a socket to it open, and the kernel closes that socket however the user ends,
kill -9 included. PostgreSQL is its child, so it never has to trust a process id from a file.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "trueup-pg-"
CONTROL = "control"
PORT = 5432
START_SECONDS = 180.0
STOP_SECONDS = 30.0
# sun_path holds 104 bytes on macOS, 108 on Linux.
SOCKET_PATH_BYTES = 100
_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class FailedError(Exception):
    """What went wrong, for the user's process to report."""


class BusyError(FailedError):
    """Another supervisor owns the data directory."""


@dataclass(frozen=True)
class Order:
    """What a user wants.

    Args:
        directory: the folder of PostgreSQL's programs.
        initdb: arguments for initdb, beside the data directory.
        settings: server settings, by name.
        data: the data directory, or None for one that is thrown away.
        keep: go on when no user is left.
        account: user id and group id to run PostgreSQL as, or None for our own.
        socket: the inherited descriptor that leads to the first user.
        memory: bytes of address space of each process of PostgreSQL, or None for no limit.
    """

    directory: str
    initdb: list[str]
    settings: dict[str, str]
    data: str | None
    keep: bool
    account: tuple[int, int] | None
    socket: int
    memory: int | None = None


@dataclass(frozen=True)
class Account:
    """The account that PostgreSQL runs as: our own, or another one's when we are root."""

    ids: tuple[int, int] | None

    def own(self, path: Path) -> None:
        """Give a file or folder of ours to the account."""
        if self.ids:
            os.chown(path, *self.ids)

    def popen_options(self) -> dict[str, Any]:
        """The arguments that make subprocess run a program as the account."""
        if not self.ids:
            return {}
        return {"user": self.ids[0], "group": self.ids[1], "extra_groups": []}

    def reaches(self, directory: Path) -> bool:
        """Whether the account can enter the directory."""
        if not self.ids:
            return os.access(directory, os.X_OK | os.W_OK)
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(self.ids[1])
                os.setuid(self.ids[0])
                os._exit(0 if os.access(directory, os.X_OK) else 1)
            except OSError:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def lock_directory(directory: Path) -> int | None:
    """An exclusive lock on a directory that lives as long as the returned descriptor, or None."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.lstat(directory)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def choose_base(account: Account) -> Path:
    """The first temporary directory that is short enough for a socket and open to the account."""
    candidates = [tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"]
    for candidate in candidates:
        example = os.path.join(candidate, f"{PREFIX}12345678", f".s.PGSQL.{PORT}.lock")
        if len(os.fsencode(example)) < SOCKET_PATH_BYTES and account.reaches(Path(candidate)):
            return Path(candidate)
    raise FailedError(f"no usable temporary directory among {', '.join(candidates)}")


def sweep(base: Path, account: Account) -> None:
    """Remove homes whose supervisor was killed or lost with the machine, and nothing else."""
    owners = {os.geteuid(), account.ids[0] if account.ids else os.geteuid()}
    for home in base.glob(f"{PREFIX}????????"):
        with contextlib.suppress(OSError):
            if home.lstat().st_uid in owners and (lock := lock_directory(home)) is not None:
                content = {entry.name for entry in home.iterdir()}
                if (CONTROL in content and (home / CONTROL).is_socket()) or not content:
                    shutil.rmtree(home, ignore_errors=True)
                os.close(lock)


def make_home(base: Path) -> tuple[Path, int]:
    """A new private folder for the socket, the log and perhaps the data, and the lock on it."""
    while True:
        home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        # None: a sweep took the folder between the two calls.
        if (lock := lock_directory(home)) is not None:
            return home, lock


class Server:
    """PostgreSQL as a child process."""

    def __init__(self, order: Order, account: Account, home: Path, data: Path) -> None:
        """A server that is not started yet, with its log open."""
        self.order = order
        self.account = account
        self.home = home
        self.data = data
        self.process: subprocess.Popen[bytes] | None = None
        self.log = (home / "log").open("ab")

    def prepare(self) -> None:
        """Make the data directory unless it is one already."""
        if (self.data / "PG_VERSION").exists():
            return
        if self.data.exists() and any(self.data.iterdir()):
            raise FailedError(f"{self.data} is not empty and no data directory of PostgreSQL")
        program = [os.path.join(self.order.directory, "initdb"), "-D", str(self.data)]
        result = self._popen([*program, *self.order.initdb]).wait()
        if result != 0:
            raise FailedError(self.last_words(f"initdb failed with exit code {result}"))

    def start(self) -> None:
        """Start, and return when connections are accepted."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.home),
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            **self.order.settings,
        }
        program = [os.path.join(self.order.directory, "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            program += ["-c", f"{name}={value}"]
        self.process = self._popen(program)
        deadline = time.monotonic() + START_SECONDS
        while not self._accepts():
            if self.process.poll() is not None:
                code = self.process.returncode
                self.process = None
                raise FailedError(self.last_words(f"postgres ended with exit code {code}"))
            if time.monotonic() > deadline:
                raise FailedError(self.last_words(f"not ready after {START_SECONDS:.0f} s"))
            time.sleep(0.01)

    def _accepts(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        ours = self.process is not None and lines[:1] == [str(self.process.pid)]
        return ours and len(lines) > 7 and lines[7].strip() == "ready"

    def stop(self, how: signal.Signals) -> None:
        """Stop: SIGINT writes everything to disk first, SIGQUIT does not."""
        if self.process is None:
            return
        for attempt in (how, signal.SIGQUIT, signal.SIGKILL):
            self.process.send_signal(attempt)
            try:
                self.process.wait(STOP_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    def ended(self) -> bool:
        """Whether PostgreSQL has ended by itself or by somebody else's hand."""
        if self.process is not None and self.process.poll() is not None:
            self.process = None
        return self.process is None

    def last_words(self, reason: str) -> str:
        """The reason with the end of the log, where PostgreSQL says why."""
        lines = (self.home / "log").read_text(errors="replace").splitlines()
        said = [line for line in lines if re.search(r"(?i)\b(fatal|error|detail|hint): ", line)]
        return "\n".join([reason, *(said or lines)[-5:]])

    def _popen(self, program: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            program,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            cwd=self.home,
            env=bare_environment(),
            preexec_fn=confine(self.order.memory),
            **self.account.popen_options(),
        )


def bare_environment() -> dict[str, str]:
    """Nothing of ours, as what runs in the server could read it: but where its libraries are."""
    kept = {k: v for k, v in os.environ.items() if k in _ENVIRONMENT}
    return {**kept, "TZ": "UTC", "LC_ALL": "C"}


def confine(memory: int | None, file: int | None = None) -> Callable[[], None]:
    """A hook for a process of PostgreSQL's: it ends with us, and gets no more than it may have.

    Args:
        memory: bytes of its address space, None for no limit.
        file: bytes of each file that it writes, None for no limit.
    """
    prctl = None
    if sys.platform.startswith("linux"):
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            prctl = ctypes.CDLL(None).prctl

    def hook() -> None:
        if prctl is not None:
            prctl(1, int(signal.SIGQUIT))  # PR_SET_PDEATHSIG
            prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS: no program with a set-user-id bit helps
        for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, file)):
            if most is not None:
                with contextlib.suppress(OSError, ValueError):
                    resource.setrlimit(kind, (most, most))

    return hook


class Supervisor:
    """Answers the users of one server, and ends when there is none left."""

    def __init__(self, server: Server, listener: socket.socket, keep: bool) -> None:
        """A supervisor without users yet; with `keep` it outlives its users."""
        self.server = server
        self.listener = listener
        self.keep = keep
        self.users: set[socket.socket] = set()
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)
        # A leaving user's socket closes when this process ends: it tells that all is gone.
        self.leaving: list[socket.socket] = []

    def greet(self, user: socket.socket) -> None:
        """Take a new user in and say where the server is."""
        self.users.add(user)
        self.selector.register(user, selectors.EVENT_READ)
        self._answer(user)

    def serve(self) -> None:
        """Work until the last user leaves, or a signal says stop."""
        waker, wakened = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())
        ends = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
        for number in (*ends, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        self.selector.register(wakened, selectors.EVENT_READ)
        while self.users or (self.keep and not self.server.ended()):
            for key, _ in self.selector.select():
                ready = key.fileobj
                if ready is self.listener:
                    self.greet(self.listener.accept()[0])
                elif ready is wakened:
                    if ends & set(wakened.recv(64)):
                        return
                elif isinstance(ready, socket.socket):
                    self._obey(ready)

    def _obey(self, user: socket.socket) -> None:
        """Do what a user says."""
        try:
            request = user.recv(64)
        except OSError:
            request = b""
        try:
            if request == b"crash\n":
                self.server.stop(signal.SIGQUIT)
            elif request == b"keep\n":
                self.keep = True
            elif request == b"restart\n":
                if not self.server.ended():
                    self.server.stop(signal.SIGINT)
                self.server.start()
            else:
                self.users.discard(user)
                self.selector.unregister(user)
                if self.users or self.keep:
                    with user, contextlib.suppress(OSError):
                        user.sendall(b"stays\n")
                else:
                    self.leaving.append(user)
                return
        except FailedError as error:
            self._answer(user, error=str(error))
        else:
            self._answer(user)

    def _answer(self, user: socket.socket, **more: object) -> None:
        process = self.server.process
        answer = {
            "home": str(self.server.home),
            "data": str(self.server.data),
            "port": PORT,
            "supervisor": os.getpid(),
            "postmaster": process.pid if process else None,
            **more,
        }
        with contextlib.suppress(OSError):
            user.sendall(json.dumps(answer).encode() + b"\n")


def own_data(data: Path, account: Account) -> int:
    """Make the data directory that the user named if need be, and lock it."""
    if not data.parent.is_dir():
        raise FailedError(f"{data.parent} is not a directory")
    if not account.reaches(data if data.exists() else data.parent):
        who = "we" if account.ids is None else f"user {account.ids[0]}, who runs PostgreSQL,"
        raise FailedError(f"{who} may not enter {data.parent}; choose another data directory")
    data.mkdir(mode=0o700, exist_ok=True)
    if (lock := lock_directory(data)) is None:
        raise BusyError(f"another process starts or stops the server in {data}")
    if not any(data.iterdir()):
        account.own(data)
    return lock


def run(order: Order, first: socket.socket) -> None:
    """The life of one server, from its folder's making to its removal."""
    account = Account(order.account)
    # Held until this process ends, like the lock on its home.
    _ = own_data(Path(order.data), account) if order.data else None
    base = choose_base(account)
    sweep(base, account)
    home, _ = make_home(base)
    try:
        data = Path(order.data) if order.data else home / "data"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(home / CONTROL))
        listener.listen()
        server = Server(order, account, home, data)
        account.own(home)
        try:
            server.prepare()
            server.start()
            supervisor = Supervisor(server, listener, order.keep)
            supervisor.greet(first)
            supervisor.serve()
        finally:
            # What is thrown away need not reach the disk first.
            server.stop(signal.SIGINT if order.data else signal.SIGQUIT)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    """Run as `supervise.py ORDER`; ORDER is JSON written by runner.postgres.embedded."""
    order = Order(**json.loads(sys.argv[1]))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    with socket.socket(fileno=order.socket) as first:
        try:
            run(order, first)
        except Exception as error:  # the user's process is the only one to tell
            kind = "busy" if isinstance(error, BusyError) else "error"
            text = str(error) if isinstance(error, FailedError | OSError) else repr(error)
            with contextlib.suppress(OSError):
                first.sendall(json.dumps({kind: text}).encode() + b"\n")


if __name__ == "__main__":
    main()
