"""Partitioned tables: converted partition by partition, by both strategies."""

from __future__ import annotations

import tomllib

import psycopg
import pytest
from support.journey import Journey
from support.runs import run_trueup

from objects.partitioned import (
    BY_DAY,
    COLUMNS,
    CUSTOMERS,
    KEYS,
    NOTES,
    RANGE,
    STANDARD,
    events,
)
from objects.things import ENUM
from runner.errors import StandardError
from runner.preflight import Severity, check
from runner.standard import load_standard

KINDS = {
    "range": RANGE,
    "list": events(
        "LIST (kind)",
        """
        CREATE TABLE events_a PARTITION OF events FOR VALUES IN (0, 1);
        CREATE TABLE events_b PARTITION OF events FOR VALUES IN (2, 3);
        """,
    ),
    "hash": events(
        "HASH (day, kind)",
        """
        CREATE TABLE events_0 PARTITION OF events FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE "Events 1" PARTITION OF events FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        """,
    ),
    "levels": events(
        "RANGE (day)",
        """
        CREATE TABLE events_2024 PARTITION OF events
            FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (kind);
        CREATE TABLE events_2024_a PARTITION OF events_2024 FOR VALUES IN (0, 1);
        CREATE TABLE events_2024_b PARTITION OF events_2024 DEFAULT PARTITION BY HASH (day);
        CREATE TABLE events_2024_b0 PARTITION OF events_2024_b
            FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        CREATE TABLE events_rest PARTITION OF events DEFAULT;
        """,
    ),
    "no partition": f"""
        {CUSTOMERS}
        CREATE TABLE events ({COLUMNS}, {KEYS}) PARTITION BY RANGE (day);
        CREATE INDEX ON events (status);
    """,
    "no key, by an expression": f"""
        {CUSTOMERS.replace("upper(gen_random_uuid()::text)", "gen_random_uuid()::text")}
        CREATE TABLE events ({COLUMNS}) PARTITION BY LIST ((kind % 2));
        CREATE TABLE events_0 PARTITION OF events FOR VALUES IN (0);
        CREATE TABLE events_1 PARTITION OF events DEFAULT;
        INSERT INTO events (day, kind, customer_id)
        SELECT '2024-01-01', n, (SELECT id FROM customers ORDER BY id LIMIT 1 OFFSET n % 9)
        FROM generate_series(1, 20) AS n;
    """,
}


@pytest.mark.parametrize("schema", KINDS.values(), ids=KINDS)
def test_a_partitioned_table_comes_through(journey: Journey, schema: str) -> None:
    journey.there_and_back(schema, STANDARD)


def test_foreign_keys_to_it_come_through(journey: Journey) -> None:
    notes = """
        CREATE TABLE notes (
            id varchar(36) PRIMARY KEY, day date, kind integer, event_id varchar(36),
            CONSTRAINT about FOREIGN KEY (day, kind, event_id)
                REFERENCES events (day, kind, id) ON DELETE CASCADE DEFERRABLE
        );
        COMMENT ON CONSTRAINT about ON notes IS 'what it is about';
        INSERT INTO notes SELECT gen_random_uuid(), day, kind, id FROM events;
        CREATE TABLE marks (day date NOT NULL, kind integer NOT NULL,
            customer_id varchar(36) NOT NULL, id varchar(36) NOT NULL,
            FOREIGN KEY (customer_id, day, kind, id) REFERENCES events (customer_id, day, kind, id)
        );
        INSERT INTO marks SELECT day, kind, customer_id, id FROM events;
    """
    marks = '[table.marks]\nname = "mark"\nuuids = ["customer_id", "id"]\n'
    journey.there_and_back(KINDS["levels"] + notes, STANDARD + NOTES + marks)


def test_a_key_before_the_partition_key_comes_through(journey: Journey) -> None:
    columns = "id varchar(36) NOT NULL DEFAULT gen_random_uuid()::varchar," + COLUMNS.replace(
        "id varchar(36) NOT NULL DEFAULT gen_random_uuid()::varchar,", "", 1
    )
    journey.there_and_back(events("RANGE (day)", BY_DAY, columns), STANDARD)


