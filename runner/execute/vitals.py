"""How a running backfill tells whoever watches its database how the server bears it: by NOTIFY.

Nothing is stored, so nothing is left behind by a run that is killed.
"""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from psycopg import Error, Notify, errors, sql

from runner.execute.events import Vitals

if TYPE_CHECKING:
    from psycopg import Connection

CHANNEL = "trueup_vitals"
FRESH = 5.0  # seconds after which what was heard is not of now


def send(connection: Connection, vitals: Vitals) -> None:
    """Tell who listens, if anybody does.

    Args:
        connection: the run's, in autocommit mode.
        vitals: what to tell.
    """
    text = json.dumps(asdict(vitals))
    notify = sql.SQL("NOTIFY {}, {}").format(sql.Identifier(CHANNEL), sql.Literal(text))
    with suppress(Error):  # a full queue, which some other session keeps full, ends no run
        connection.execute(notify)


class Ear:
    """Listens on a connection, whose other statements fetch what was sent meanwhile.

    Args:
        connection: in autocommit mode; a standby hears nothing.
    """

    def __init__(self, connection: Connection) -> None:
        """Begin to listen."""
        self._heard: dict[int, tuple[float, Vitals]] = {}
        try:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        except errors.ReadOnlySqlTransaction:
            return
        connection.add_notify_handler(self._hear)

    def heard_of(self, pid: int) -> Vitals | None:
        """The last that a server process told, None when it is not of now."""
        at, vitals = self._heard.get(pid, (-math.inf, None))
        return vitals if time.monotonic() - at < FRESH else None

    def _hear(self, notify: Notify) -> None:
        if notify.channel == CHANNEL and (vitals := _read(notify.payload)):
            self._heard[notify.pid] = time.monotonic(), vitals


def _read(text: str) -> Vitals | None:
    """What was sent; None for anything else, as every role may notify."""
    try:
        told = json.loads(text)
        known = {field.name: told[field.name] for field in fields(Vitals)}
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    words = known["migration"], known["standby"]
    figures = known["commit_median"], known["commit_p99"], known["lag"]
    if not all(isinstance(word, str) and word.isprintable() for word in words):
        return None
    if not all(f is None or (isinstance(f, float) and math.isfinite(f)) for f in figures):
        return None
    return Vitals(**known)
