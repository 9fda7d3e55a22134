"""Who is in a migration's way: told, waited for, and cancelled only when that was asked for."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psycopg
import pytest
from support.migration_files import write_migration
from support.runs import applied, query

from runner.errors import LockedError
from runner.execute import events, holders
from runner.execute.blockers import cancel_autovacuum, cancel_queries
from runner.execute.engine import Settings, apply
from runner.ledger.files import Migration, read_migrations


@pytest.fixture
def migrations(database: str, tmp_path: Path) -> tuple[Migration, ...]:
    """A table that is there, and a file that changes it."""
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE public.t (id int);")
    write_migration(tmp_path, "0002_expand_b", "ALTER TABLE public.t ADD COLUMN n int;")
    found = read_migrations([tmp_path])
    apply(database, found, to="0001_expand_a")
    return found


class Report(threading.Thread):
    """A client that reads the table for long."""

    def __init__(self, dsn: str) -> None:
        super().__init__(daemon=True)
        self._dsn, self.error = dsn, ""
        self.start()
        end = time.monotonic() + 10
        while not query(dsn, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
            assert time.monotonic() < end
            time.sleep(0.02)

    def run(self) -> None:
        try:
            query(self._dsn, "SELECT pg_sleep(20) FROM (SELECT FROM public.t LIMIT 1) AS t"
                  " RIGHT JOIN (SELECT 1) AS one ON true")  # fmt: skip
        except psycopg.Error as error:
            self.error = type(error).__name__


def test_a_query_in_the_way_is_left_alone_unless_asked(
    database: str, migrations: tuple[Migration, ...]
) -> None:
    report = Report(database)
    with pytest.raises(LockedError):
        apply(database, migrations, settings=Settings(deadline=2.0))
    assert report.error == ""
    assert report.is_alive()
    query(
        database, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    )
    report.join(timeout=10)


def test_a_query_in_the_way_is_cancelled_after_the_stated_wait(
    database: str, migrations: tuple[Migration, ...]
) -> None:
    report = Report(database)
    heard: list[events.Event] = []
    begun = time.monotonic()
    apply(
        database,
        migrations,
        settings=Settings(deadline=15.0, cancel_blockers=0.5),
        listener=heard.append,
    )
    assert time.monotonic() - begun >= 0.5
    report.join(timeout=10)
    assert report.error == "QueryCanceled"
    cancelled = [e.blocker for e in heard if isinstance(e, events.BlockerCancelled)]
    assert len(cancelled) == 1
    assert "pg_sleep(20)" in cancelled[0]
    assert applied(database) == [m.id for m in migrations]


def test_an_idle_transaction_keeps_its_session(
    database: str, migrations: tuple[Migration, ...]
) -> None:
    with psycopg.connect(database) as client:
        client.execute("SELECT FROM public.t")
        time.sleep(1.1)
        settings = Settings(deadline=2.0, cancel_blockers=0.1)
        with pytest.raises(LockedError):
            apply(database, migrations, settings=settings)
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_a_client_is_no_autovacuum(database: str, migrations: tuple[Migration, ...]) -> None:
    report = Report(database)
    with psycopg.connect(database, autocommit=True) as connection:
        pids = [
            row[0]
            for row in connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            )
        ]
        assert cancel_autovacuum(connection, pids) == []
        assert len(cancel_queries(connection, pids)) == 1
    report.join(timeout=10)
    assert report.error == "QueryCanceled"


@pytest.fixture
def vacuumed_slowly(database: str, migrations: tuple[Migration, ...]) -> int:
    """The process of an autovacuum that is at work on the table."""
    query(
        database,
        "ALTER TABLE public.t SET (autovacuum_vacuum_threshold = 0,"
        " autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100,"
        " autovacuum_vacuum_cost_limit = 1)",
    )
    query(database, "INSERT INTO public.t SELECT n FROM generate_series(1, 100000) AS n")
    query(database, "DELETE FROM public.t WHERE id % 2 = 0")
    query(database, "ALTER SYSTEM SET autovacuum_naptime = '1s'")
    query(database, "SELECT pg_reload_conf()")
    end = time.monotonic() + 30
    try:
        while not (
            found := query(
                database,
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
                " AND datname = current_database() AND query LIKE 'autovacuum: VACUUM%%public.t%%'",
            )
        ):
            if time.monotonic() > end:
                pytest.skip("no autovacuum came within 30 s")
            time.sleep(0.1)
        return int(found[0][0])
    finally:
        query(database, "ALTER SYSTEM RESET autovacuum_naptime")
        query(database, "SELECT pg_reload_conf()")


def test_an_ordinary_autovacuum_gives_way_at_once(
    database: str,
    migrations: tuple[Migration, ...],
    vacuumed_slowly: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holders, "LONG_SECONDS", 3600)  # however young it is
    heard: list[events.Event] = []
    apply(database, migrations, settings=Settings(deadline=15.0), listener=heard.append)
    cancelled = [e.blocker for e in heard if isinstance(e, events.BlockerCancelled)]
    assert [c for c in cancelled if c.startswith(f"process {vacuumed_slowly}: autovacuum")]
    assert not [e for e in heard if isinstance(e, events.AttemptFailed)]  # no client queued
    assert applied(database) == [m.id for m in migrations]
