"""What a client may send to a table and not to the view that takes its name at the switch.

The list in docs/operating.md is made here, from the server's own answers.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import psycopg
import pytest
from support.variants import migrations_of, write_generated

from runner.quoting import Name
from runner.workload import Refusal, Stage, try_workload

PAGE = Path(__file__).parents[3] / "docs" / "operating.md"
BEGIN, END = "<!-- made by tests/database/workload -->\n", "<!-- end -->\n"

SCHEMA = """
    CREATE TYPE state AS ENUM ('open', 'paid');
    CREATE TABLE customers (id varchar(36) PRIMARY KEY, name text NOT NULL, email text UNIQUE);
    CREATE TABLE purchases (
        id serial PRIMARY KEY, customer_id varchar(36) NOT NULL REFERENCES customers (id),
        state state NOT NULL DEFAULT 'open', total int);
"""
STANDARD = """[service]
name = "shop"

[enum.state]
values = ["OPEN", "PAID"]

[table.customers]
name = "customer"
uuids = ["id"]

[table.purchases]
name = "purchase"
uuids = ["customer_id"]
enums = { state = "state" }
"""
# By what a client sends; each with whether the view refuses it.
REFUSED = {
    "`GROUP BY` the key, other columns beside it": (
        "SELECT c.id, c.name, count(*) FROM customers c GROUP BY c.id"
    ),
    "`ON CONFLICT ON CONSTRAINT`": (
        "INSERT INTO customers VALUES ('x', 'x', 'x')"
        " ON CONFLICT ON CONSTRAINT customers_email_key DO NOTHING"
    ),
    "`COPY` from a client": "COPY customers (id, name) FROM STDIN",
    "`COPY` to a client": "COPY customers (id, name) TO STDOUT",
    "`TRUNCATE`": "TRUNCATE purchases",
    "`ctid`": "DELETE FROM purchases WHERE ctid IN (SELECT ctid FROM purchases LIMIT 10)",
    "`xmin`, `xmax`": "SELECT xmin, id FROM purchases",
    "`tableoid`": "SELECT tableoid, id FROM purchases",
    "`TABLESAMPLE`": "SELECT id FROM purchases TABLESAMPLE SYSTEM (10)",
    "`pg_get_serial_sequence`": "SELECT pg_get_serial_sequence('purchases', 'id')",
    "`ANALYZE`": "ANALYZE purchases",
    "`VACUUM`": "VACUUM purchases",
    "`REINDEX TABLE`": "REINDEX TABLE purchases",
    "`CLUSTER`": "CLUSTER purchases USING purchases_pkey",
    "a look-up of tables in the catalog": (
        "SELECT relname FROM pg_class WHERE relname = 'purchases' AND relkind IN ('r', 'p')"
    ),
    "`information_schema`, `BASE TABLE`": (
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_name = 'purchases' AND table_type = 'BASE TABLE'"
    ),
    "a look-up of the primary key": (
        "SELECT indexrelid::regclass FROM pg_index"
        " WHERE indrelid = 'purchases'::regclass AND indisprimary"
    ),
    "`CREATE INDEX`": "CREATE INDEX ON purchases (total)",
    "`ALTER TABLE ... ADD COLUMN`": "ALTER TABLE purchases ADD COLUMN note text",
    "a foreign key to it": "CREATE TABLE refunds (purchase_id int REFERENCES purchases (id))",
    "`DISABLE TRIGGER`": "ALTER TABLE purchases DISABLE TRIGGER USER",
    "`CREATE TRIGGER ... FOR EACH ROW`": (
        "CREATE TRIGGER t BEFORE UPDATE ON purchases FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
}
TAKEN = {
    "`SELECT *`": "SELECT * FROM purchases",
    "`ON CONFLICT (columns)`": (
        "INSERT INTO customers VALUES ('x', 'x', 'x') ON CONFLICT (email) DO UPDATE SET name = 'y'"
    ),
    "`INSERT ... RETURNING`": "INSERT INTO purchases (customer_id) VALUES ('x') RETURNING id",
    "`UPDATE ... FROM`": (
        "UPDATE purchases p SET total = 1 FROM customers c WHERE c.id = p.customer_id"
    ),
    "`DELETE ... USING`": "DELETE FROM purchases p USING customers c WHERE c.id = p.customer_id",
    "`FOR UPDATE SKIP LOCKED`": "SELECT id FROM purchases LIMIT 1 FOR UPDATE SKIP LOCKED",
    "`FOR UPDATE OF`": (
        "SELECT p.id FROM purchases p JOIN customers c ON c.id = p.customer_id FOR UPDATE OF p"
    ),
    "`LOCK TABLE`": "LOCK TABLE purchases IN SHARE ROW EXCLUSIVE MODE",
    "`nextval` by the sequence's name": "SELECT nextval('purchases_id_seq')",
    "`DEFAULT`": "INSERT INTO purchases VALUES (DEFAULT, 'x', DEFAULT, 1)",
    "`COPY (SELECT ...) TO`": "COPY (SELECT id FROM purchases) TO STDOUT",
}


@pytest.fixture
def refusals(database: str, tmp_path: Path, server_dsn: str) -> dict[str, Refusal]:
    """What the view refuses, by statement, on the server under test."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SCHEMA)
        newer = connection.info.server_version >= 170000
    standard = tmp_path / "standard.toml"
    standard.write_text(STANDARD, encoding="utf-8")
    write_generated(standard, database, tmp_path)
    merge = (
        "MERGE INTO purchases t USING (SELECT 1 AS id) s ON t.id = s.id"
        " WHEN MATCHED THEN UPDATE SET total = 1"
    )
    sent = [*REFUSED.values(), *TAKEN.values(), *([merge] if newer else [])]
    given = tmp_path / "sent.sql"
    given.write_text("".join(f"{text};\n" for text in sent), encoding="utf-8")
    found = try_workload(
        database,
        migrations_of(tmp_path, "online"),
        tables=[Name("public", "customers"), Name("public", "purchases")],
        statements=[given],
        scratch=server_dsn,
    )
    assert found.count == len(sent), [why for _, why in found.not_tried]
    return {r.sent.text.rstrip(";"): r for r in found.at(Stage.SWITCHED)}


def table_of(refusals: dict[str, Refusal]) -> str:
    lines = ["| a client sends | the view answers | instead |", "| --- | --- | --- |"]
    for what, text in REFUSED.items():
        refusal = refusals[text]
        instead = re.sub(r"(?:, or )?switch after whoever sends it is retired$", "", refusal.advice)
        lines.append(f"| {what} | {refusal.message} | {instead or 'name the table'} |")
    return "\n".join(lines) + "\n"


def test_the_list_in_the_manual_is_what_the_server_answers(
    refusals: dict[str, Refusal], server_dsn: str
) -> None:
    assert {what for what, text in TAKEN.items() if text in refusals} == set()
    assert {what for what, text in REFUSED.items() if text not in refusals} == set()

    with psycopg.connect(server_dsn) as connection:
        newest = connection.info.server_version >= 180000
    if newest:  # older servers say the same in other words
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        there, _, after = rest.partition(END)
        if os.environ.get("UPDATE"):
            text = before + BEGIN + table_of(refusals) + END + after
            PAGE.write_text(text, encoding="utf-8")
        else:
            assert there == table_of(refusals), "run it with UPDATE=1, and read what changed"
