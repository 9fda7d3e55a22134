"""The partitioned table that journeys are about, as SQL with holes, and its standard."""

from __future__ import annotations

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
