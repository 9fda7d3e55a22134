"""Indexes that lie in a tablespace of their own."""

from __future__ import annotations

import psycopg
import pytest
from support.journey import Journey
from support.runs import query

from objects.things import STANDARD, things
from runner.errors import StatementError
from runner.execute.schema_copy import dump_schema, load_schema
from runner.postgres.scratch import scratch_server
from runner.preflight import check
from runner.standard import load_standard

INDEXES = """
    CREATE INDEX things_status_idx ON things (status) TABLESPACE "Fast one";
    CREATE INDEX things_note_idx ON things (note) TABLESPACE "Fast one";
    CREATE UNIQUE INDEX things_open_idx ON things (id, "a WHERE b")
        INCLUDE (note) WITH (fillfactor = 90) TABLESPACE "Fast one" WHERE status = 'open';
    ALTER TABLE things ADD UNIQUE (id, note) USING INDEX TABLESPACE "Fast one" DEFERRABLE;
    ALTER INDEX things_pkey SET TABLESPACE "Fast one";
    CREATE MATERIALIZED VIEW seen TABLESPACE "Fast one" AS SELECT id, status FROM things;
    CREATE UNIQUE INDEX seen_idx ON seen (id) TABLESPACE "Fast one";
"""
SCHEMA = things("note text", '"a WHERE b" text', then=INDEXES)
PARTITIONED = """
    CREATE TABLE things (
        id varchar(36) DEFAULT gen_random_uuid()::varchar, status varchar(20) NOT NULL, n integer,
        PRIMARY KEY (id, n) USING INDEX TABLESPACE "Fast one",
        UNIQUE (n, id) USING INDEX TABLESPACE "Fast one"
    ) PARTITION BY RANGE (n);
    CREATE INDEX things_status_idx ON things (status) TABLESPACE "Fast one";
    CREATE TABLE things_1 PARTITION OF things FOR VALUES FROM (0) TO (10);
    CREATE TABLE things_2 PARTITION OF things FOR VALUES FROM (10) TO (20) PARTITION BY LIST (n);
    CREATE TABLE things_2a PARTITION OF things_2 DEFAULT;
    ALTER INDEX things_1_status_idx SET TABLESPACE pg_default;
    INSERT INTO things (status, n) SELECT 'Open', n FROM generate_series(0, 19) AS n;
"""
WHERE = """
    SELECT c.relname FROM pg_class AS c JOIN pg_tablespace AS t ON t.oid = c.reltablespace
    WHERE t.spcname = 'Fast one' AND NOT c.relname LIKE 'pg_toast%' ORDER BY 1
"""


@pytest.fixture(autouse=True)
def fast(server_dsn: str) -> None:
    with psycopg.connect(server_dsn, autocommit=True) as admin:
        if admin.info.server_version < 150000:
            pytest.skip("a tablespace of tests needs allow_in_place_tablespaces")
        if not admin.execute("SELECT FROM pg_tablespace WHERE spcname = 'Fast one'").fetchall():
            admin.execute("SET allow_in_place_tablespaces = on")
            admin.execute("CREATE TABLESPACE \"Fast one\" LOCATION ''")


@pytest.mark.parametrize("schema", [SCHEMA, PARTITIONED], ids=["a table", "partitions"])
def test_each_index_stays_in_its_tablespace_there_and_back(journey: Journey, schema: str) -> None:
    journey.there_and_back(schema, STANDARD)


def test_an_index_that_was_moved_meanwhile_stops_the_next_file(journey: Journey) -> None:
    service = journey.start(SCHEMA, STANDARD)
    service.up("enforce")
    in_both = {"thing_status_idx", "things_status_idx", "thing_pkey", "things_pkey"}
    assert in_both <= {name for (name,) in query(service.dsn, WHERE)}
    query(service.dsn, "ALTER INDEX things_status_idx SET TABLESPACE pg_default")
    missing = r"missing: index things_status_idx USING btree \(status\) TABLESPACE Fast one"
    with pytest.raises(StatementError, match=missing):
        service.up("switch")
    with pytest.raises(StatementError, match=missing):
        service.down("online")


def test_check_asks_for_the_right_to_create_there(journey: Journey, roles: None) -> None:
    service = journey.start(SCHEMA, STANDARD)
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        standard = load_standard(journey.folder / "standard.toml")
        assert not [f for f in check(connection, standard).findings if "tablespace" in f.problem]
        connection.execute("SET ROLE object_owner")
        told = [f for f in check(connection, standard).stops if "tablespace" in f.problem]
        assert "index public.things_status_idx" in {f.object for f in told}
        grant = 'GRANT CREATE ON TABLESPACE "Fast one" TO object_owner;'
        assert {f.hint for f in told} == {grant}


def test_a_copy_of_the_schema_has_them_too(journey: Journey) -> None:
    service = journey.start(SCHEMA, STANDARD)
    schema = dump_schema(service.dsn, owners=True)
    with scratch_server() as scratch:
        copy = scratch.create()
        assert load_schema(scratch, copy, schema, lambda: None) == []
        assert query(copy, WHERE) == query(service.dsn, WHERE)