def test_a_partition_of_another_column_order_comes_through(journey: Journey) -> None:
    attached = """
        CREATE TABLE events_2024 (
            amount integer CONSTRAINT events_amount_check CHECK (amount > 0),
            gone text,
            customer_id varchar(36),
            status varchar(20) CONSTRAINT events_status_not_null NOT NULL DEFAULT 'open',
            id varchar(36) CONSTRAINT events_id_not_null NOT NULL
                DEFAULT gen_random_uuid()::varchar,
            kind integer CONSTRAINT events_kind_not_null NOT NULL,
            day date CONSTRAINT events_day_not_null NOT NULL,
            CONSTRAINT of_its_own FOREIGN KEY (customer_id) REFERENCES customers (id)
                ON DELETE CASCADE,
            CONSTRAINT its_key PRIMARY KEY (day, kind, id)
        );
        ALTER TABLE events_2024 DROP COLUMN gone;
        CREATE INDEX its_index ON events_2024 (status);
        ALTER TABLE events ATTACH PARTITION events_2024
            FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE TABLE events_rest PARTITION OF events DEFAULT;
    """
    journey.there_and_back(events("RANGE (day)", attached), STANDARD)


def test_a_partition_whose_not_null_has_a_name_of_its_own_comes_through(journey: Journey) -> None:
    """PostgreSQL 18 cannot rename it there, so only the rest comes back as it was."""
    attached = """
        CREATE TABLE events_rest (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
        ALTER TABLE events_rest ALTER day DROP NOT NULL, ALTER status DROP NOT NULL;
        ALTER TABLE events_rest ADD PRIMARY KEY (day, kind, id), ALTER status SET NOT NULL;
        ALTER TABLE events ATTACH PARTITION events_rest DEFAULT;
    """
    for strategy, last in (("online", "contract"), ("window", "window")):
        service = journey.start(events("RANGE (day)", attached), STANDARD)
        before = service.rows()
        service.up(last)
        service.down(strategy)
        assert service.rows() == before


def test_what_is_set_on_the_table_and_on_one_partition_comes_through(journey: Journey) -> None:
    settings = """
        CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN NEW.amount := NEW.amount; RETURN NEW; END';
        CREATE TRIGGER stamp BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION stamp();
        CREATE TRIGGER watch AFTER UPDATE OF amount ON events FOR EACH ROW
            WHEN (OLD.kind <> NEW.kind) EXECUTE FUNCTION stamp();
        ALTER TABLE events ALTER status SET STATISTICS 50;
        ALTER TABLE events_2024 ALTER status SET STATISTICS 70, ALTER status SET (n_distinct = 3),
            ALTER id SET (n_distinct = -1), SET (fillfactor = 70, autovacuum_enabled = false);
        COMMENT ON COLUMN events_2024.status IS 'how it went in 2024';
        COMMENT ON TABLE events_2024 IS 'the first';
        GRANT SELECT ON events TO PUBLIC;
        GRANT SELECT (status) ON events_2025 TO PUBLIC;
        ALTER TABLE events_2024 CLUSTER ON events_2024_status_idx;
        ALTER TABLE events_2025 REPLICA IDENTITY USING INDEX events_2025_pkey;
    """
    journey.there_and_back(RANGE + settings, STANDARD)


def test_values_that_are_merged_come_back_in_each_partition(journey: Journey) -> None:
    standard = STANDARD.replace(
        'values = ["OPEN", "CLOSED"]',
        'values = ["OPEN", "CLOSED"]\nmap = { DONE = "CLOSED" }\nback = { CLOSED = "closed" }',
    )
    standard += 'keep_original.status = "status_detail"\n'
    journey.there_and_back(RANGE.replace("ELSE 'OPEN'", "ELSE 'Done'"), standard)


