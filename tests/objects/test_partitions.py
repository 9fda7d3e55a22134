"""Partitioned tables: converted partition by partition, by both strategies."""

from __future__ import annotations

import pytest
from support.journey import Journey

from objects.things import ENUM

STANDARD = (
    ENUM
    + """
[table.customers]
name = "customer"
uuids = ["id"]

[table.events]
name = "event"
uuids = ["id", "customer_id"]
enums.status = "Status"
"""
)

NOTES = """
[table.notes]
name = "note"
uuids = ["id", "event_id"]
"""

CUSTOMERS = """
    CREATE TABLE customers (id varchar(36) PRIMARY KEY);
    INSERT INTO customers
    SELECT CASE WHEN n % 3 = 0 THEN upper(gen_random_uuid()::text) ELSE gen_random_uuid()::text END
    FROM generate_series(1, 9) AS n;
"""

COLUMNS = """
    day date NOT NULL,
    kind integer NOT NULL,
    id varchar(36) NOT NULL DEFAULT gen_random_uuid()::varchar,
    status varchar(20) NOT NULL DEFAULT 'open',
    customer_id varchar(36) REFERENCES customers (id) ON DELETE CASCADE,
    amount integer CHECK (amount > 0)
"""

# Every index a table may have, and rows in each partition.
REST = """
    CREATE INDEX events_open ON events (kind, customer_id) WHERE status = 'open';
    CREATE INDEX ON events (amount);
    CREATE INDEX ON events (status);
    COMMENT ON INDEX events_open IS 'root';
    INSERT INTO events (day, kind, id, status, customer_id, amount)
    SELECT date '2024-01-01' + n * 7, n % 4,
        CASE WHEN n % 5 = 0 THEN upper(gen_random_uuid()::text) ELSE gen_random_uuid()::text END,
        CASE n % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'Closed' ELSE 'OPEN' END,
        (SELECT id FROM customers ORDER BY id LIMIT 1 OFFSET n % 9), n
    FROM generate_series(1, 200) AS n;
"""

KEYS = "PRIMARY KEY (day, kind, id), UNIQUE (customer_id, day, kind, id)"


def events(by: str, partitions: str, columns: str = COLUMNS, keys: str = KEYS) -> str:
    """SQL for the partitioned table events, its partitions, indexes and rows."""
    return f"""
        {CUSTOMERS}
        CREATE TABLE events ({columns}, {keys}) PARTITION BY {by};
        {partitions}
        {REST}
    """


BY_DAY = """
    CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE TABLE events_empty PARTITION OF events FOR VALUES FROM ('2040-01-01') TO ('2041-01-01');
    CREATE TABLE events_rest PARTITION OF events DEFAULT;
    COMMENT ON INDEX events_2024_pkey IS 'the key of one partition';
"""
RANGE = events("RANGE (day)", BY_DAY)

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
        CREATE TABLE marks (day date, kind integer, customer_id varchar(36), id varchar(36),
            FOREIGN KEY (customer_id, day, kind, id) REFERENCES events (customer_id, day, kind, id)
        );
        INSERT INTO marks SELECT day, kind, customer_id, id FROM events;
    """
    marks = '[table.marks]\nname = "mark"\nuuids = ["customer_id", "id"]\n'
    journey.there_and_back(
        KINDS["levels"]
        .replace(
            "SELECT CASE WHEN n % 3 = 0 THEN upper(gen_random_uuid()::text) ELSE",
            "SELECT CASE WHEN n % 3 = 0 THEN gen_random_uuid()::text ELSE",
        )
        .replace(
            "CASE WHEN n % 5 = 0 THEN upper(gen_random_uuid()::text) ELSE gen_random_uuid()::text END",
            "gen_random_uuid()",
        )
        + notes,
        STANDARD + NOTES + marks,
    )


def test_a_key_before_the_partition_key_comes_through(journey: Journey) -> None:
    columns = "id varchar(36) NOT NULL DEFAULT gen_random_uuid()::varchar," + COLUMNS.replace(
        "id varchar(36) NOT NULL DEFAULT gen_random_uuid()::varchar,", "", 1
    )
    journey.there_and_back(events("RANGE (day)", BY_DAY, columns), STANDARD, column_order=False)


def test_a_partition_of_another_column_order_comes_through(journey: Journey) -> None:
    attached = f"""
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
    journey.there_and_back(events("RANGE (day)", attached), STANDARD, column_order=False)
