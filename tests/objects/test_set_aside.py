"""What would see old spellings put back by a window's rollback is set aside for that long."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.journey import Journey
from support.variants import Service

from objects import things

SCHEMA = """
    CREATE TABLE things (
        id varchar(36) PRIMARY KEY,
        status varchar(20) NOT NULL,
        writer int,
        touched int NOT NULL DEFAULT 0
    );
    CREATE TABLE writers (id int PRIMARY KEY, favorite varchar(36) REFERENCES things);
    INSERT INTO things (id, status, writer)
    SELECT upper(gen_random_uuid()::text), 'Open', 7 FROM generate_series(1, 5);
    -- No row has its writer, whose table gets its old name back after theirs.
    ALTER TABLE things ADD FOREIGN KEY (writer) REFERENCES writers NOT VALID;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN NEW.touched := OLD.touched + 1; RETURN NEW; END';
    CREATE TRIGGER touch BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION touch();
    CREATE TRIGGER quiet BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION touch();
    ALTER TABLE things DISABLE TRIGGER quiet;
"""
STANDARD = """
    [enum.Status]
    values = ["OPEN", "CLOSED"]

    [table.writers]
    name = "writer"
    uuids = ["favorite"]

    [table.things]
    name = "thing"
    uuids = ["id"]
    enums.status = "Status"
"""


@pytest.mark.usefixtures("roles")
def test_a_role_that_may_make_no_temporary_table_takes_a_window_back(journey: Journey) -> None:
    service = journey.start(SCHEMA, STANDARD)
    before = service.state()
    database = conninfo_to_dict(service.dsn)["dbname"]
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        for statement in (
            "REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC",
            "GRANT CREATE ON DATABASE {} TO object_owner",
        ):
            admin.execute(sql.SQL(statement).format(sql.Identifier(str(database))))
        admin.execute("GRANT ALL ON SCHEMA public TO object_owner")
        for table in ("things", "writers"):
            admin.execute(f"ALTER TABLE {table} OWNER TO object_owner".encode())
    owned = service.state()
    role = Service(make_conninfo(service.dsn, options="-c role=object_owner"), service.folder)

    role.up("window")
    role.down("window")

    assert service.rows() == before[1]
    assert service.state() == owned


def test_partitions_that_publish_have_an_identity_of_their_own(journey: Journey) -> None:
    schema = """
        CREATE TABLE things (
            id varchar(36), slot int, status varchar(20), PRIMARY KEY (id, slot) DEFERRABLE
        ) PARTITION BY LIST (slot);
        CREATE TABLE things_1 PARTITION OF things DEFAULT;
        INSERT INTO things SELECT upper(gen_random_uuid()::text), n, 'Open'
            FROM generate_series(1, 5) AS n;
        ALTER TABLE things REPLICA IDENTITY FULL;
        CREATE PUBLICATION published FOR TABLE things;
    """
    journey.there_and_back(schema, things.STANDARD, ["window"])


def test_what_needs_nothing_set_aside_calls_nothing(journey: Journey) -> None:
    plain = SCHEMA.partition("-- No row")[0]
    service = journey.start(plain, STANDARD)
    assert not list(service.folder.glob("window/*_set_aside.sql"))
    journey.there_and_back(plain, STANDARD, ["window"])
