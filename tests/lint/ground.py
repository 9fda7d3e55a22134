"""What the examples of rules take for granted, by the name that they use for it."""

from __future__ import annotations

import re

_COLUMNS = """
    (id bigint PRIMARY KEY, a text, b text, c text, n int, age int, email text, mail text,
    name text, first text, last text, full_name text, status text DEFAULT 'A', state text,
    gone boolean, user_id bigint, u bigint, m text, at timestamptz, created_at timestamptz,
    value text)
"""
_FUNCTION = "CREATE FUNCTION {} RETURNS {} LANGUAGE {} AS $${}$$"
_TABLES = (
    "users orders items sessions settings events docs t u o user_backup archived user_copy jobs"
)
_ON_USERS = f"CREATE TABLE IF NOT EXISTS users {_COLUMNS}; "
GROUND = {
    "the_application": (
        "DO $$ BEGIN CREATE ROLE the_application; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    ),
    "app": (
        "DO $$ BEGIN CREATE ROLE app; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
        " CREATE SCHEMA app"
    ),
    "archive": "CREATE SCHEMA archive",
    "next": "CREATE SCHEMA next",
    "mood": "CREATE TYPE mood AS ENUM ('happy', 'sad')",
    "email": "CREATE DOMAIN email AS text",
    **{name: f"CREATE TABLE {name} {_COLUMNS}" for name in _TABLES.split()},
    "d": "CREATE TABLE d (b text)",
    "a": "CREATE TABLE a (id int PRIMARY KEY, state text)",
    "m": "CREATE TABLE m (n int, t date) PARTITION BY RANGE (n)",
    "m_2024": "CREATE TABLE m_2024 (n int, t date)",
    "m_2020": "CREATE TABLE m_2020 PARTITION OF m FOR VALUES FROM (20) TO (30)",
    "booking": "CREATE TABLE booking (during tstzrange)",
    "active_users": "CREATE VIEW active_users AS SELECT 1 AS id",
    "totals": "CREATE MATERIALIZED VIEW totals AS SELECT 1 AS n; CREATE UNIQUE INDEX ON totals (n)",
    "sums": "CREATE MATERIALIZED VIEW sums AS SELECT 1 AS n",
    "users_email_idx": _ON_USERS + "CREATE INDEX users_email_idx ON users (email)",
    "users_new_pkey": _ON_USERS + "CREATE UNIQUE INDEX users_new_pkey ON users (id)",
    "users_pkey": "SELECT 1",
    "orders_user_id_fkey": (
        f"CREATE TABLE IF NOT EXISTS orders {_COLUMNS};"
        " ALTER TABLE orders ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id)"
        " REFERENCES orders"
    ),
    "c": _ON_USERS + "ALTER TABLE users ADD CONSTRAINT c CHECK (true)",
    "i": "CREATE TABLE i_of (a int); CREATE INDEX i ON i_of (a)",
    "next_code": _FUNCTION.format("app.next_code()", "text", "sql", "SELECT ''"),
    "audit": (
        _ON_USERS
        + _FUNCTION.format("audit()", "trigger", "plpgsql", "BEGIN RETURN NEW; END")
        + "; CREATE TRIGGER audit BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION audit()"
    ),
    "users_id_seq": "CREATE SEQUENCE users_id_seq",
    "the_t": "CREATE TABLE the_t (id int)",
}


def without_columns(statement: str, text: str) -> str:
    """A table without the columns and the key that the files themselves add."""
    for made in re.finditer(r"ADD COLUMN (\w+)|COLUMN \w+ TO (\w+)", text):
        name = made[1] or made[2]
        if not re.search(rf"\b{name}\b", text[: made.start(made.lastindex or 0)]):
            statement = re.sub(rf"\b{name} (?:text|bigint|int|timestamptz)[^,)]*, ", "", statement)
    if re.search(r"ADD PRIMARY KEY|DROP CONSTRAINT f\b", text):
        statement = statement.replace(" PRIMARY KEY", "")
    return statement


_SHOP = """
    (id bigint PRIMARY KEY, email text, state text DEFAULT 'new', region text,
    first_name text, last_name text, full_name text, deleted_at timestamptz, customer_id bigint,
    note text, user_id bigint, token text, created_at timestamp, body text, sku text,
    placed_at timestamptz, shipped_at timestamptz)
"""
# What the files of corpus/hazards/plain and flyway take for granted.
CORPUS_GROUND = {
    "the_application": GROUND["the_application"],
    "order_state": "CREATE TYPE order_state AS ENUM ('new', 'paid', 'canceled')",
    "DOMAIN": "CREATE DOMAIN email AS text",
    **{
        name: f"CREATE TABLE {name} {_SHOP}"
        for name in "orders users events customers product sessions article".split()
    },
    "audit": "CREATE TABLE audit (id bigint)",
    "lines": "CREATE TABLE lines (n int)",
    "kinds": "CREATE TABLE kinds (name text)",
    "legacy_orders": "CREATE TABLE legacy_orders (id bigint)",
    "booking": "CREATE TABLE booking (room int4range, during tstzrange)",
    "measurement": "CREATE TABLE measurement (at date) PARTITION BY RANGE (at)",
    "measurement_2019": "CREATE TABLE measurement_2019 (at date)",
    "DETACH": (
        "ALTER TABLE measurement ATTACH PARTITION measurement_2019"
        " FOR VALUES FROM ('2019-01-01') TO ('2020-01-01')"
    ),
    "daily_totals": (
        "CREATE MATERIALIZED VIEW daily_totals AS SELECT 1 AS n;"
        " CREATE UNIQUE INDEX ON daily_totals (n)"
    ),
    "accounts": "CREATE TABLE accounts (id bigint PRIMARY KEY, closed boolean)",
    "orders_id_seq": "CREATE SEQUENCE orders_id_seq",
}
