"""The server that clients use and its standby, which takes its place when it is promoted."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from support.processes import eventually
from support.runs import query

from runner.postgres.embedded import FAST, EmbeddedServer, start_server

# Without it, a promotion may lose what clients were told is done.
SYNCHRONOUS = {**FAST, "synchronous_standby_names": "*", "wal_retrieve_retry_interval": "200ms"}


@dataclass(frozen=True)
class Seat:
    """One of two servers.

    Args:
        server: it.
        disk: a folder on the small disk that holds its database, None where there is none.
    """

    server: EmbeddedServer
    disk: Path | None = None


class Servers:
    """The server that clients use now, and perhaps a standby.

    Args:
        live: the server.
        standby: it follows by streaming; a commit is acknowledged when the standby has it.
    """

    def __init__(self, live: Seat, standby: Seat | None = None) -> None:
        self._live, self._standby = live, standby

    @property
    def live(self) -> EmbeddedServer:
        """The server that takes writes."""
        return self._live.server

    @property
    def disk(self) -> Path | None:
        """The small disk of that server."""
        return self._live.disk

    @property
    def dsn(self) -> str:
        """The database on that server; one that has become a standby meanwhile is refused."""
        return make_conninfo(self.live.dsn("chaos"), target_session_attrs="read-write")

    def has_standby(self) -> bool:
        """Whether there is one to promote."""
        return self._standby is not None

    def promote(self) -> bool:
        """The server stops at once, the standby takes its place; a copy of it follows from then on.

        Returns:
            False if the standby was not in step, and nothing happened.
        """
        assert self._standby is not None
        in_step = (
            "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state <> 'async'"
        )
        if not query(self.live.dsn(), in_step):
            return False
        self.live.crash()
        promoted = self._standby.server.dsn()
        query(promoted, "SELECT pg_promote(false)")
        eventually(lambda: query(promoted, "SELECT pg_is_in_recovery()") == [(False,)], seconds=60)
        self._live, self._standby = self._standby, self._live
        copy(self._live, self._standby.server.data, self._standby.disk)
        self._standby.server.restart()
        return True


@contextmanager
def start_servers(base: Path, disks: tuple[Path | None, Path | None]) -> Iterator[Servers]:
    """Start both, with the database on the small disks if there are any.

    Args:
        base: an empty folder for their data.
        disks: a folder for each.
    """
    base.chmod(0o777)  # as root, PostgreSQL runs as another account
    first, second = base / "first", base / "second"
    with start_server(settings=SYNCHRONOUS, data=first) as server:
        live = Seat(server, disks[0])
        make_database(live)
        copy(live, second, disks[1])
        with start_server(settings=SYNCHRONOUS, data=second) as standby:
            yield Servers(live, Seat(standby, disks[1]))


def make_database(seat: Seat) -> None:
    """The database, on the small disk if there is one."""
    options = "-c synchronous_commit=local"  # nobody follows yet
    with psycopg.connect(seat.server.dsn(), autocommit=True, options=options) as connection:
        if seat.disk is None:
            connection.execute("CREATE DATABASE chaos")
        else:
            place = sql.Literal(str(_empty(_tablespace(seat.disk), seat.server.account)))
            connection.execute(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(place))
            connection.execute("CREATE DATABASE chaos TABLESPACE small")


def copy(source: Seat, data: Path, disk: Path | None) -> None:
    """Make a data directory whose server follows another one."""
    server = source.server
    program = str(server.binaries.directory / "pg_basebackup")
    command = [program, "--pgdata", str(_empty(data, server.account)), "--dbname", server.dsn()]
    command += ["--checkpoint=fast", "--write-recovery-conf", "--no-sync"]
    if source.disk and disk:
        place = _empty(_tablespace(disk), server.account)
        command += ["--tablespace-mapping", f"{_tablespace(source.disk)}={place}"]
    user, group = server.account or (None, None)
    done = subprocess.run(
        command, user=user, group=group, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


def _tablespace(disk: Path) -> Path:
    return disk / "tablespace"


def _empty(folder: Path, account: tuple[int, int] | None) -> Path:
    """The folder, without what was in it: it may itself be locked, and so stays."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for inside in folder.iterdir():
        shutil.rmtree(inside) if inside.is_dir() and not inside.is_symlink() else inside.unlink()
    if account:
        os.chown(folder, *account)
    return folder