REFUSED = {
    "a converted column in the key": (
        events("LIST (status)", "CREATE TABLE e PARTITION OF events DEFAULT;", keys="CHECK (true)"),
        r"events\.status is in a partition key",
    ),
    "a converted column in an expression of a lower key": (
        events(
            "LIST (kind)",
            """
            CREATE TABLE events_rest PARTITION OF events DEFAULT PARTITION BY LIST (lower(status));
            CREATE TABLE events_all PARTITION OF events_rest DEFAULT;
            """,
            keys="CHECK (true)",
        ),
        r"events\.status is in a partition key",
    ),
    "a partition elsewhere": (
        events("RANGE (day)", "CREATE SCHEMA a; CREATE TABLE a.e PARTITION OF events DEFAULT;"),
        r"a\.e is a partition of public\.events in a schema that was not read",
    ),
    "a foreign partition": (
        f"""
            CREATE EXTENSION postgres_fdw;
            CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw;
            {CUSTOMERS}
            CREATE TABLE events
                (day date, id varchar(36), customer_id varchar(36), status varchar(20))
                PARTITION BY HASH (day);
            CREATE FOREIGN TABLE far PARTITION OF events
                FOR VALUES WITH (MODULUS 1, REMAINDER 0) SERVER there;
        """,
        r"public\.far is a foreign table",
    ),
    "an index of one partition": (
        RANGE + "CREATE INDEX alone ON events_2024 (id);",
        r"the partition public\.events_2024 has the index alone",
    ),
    "a CHECK of one partition": (
        RANGE + "ALTER TABLE events_2024 ADD CONSTRAINT alone CHECK (status <> '');",
        r"the partition public\.events_2024 has the constraint alone",
    ),
    "a default of one partition": (
        RANGE + "ALTER TABLE events_2024 ALTER status SET DEFAULT 'closed';",
        r"the partition public\.events_2024 has the default of status",
    ),
    "a trigger of one partition": (
        RANGE
        + """
            CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
            CREATE TRIGGER alone BEFORE INSERT ON events_2024 FOR EACH ROW EXECUTE FUNCTION f();
        """,
        r"the partition public\.events_2024 has the trigger alone",
    ),
    "inheritance": (
        RANGE + "CREATE TABLE old_customers () INHERITS (customers);",
        r"customers shares columns with public\.old_customers by inheritance",
    ),
    "a trigger that is off in one partition": (
        RANGE
        + """
            CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
            CREATE TRIGGER t BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION f();
            ALTER TABLE events_2024 DISABLE TRIGGER t;
        """,
        r"the partition public\.events_2024 has the trigger t in another state",
    ),
    "a foreign key to one partition": (
        RANGE
        + """
            CREATE TABLE x (
                day date, kind integer, id varchar(36),
                CONSTRAINT alone FOREIGN KEY (day, kind, id) REFERENCES events_2024
            );
        """,
        r"the foreign key public\.x\.alone refers to public\.events_2024, which is a partition",
    ),
    "a view of one partition": (
        RANGE + "CREATE VIEW v AS SELECT id FROM events_2024;",
        r"view public\.v uses public\.events_2024\.id",
    ),
}


