"""What comes through alone, in the company that random schemas found it in."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from support.journey import Journey
from support.runs import query

from objects.things import PARTS, STANDARD, things

NATIVE = "CREATE TYPE state AS ENUM ('open', 'closed');"
# Partitions of things: an id of its own beside the partition key.
PARTITIONED = """
    CREATE TABLE things (
        id varchar(36) NOT NULL, status varchar(20) NOT NULL DEFAULT 'open', n integer NOT NULL,
        {key}
    ) PARTITION BY LIST (n);
    CREATE TABLE things_1 PARTITION OF things FOR VALUES IN (1);
    CREATE TABLE things_rest PARTITION OF things DEFAULT;
    INSERT INTO things SELECT {id}, 'open', n FROM generate_series(1, 3) AS n;
"""
KEYED = PARTITIONED.format(key="PRIMARY KEY (id, n)", id="upper(gen_random_uuid()::text)")

TOGETHER = {
    "statistics of a function of a text id": (
        """
        CREATE TABLE things (id text PRIMARY KEY, status varchar(20) NOT NULL);
        INSERT INTO things VALUES (gen_random_uuid(), 'Open');
        CREATE STATISTICS s ON id, (length(id)) FROM things;
        """,
        STANDARD,
    ),
    "statistics of a native value": (
        NATIVE
        + """
        CREATE TABLE things (id char(36) PRIMARY KEY, status state NOT NULL);
        INSERT INTO things VALUES (gen_random_uuid(), 'open');
        CREATE STATISTICS s ON (status = 'open'), (lower(id)) FROM things;
        """,
        STANDARD,
    ),
    "views and policies of functions of a text id": (
        """
        CREATE TABLE things (id text PRIMARY KEY, status varchar(20) NOT NULL);
        INSERT INTO things VALUES (gen_random_uuid(), 'Open');
        CREATE VIEW v AS SELECT length(id), count(id), left(id, 2) FROM things AS t GROUP BY id;
        CREATE VIEW w AS SELECT id FROM things WHERE id <> '' AND id LIKE '%-%';
        CREATE POLICY p ON things USING (length(id) > 3 AND id <> 'none');
        """,
        STANDARD,
    ),
    "a view of a char id beside a varchar one": (
        things(
            then="""
                CREATE TABLE parts (
                    id char(36) PRIMARY KEY, thing_id varchar(36) NOT NULL REFERENCES things
                );
                INSERT INTO parts SELECT id, id FROM things;
                CREATE VIEW same AS SELECT p.id FROM parts AS p WHERE p.id = p.thing_id;
            """
        ),
        STANDARD + PARTS,
    ),
    "a published partitioned table": (KEYED + "CREATE PUBLICATION p FOR TABLE things;", STANDARD),
    "a foreign key that is not valid, to a partitioned table": (
        KEYED
        + """
        CREATE TABLE parts (id varchar(36) PRIMARY KEY, thing_id varchar(36), n integer);
        INSERT INTO parts VALUES (gen_random_uuid(), gen_random_uuid(), 1);
        ALTER TABLE parts ADD FOREIGN KEY (thing_id, n) REFERENCES things (id, n) NOT VALID;
        """,
        STANDARD + PARTS,
    ),
    "comments of what is set aside": (
        things(
            "n integer DEFAULT 1",
            "m integer DEFAULT 1",
            then="""
                CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                CREATE TRIGGER a AFTER UPDATE OF n ON things
                    FOR EACH ROW EXECUTE FUNCTION f();
                COMMENT ON TRIGGER a ON things IS 'of n';
                CREATE TRIGGER b AFTER UPDATE ON things
                    FOR EACH ROW WHEN (NEW.n > 3) EXECUTE FUNCTION f();
                COMMENT ON TRIGGER b ON things IS 'above';
                ALTER TABLE things ENABLE ALWAYS TRIGGER b;
                CREATE POLICY p ON things USING (n > 3);
                COMMENT ON POLICY p ON things IS 'of some';
                CREATE STATISTICS s ON n, m FROM things;
                COMMENT ON STATISTICS s IS 'of two';
                ALTER STATISTICS s SET STATISTICS 77;
            """,
        ).replace("ENABLE ALWAYS TRIGGER b", "DISABLE TRIGGER b"),
        STANDARD,
    ),
    "a trigger of whole rows": (
        things(
            "n integer DEFAULT 1",
            then="""
                CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                CREATE TRIGGER a AFTER UPDATE ON things
                    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION f();
                CREATE TRIGGER b BEFORE UPDATE ON things
                    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION f();
            """,
        ),
        STANDARD,
    ),
    "settings of a materialized view's columns": (
        things(
            "n text DEFAULT 'x'",
            then="""
                CREATE MATERIALIZED VIEW m WITH (fillfactor = 70) AS
                    SELECT id, status, n, n || 'y' AS ny FROM things;
                ALTER MATERIALIZED VIEW m
                    ALTER n SET STORAGE MAIN, ALTER ny SET STORAGE EXTERNAL,
                    ALTER n SET STATISTICS 7, ALTER ny SET COMPRESSION pglz,
                    ALTER status SET STORAGE PLAIN, ALTER id SET STORAGE EXTERNAL;
            """,
        ),
        STANDARD,
    ),
}


@pytest.mark.parametrize(("schema", "standard"), TOGETHER.values(), ids=TOGETHER)
def test_they_come_through_together(journey: Journey, schema: str, standard: str) -> None:
    journey.there_and_back(schema, standard)


WINDOW = {
    "a key that may wait identifies no row": (
        """
        CREATE TABLE things (id varchar(36) PRIMARY KEY DEFERRABLE, status varchar(20) NOT NULL);
        INSERT INTO things VALUES (gen_random_uuid(), 'Open');
        CREATE PUBLICATION p FOR TABLE things;
        """,
        "public.things publishes its updates",
    ),
    "nor has a partition its table's identity": (
        PARTITIONED.format(key="CHECK (n > 0)", id="gen_random_uuid()")
        + """
        ALTER TABLE things REPLICA IDENTITY FULL;
        ALTER TABLE things_rest REPLICA IDENTITY FULL;
        CREATE PUBLICATION p FOR TABLE things;
        """,
        "public.things_1 publishes its updates",
    ),
}
GENERATED = things(
    "n integer DEFAULT 1",
    "m integer GENERATED ALWAYS AS (n * 2) STORED",
    then="CREATE PUBLICATION p FOR TABLE things;",
)


@pytest.mark.parametrize(("schema", "reason"), WINDOW.values(), ids=WINDOW)
def test_what_they_only_are_together_needs_a_window(
    journey: Journey, schema: str, reason: str
) -> None:
    journey.only_in_a_window(schema, STANDARD, reason)


def test_a_published_table_with_generated_columns_comes_through(journey: Journey) -> None:
    journey.there_and_back(GENERATED, STANDARD)


def test_a_published_table_with_generated_columns_and_no_key_is_refused(
    journey: Journey, since: Callable[[int], None]
) -> None:
    since(18)
    reason = "public.things publishes its updates and has neither a key"
    full = GENERATED + "ALTER TABLE things REPLICA IDENTITY FULL;"
    journey.stopped(full, STANDARD, reason)
    journey.stopped(GENERATED.replace("PRIMARY KEY", ""), STANDARD, reason)


def test_both_contracts_write_json_into_partitions(journey: Journey) -> None:
    schema = KEYED + 'ALTER TABLE things ADD body json DEFAULT \'{"kind": "open"}\';'
    standard = STANDARD + 'json.body.kind = "Status"\n'
    journey.there_and_back(schema, standard)
    service = journey.start(schema, standard)
    service.up("enforce")
    with psycopg.connect(service.dsn, autocommit=True) as client:
        client.execute("INSERT INTO things (id, n) VALUES (gen_random_uuid(), 7)")
        client.execute("UPDATE thing SET n = 1 WHERE n = 7")
        client.execute('UPDATE things SET n = 8, body = \'{"kind": "Closed"}\' WHERE n = 3')
        shown = "SELECT n, body ->> 'kind' FROM {} WHERE n IN (1, 8) ORDER BY 1, 2"
        assert query(service.dsn, shown.format("things")) == [
            (1, "open"),
            (1, "open"),
            (8, "Closed"),
        ]
        assert query(service.dsn, shown.format("thing")) == [
            (1, "OPEN"),
            (1, "OPEN"),
            (8, "CLOSED"),
        ]


def test_a_function_of_whole_rows_is_refused(journey: Journey) -> None:
    schema = things(
        then="""
            CREATE FUNCTION f() RETURNS bigint LANGUAGE sql
                BEGIN ATOMIC SELECT count(t.*) FROM things AS t; END;
        """
    )
    journey.stopped(schema, STANDARD, "function public.f() shows whole rows of public.things")


def test_a_function_that_takes_rows_of_a_table_with_an_odd_name_is_refused(
    journey: Journey,
) -> None:
    schema = """
        CREATE TABLE "Odd things" (id varchar(36) PRIMARY KEY);
        CREATE FUNCTION f(x "Odd things") RETURNS bigint LANGUAGE sql
            BEGIN ATOMIC SELECT count(id) FROM "Odd things"; END;
    """
    standard = '[table."Odd things"]\nname = "Odd thing"\nuuids = ["id"]\n'
    journey.stopped(schema, standard, "takes or gives whole rows")


@pytest.mark.parametrize(
    "shown",
    ["t", "t AS whole", "row_to_json(t) AS whole", "count(t.*)"],
)
def test_whole_rows_are_refused(journey: Journey, shown: str) -> None:
    schema = things("kind text", then=f"CREATE VIEW v AS SELECT {shown} FROM things AS t;")
    journey.stopped(schema, STANDARD, "view public.v shows whole rows of public.things")
