"""Tables that clients lock in one order or the other: no file makes them wait for each other."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest
from support.processes import eventually
from support.runs import query

from runner import config
from runner.execute import engine
from runner.ledger.files import read_migrations

SERVICE = Path(__file__).parents[3] / "sql" / "model_orchestration"
FOREIGN_KEY = "0313_enforce_request_model_id_fkey"
CHILD, PARENT = "requests", "models"
BEGUN = "SET application_name = 'file'; SET lock_timeout = '20s'; BEGIN; "
WAITING = (
    "SELECT array_agg(l.relation::regclass::text) FILTER (WHERE NOT l.granted),"
    " array_agg(l.relation::regclass::text) FILTER (WHERE l.granted AND l.mode ="
    " 'AccessExclusiveLock') FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
    " WHERE a.application_name = 'file' AND l.relation IN ('public.requests'::regclass,"
    " 'public.models'::regclass)"
)


@pytest.fixture
def at_enforce(database: str) -> str:
    """Both contracts live, and a foreign key is there for each."""
    sources = config.resolve_sources((), str(SERVICE), {}, "online")
    migrations = read_migrations(sources.folders, on_request=sources.on_request)
    engine.apply(database, migrations, to="enforce")
    return database


@pytest.mark.parametrize("read_first", [CHILD, PARENT])
def test_a_file_waits_for_a_table_while_it_holds_no_other(at_enforce: str, read_first: str) -> None:
    rollback = (SERVICE / "online" / f"{FOREIGN_KEY}.rollback.sql").read_text(encoding="utf-8")
    rollback = rollback.replace("SET LOCAL lock_timeout = '200ms';", "")
    then = PARENT if read_first == CHILD else CHILD
    with psycopg.connect(at_enforce) as client:
        client.execute(f"SELECT FROM {read_first} LIMIT 1".encode())  # and thinks

        def run() -> None:
            with psycopg.connect(at_enforce, autocommit=True) as file:
                file.execute((BEGUN + rollback + "; COMMIT").encode())

        thread = threading.Thread(target=run)
        thread.start()
        eventually(lambda: query(at_enforce, WAITING)[0][0] is not None)
        assert query(at_enforce, WAITING) == [([read_first], None)]
        client.execute("SET lock_timeout = '5s'")
        client.execute(f"LOCK TABLE {then} IN ROW EXCLUSIVE MODE".encode())
        client.commit()
        thread.join()
    assert query(
        at_enforce, "SELECT count(*) FROM pg_constraint WHERE conname = 'request_model_id_fkey'"
    ) == [(0,)]