@pytest.mark.parametrize(("schema", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_a_partition_has_of_its_own_is_refused(
    journey: Journey, schema: str, reason: str
) -> None:
    with pytest.raises(StandardError, match=reason):
        journey.start(schema, STANDARD)


def test_check_finds_what_is_refused(journey: Journey) -> None:
    service = journey.start(RANGE, STANDARD)
    standard = load_standard(journey.folder / "standard.toml")
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        report = check(connection, standard)
        assert report.ready
        assert [t.rows for t in report.tables if t.name.name == "events"] == [200]
        connection.execute("CREATE VIEW v AS SELECT id FROM events_2024")
        found = check(connection, standard).findings
    stops = [f.problem for f in found if f.severity is Severity.STOPS]
    assert stops == ["view public.v uses public.events_2024.id, which is to be converted"]


def test_a_key_from_a_partitioned_table_to_itself_is_converted_in_a_window(
    journey: Journey,
) -> None:
    tree = """
        CREATE TABLE things (
            id varchar(36), kind integer, parent_id varchar(36), status varchar(20),
            PRIMARY KEY (kind, id), FOREIGN KEY (kind, parent_id) REFERENCES things (kind, id)
        ) PARTITION BY LIST (kind);
        CREATE TABLE things_1 PARTITION OF things FOR VALUES IN (1);
        CREATE TABLE things_rest PARTITION OF things DEFAULT;
        INSERT INTO things SELECT gen_random_uuid(), n % 3, NULL, 'open'
        FROM generate_series(1, 30) AS n;
        UPDATE things SET parent_id = (
            SELECT min(t.id) FROM things AS t WHERE t.kind = things.kind
        );
    """
    standard = (
        ENUM
        + """
        [table.things]
        name = "thing"
        uuids = ["id", "parent_id"]
        enums.status = "Status"
    """
    )
    journey.there_and_back(tree, standard, strategies=["window"])
    service = journey.start(tree, standard)
    assert not (service.folder / "online" / "0301_enforce_thing_check.sql").exists()


def test_a_table_that_only_gets_another_name_keeps_its_partitions(journey: Journey) -> None:
    journey.there_and_back(RANGE, '[table.events]\nname = "event"\n')


def test_no_column_of_a_partition_key_is_proposed(journey: Journey) -> None:
    service = journey.start(
        """
        CREATE TABLE events (
            day date, id varchar(36), status varchar(20) CHECK (status IN ('open', 'closed')),
            PRIMARY KEY (id, status)
        ) PARTITION BY LIST (status);
        CREATE TABLE events_rest PARTITION OF events DEFAULT PARTITION BY LIST (id);
        CREATE TABLE events_all PARTITION OF events_rest DEFAULT;
        INSERT INTO events SELECT '2024-01-01', gen_random_uuid(), 'open'
        FROM generate_series(1, 30);
        """,
        '[table.events]\nname = "event"\n',
    )
    shown = run_trueup("propose", "journey", dsn=service.dsn)
    assert shown.returncode == 0, shown.stderr
    assert tomllib.loads(shown.stdout)["table"] == {"events": {"name": "event", "uuids": []}}
    assert "public.events.id is in a partition key" in shown.stdout
    assert "public.events.status is in a partition key" in shown.stdout


@pytest.mark.parametrize("name", ["parent_of_it", "y" * 48 + "_parent_id_fkey"])
def test_a_foreign_key_that_keeps_its_name_comes_through(journey: Journey, name: str) -> None:
    schema = f"""
        CREATE TABLE things (id varchar(36) PRIMARY KEY);
        INSERT INTO things SELECT gen_random_uuid()::varchar FROM generate_series(1, 3);
        CREATE TABLE pieces (
            id varchar(36), slot integer, parent_id varchar(36), PRIMARY KEY (id, slot)
        ) PARTITION BY LIST (slot);
        CREATE TABLE pieces_0 PARTITION OF pieces FOR VALUES IN (0, 1);
        CREATE TABLE pieces_1 PARTITION OF pieces DEFAULT PARTITION BY LIST (slot);
        CREATE TABLE pieces_2 PARTITION OF pieces_1 DEFAULT;
        ALTER TABLE pieces ADD CONSTRAINT {name} FOREIGN KEY (parent_id) REFERENCES things
            ON DELETE CASCADE;
        INSERT INTO pieces SELECT gen_random_uuid(), 1, id FROM things;
        INSERT INTO pieces SELECT gen_random_uuid(), 7, id FROM things;
    """
    standard = """
        [table.things]
        name = "thing"
        uuids = ["id"]

        [table.pieces]
        name = "piece"
        uuids = ["id", "parent_id"]
    """
    journey.there_and_back(schema, standard)
