"""Which releases' clients run while a file runs."""

from __future__ import annotations

from runner.execute.old_names import begin_waiting
from runner.ledger.files import Migration
from runner.postgres.connect import connect
from runner.review.rehearse.load import Clients, Query, Sample

_NAME = "trueup rehearsal"


class Crowd:
    """The clients of the releases that are live while a file runs.

    Until the switch every client is of the old release, and during it there are some of both: it
    may come before or after the new one is deployed. The old release is retired before contract.

    Args:
        dsn: the database.
        old: the old release's queries.
        new: the new release's queries.
        search_path: where the new release looks for tables.
    """

    def __init__(self, dsn: str, old: list[Query], new: list[Query], search_path: str) -> None:
        self._dsn, self._old, self._new, self._search_path = dsn, old, new, search_path
        self._now = ""
        self._clients: Clients | None = None
        self.samples: list[Sample] = []

    def old(self) -> None:
        """Have the old release's clients run."""
        self._change("old", self._old)

    def fit(self, migration: Migration) -> None:
        """Have the clients run that are there when a file runs."""
        if migration.phase == "switch":
            self._change("both", [*self._old, *self._new])
        elif migration.phase == "contract" or migration.on_request:
            if self._now != "new":
                self._change("new", self._new)
                with connect(self._dsn, application_name=_NAME) as connection:
                    begin_waiting(connection)
        else:
            self._change("old", self._old)

    def stop(self) -> None:
        """Stop them all."""
        if self._clients is not None:
            self._clients.stop()
            self.samples += self._clients.samples
            self._clients = None

    def _change(self, release: str, queries: list[Query]) -> None:
        if self._now == release:
            return
        self.stop()
        self._now, self._clients = release, Clients(self._dsn, queries, self._search_path)
        self._clients.start()
