"""Whatever ends sessions, runs and servers, promotes, fills the disk and changes settings."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import LiteralString

import psycopg
from psycopg import sql
from support.processes import eventually

from chaos.servers import Servers

# Each with how often it happens, compared with the others.
FAULTS = {
    "end a client's session": 10,
    "end a run's session": 4,
    "cancel a run's statement": 4,
    "kill -9 a run": 4,
    "SIGTERM a run": 4,
    "change settings": 3,
    "kill -9 a server process": 1,
    "stop the server at once": 1,
    "restart the server": 1,
    "promote the standby": 1,
    "fill the disk": 2,
}
# Plain yoyo writes its record after the COMMIT of a file: what fails between is for its user.
ON_RUNS = frozenset(FAULTS) - {"end a client's session", "change settings"}
# No client fails by these, however they are set.
SETTINGS: Sequence[tuple[LiteralString, LiteralString]] = (
    ("jit_above_cost", "0"),
    ("enable_indexscan", "off"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("work_mem", "64kB"),
    ("maintenance_work_mem", "1MB"),
    ("plan_cache_mode", "force_generic_plan"),
    ("plan_cache_mode", "force_custom_plan"),
    ("autovacuum_naptime", "1s"),
    ("autovacuum", "off"),
    ("max_parallel_workers", "0"),
    ("checkpoint_timeout", "30s"),
    ("default_statistics_target", "1"),
    ("client_connection_check_interval", "0"),
    ("vacuum_cost_limit", "1"),
)


class Nemesis(threading.Thread):
    """Does harm at random moments.

    Args:
        servers: the server and its standby.
        chance: what it chooses by.
        faults: the kinds that may happen, where they can.
    """

    def __init__(
        self,
        servers: Servers,
        chance: random.Random,
        faults: Sequence[str],
    ) -> None:
        super().__init__(name="nemesis", daemon=True)
        self.done: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self.run_underway: subprocess.Popen[str] | None = None
        self.left_for_runs = 0  # how often it may still disturb what is underway
        self._full_until = 0.0
        self._servers, self._chance = servers, chance
        impossible = {
            *([] if servers.disk else ["fill the disk"]),
            *([] if servers.has_standby() else ["promote the standby"]),
        }
        self._kinds = [fault for fault in faults if fault not in impossible]
        self._acting = threading.Lock()
        self._ended = threading.Event()

    def run(self) -> None:
        """Do harm until it is ended."""
        try:
            self._harm()
        except BaseException as error:
            self.failure = error

    def _harm(self) -> None:
        while self._kinds and not self._ended.wait(self._chance.uniform(0.3, 3)):
            kind = self._chance.choices(self._kinds, [FAULTS[kind] for kind in self._kinds])[0]
            with self._acting:
                if self._ended.is_set() or (kind in ON_RUNS and not self.left_for_runs):
                    continue
                with suppress(psycopg.Error):
                    happened = self._act(kind)
                    self.done[kind] += happened
                    self.left_for_runs -= happened and kind in ON_RUNS

    def end(self) -> None:
        """Let it come to an end."""
        self._ended.set()
        if self.is_alive():
            self.join(60)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Nothing happens meanwhile."""
        with self._acting:
            yield

    def disk_is_full(self) -> bool:
        """Whether the disk is full, or was a moment ago."""
        return time.monotonic() < self._full_until

    def _act(self, kind: str) -> bool:
        match kind:
            case "end a client's session":
                return self._signal("SELECT pg_terminate_backend(%s)", "chaos %")
            case "end a run's session":
                return self._signal("SELECT pg_terminate_backend(%s)", "trueup-%")
            case "cancel a run's statement":
                return self._signal("SELECT pg_cancel_backend(%s)", "trueup-%")
            case "kill -9 a server process":
                return self._kill_server_process()
            case "stop the server at once":
                self._servers.live.crash()
                time.sleep(self._chance.uniform(0, 0.5))
                self._servers.live.restart()
                return True
            case "restart the server":
                self._servers.live.restart()
                return True
            case "promote the standby":
                return self._servers.promote()
            case "change settings":
                return self._change_settings()
            case "fill the disk":
                return self._fill_disk()
        return self._signal_run(signal.SIGKILL if "kill" in kind else signal.SIGTERM)

    def _signal_run(self, number: signal.Signals) -> bool:
        process = self.run_underway
        if process is None or process.poll() is not None:
            return False
        process.send_signal(number)
        return True

    def _pick(self, named: str) -> int | None:
        with psycopg.connect(self._servers.dsn, autocommit=True) as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name LIKE %s"
                " AND application_name NOT LIKE '%%observer' AND pid <> pg_backend_pid()"
                " ORDER BY pid",
                [named],
            ).fetchall()
        return self._chance.choice(found)[0] if found else None

    def _signal(self, statement: LiteralString, named: str) -> bool:
        pid = self._pick(named)
        if pid is not None:
            with psycopg.connect(self._servers.dsn, autocommit=True) as connection:
                connection.execute(statement, [pid])
        return pid is not None

    def _kill_server_process(self) -> bool:
        pid = self._pick("chaos %")
        if pid is None:
            return False
        with psycopg.connect(self._servers.dsn, autocommit=True) as witness:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return False
            # The server ends every session a moment later: who comes before that believes it is up.
            with suppress(psycopg.OperationalError):
                eventually(lambda: not witness.execute("SELECT 1").fetchone())
        return True

    def _change_settings(self) -> bool:
        name, value = self._chance.choice(SETTINGS)
        with psycopg.connect(self._servers.dsn, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM RESET ALL")
            if self._chance.random() < 0.8:
                change = sql.SQL("ALTER SYSTEM SET {} = {}")
                connection.execute(change.format(sql.Identifier(name), sql.Literal(value)))
            connection.execute("SELECT pg_reload_conf()")
        return True

    def _fill_disk(self) -> bool:
        assert self._servers.disk is not None
        self._full_until = float("inf")
        balloon = self._servers.disk / "balloon"
        try:
            with balloon.open("wb") as file, suppress(OSError):
                while True:
                    file.write(b"\0" * 65536)
            time.sleep(self._chance.uniform(0.3, 2))
        finally:
            balloon.unlink(missing_ok=True)
            self._full_until = time.monotonic() + 5  # until all have been told
        return True
