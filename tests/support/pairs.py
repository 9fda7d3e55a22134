"""A server and its standby."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import make_conninfo

from runner.postgres.embedded import FAST, EmbeddedServer, start_server


@dataclass(frozen=True)
class Pair:
    """A server and its standby."""

    primary: EmbeddedServer
    standby: EmbeddedServer


@contextmanager
def start_pair() -> Iterator[Pair]:
    """Start both; the standby follows by streaming."""
    base = Path(tempfile.mkdtemp(prefix="pair"))
    base.chmod(0o777)  # as root, PostgreSQL runs as another account
    start_server(settings=FAST, data=base / "primary").stop()
    subprocess.run(["cp", "-a", str(base / "primary"), str(base / "standby")], check=True)
    (base / "standby" / "standby.signal").touch()
    with start_server(settings=FAST, data=base / "primary") as primary:
        conninfo = make_conninfo(primary.dsn(), application_name="second", dbname=None)
        settings = {**FAST, "primary_conninfo": conninfo}
        with start_server(settings=settings, data=base / "standby") as standby:
            yield Pair(primary, standby)
    shutil.rmtree(base)
