"""Indexes that lie in a tablespace of their own."""

from __future__ import annotations

import psycopg
import pytest
from support.journey import Journey
from support.runs import query

from objects.things import STANDARD, things
from runner.preflight import check
from runner.standard import load_standard

INDEXES = """
    CREATE INDEX things_status_idx ON things (status) TABLESPACE fast;
    CREATE INDEX things_note_idx ON things (note) TABLESPACE fast;
"""
WHERE = """
    SELECT c.relname FROM pg_class AS c JOIN pg_tablespace AS t ON t.oid = c.reltablespace
    WHERE t.spcname = 'fast' ORDER BY 1
"""


@pytest.fixture
def fast(server_dsn: str) -> None:
    with psycopg.connect(server_dsn, autocommit=True) as admin:
        if admin.info.server_version < 150000:
            pytest.skip("a tablespace of tests needs allow_in_place_tablespaces")
        if not admin.execute("SELECT FROM pg_tablespace WHERE spcname = 'fast'").fetchall():
            admin.execute("SET allow_in_place_tablespaces = on")
            admin.execute("CREATE TABLESPACE fast LOCATION ''")


@pytest.mark.usefixtures("fast")
def test_check_tells_how_an_index_gets_back_into_its_tablespace(journey: Journey) -> None:
    service = journey.start(things("note text", then=INDEXES), STANDARD)
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        report = check(connection, load_standard(journey.folder / "standard.toml"))
        (told,) = [f for f in report.findings if "tablespace" in f.problem]
        assert told.object == "index public.things_status_idx"
        assert report.ready
        service.up("contract")
        assert query(service.dsn, WHERE) == [("thing_note_idx",)]
        hint = told.hint or ""
        connection.execute(hint.partition(": ")[2].encode())
    assert query(service.dsn, WHERE) == [("thing_note_idx",), ("thing_status_idx",)]
