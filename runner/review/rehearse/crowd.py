"""Which release's clients run while a file runs."""

from __future__ import annotations

from runner.ledger.files import Migration
from runner.postgres.connect import connect
from runner.review.rehearse.load import Clients, Query, Sample

_NAME = "trueup rehearsal"


class Crowd:
    """The clients of the release that is live while a file runs.

    The old release is retired before contract; until then every client is of the old one.

    Args:
        dsn: the database.
        old: the old release's queries.
        new: the new release's queries.
    """

    def __init__(self, dsn: str, old: list[Query], new: list[Query]) -> None:
        self._dsn, self._old, self._new = dsn, old, new
        self._now = ""
        self._clients: Clients | None = None
        self.samples: list[Sample] = []

    def old(self) -> None:
        """Have the old release's clients run."""
        self._switch("old", self._old)

    def fit(self, migration: Migration) -> None:
        """Have the clients run that are there when a file runs."""
        contract = migration.phase == "contract" or migration.on_request
        if contract and self._now != "new":
            self._switch("new", self._new)
            self._rest_odometers()
        elif not contract:
            self._switch("old", self._old)

    def stop(self) -> None:
        """Stop them all."""
        if self._clients is not None:
            self._clients.stop()
            self.samples += self._clients.samples
            self._clients = None

    def _switch(self, release: str, queries: list[Query]) -> None:
        if self._now == release:
            return
        self.stop()
        self._now, self._clients = release, Clients(self._dsn, queries)
        self._clients.start()

    def _rest_odometers(self) -> None:
        """Read the odometers anew, as an operator does once the old release is gone."""
        with connect(self._dsn, application_name=_NAME) as connection:
            found = connection.execute("SELECT to_regclass('trueup.odometer')").fetchone()
            if found and found[0] is not None:
                connection.execute(
                    "UPDATE trueup.odometer SET read_at = now(),"
                    " queries = coalesce(pg_stat_get_numscans(to_regclass(marker)), 0)"
                )
