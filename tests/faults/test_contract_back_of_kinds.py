"""The rollback of contract under clients of the new contract, for tables of other kinds.

And from wherever contract was broken off.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from objects.things import PARTS, STANDARD
from psycopg import errors
from support.databases import DatabaseFactory
from support.journey import Journey, assert_same
from support.runs import query
from support.variants import Service

from faults.conftest import COMPLETE


@dataclass(frozen=True)
class Kind:
    """A schema and what clients of the new contract send, `{k}` one of their keys.

    Args:
        schema: makes the old contract; things have id, status and n.
        standard: its standard.toml.
        key: what the key is called under the new contract.
        insert: how a row is inserted with a key, n being 0.
        status: how the converted column is written.
    """

    schema: str
    standard: str
    key: str = "id"
    insert: str = "INSERT INTO thing (id, status, n) VALUES (%(k)s, 'OPEN', 0)"
    more: tuple[str, ...] = field(default=())


ROWS = "FROM generate_series(1, 3000) AS i"
KINDS = {
    "a cycle of tables": Kind(
        f"""
        CREATE TABLE things (id varchar(36) PRIMARY KEY, status varchar(20) NOT NULL,
            n integer NOT NULL DEFAULT 0, part_id varchar(36));
        INSERT INTO things SELECT gen_random_uuid(), 'Open', 0 {ROWS};
        CREATE TABLE parts (id varchar(36) PRIMARY KEY,
            thing_id varchar(36) REFERENCES things ON DELETE CASCADE);
        INSERT INTO parts SELECT upper(gen_random_uuid()::text), id FROM things;
        UPDATE things SET part_id = (SELECT id FROM parts WHERE thing_id = things.id LIMIT 1);
        ALTER TABLE things ADD FOREIGN KEY (part_id) REFERENCES parts
            DEFERRABLE INITIALLY DEFERRED;
        """,
        STANDARD.replace('["id"]', '["id", "part_id"]') + PARTS,
        more=(
            "INSERT INTO part (id, thing_id) SELECT gen_random_uuid(), id FROM thing"
            " WHERE id = %(k)s",
            "UPDATE thing SET part_id = (SELECT p.id FROM part AS p WHERE p.thing_id = thing.id"
            " LIMIT 1) WHERE id = %(k)s",
        ),
    ),
    "partitions": Kind(
        f"""
        CREATE TABLE things (id varchar(36), kind integer NOT NULL DEFAULT 1,
            status varchar(20) NOT NULL, n integer NOT NULL DEFAULT 0, PRIMARY KEY (id, kind))
            PARTITION BY LIST (kind);
        CREATE TABLE things_1 PARTITION OF things FOR VALUES IN (1);
        CREATE TABLE things_2 PARTITION OF things FOR VALUES IN (2);
        INSERT INTO things SELECT gen_random_uuid(), 1 + (i > 20)::integer, 'Open', 0 {ROWS};
        """,
        STANDARD,
        key="id, kind",
        insert="INSERT INTO thing (id, kind, status, n) VALUES (%(k)s, 1, 'OPEN', 0)",
    ),
    "a renamed key": Kind(
        f"""
        CREATE TABLE things (thing_key varchar(36) PRIMARY KEY, status varchar(20) NOT NULL,
            n integer NOT NULL DEFAULT 0);
        INSERT INTO things SELECT gen_random_uuid(), 'Open', 0 {ROWS};
        """,
        STANDARD.replace('uuids = ["id"]', 'columns = { thing_key = "id" }'),
    ),
    "domains": Kind(
        f"""
        CREATE DOMAIN uid AS varchar(36) CHECK (length(VALUE) = 36);
        CREATE DOMAIN state AS varchar(10) CHECK (lower(VALUE) IN ('open', 'closed'));
        CREATE TABLE things (id uid PRIMARY KEY, status state NOT NULL DEFAULT 'open',
            n integer NOT NULL DEFAULT 0);
        INSERT INTO things SELECT gen_random_uuid(), 'open', 0 {ROWS};
        """,
        STANDARD,
    ),
}


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture
def service(kind: Kind, database_factory: DatabaseFactory, tmp_path: Path) -> Service:
    """The database at the old contract."""
    return Journey(database_factory, tmp_path).start(kind.schema, kind.standard)


class Writer(threading.Thread):
    """A client of the new contract that writes the same few rows as the others."""

    def __init__(self, number: int, dsn: str, kind: Kind, keys: list[str], level: str) -> None:
        super().__init__(daemon=True)
        self.counted = dict.fromkeys(keys, 0)
        self.errors: list[str] = []
        self.rounds = 0
        self._dsn, self._kind, self._level = dsn, kind, level
        self._chance = random.Random(number)
        self._ended = threading.Event()

    def stop(self) -> None:
        self._ended.set()
        self.join(60)

    def run(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(f"SET default_transaction_isolation = '{self._level}'".encode())
            while not self._ended.wait(0.005):
                self.rounds += 1
                key = self._chance.choice(list(self.counted))
                try:
                    with connection.transaction():
                        self._write(connection, {"k": key})
                    self.counted[key] += 2
                except errors.SerializationFailure as error:
                    if self._level == "read committed":
                        self.errors.append(str(error))
                except psycopg.Error as error:
                    self.errors.append(f"{error.sqlstate}: {error}")

    def _write(self, connection: psycopg.Connection[Any], values: dict[str, str]) -> None:
        kind = self._kind
        update = "UPDATE SET n = thing.n + 1, status = 'CLOSED'"
        upsert = f"{kind.insert} ON CONFLICT ({kind.key}) DO {update}"
        count = "UPDATE thing SET n = n + 1, status = %(s)s WHERE id = %(k)s"
        fresh = kind.insert.replace("%(k)s", "gen_random_uuid()")
        chosen = self._chance.choice(("OPEN", "CLOSED"))
        for statement in (upsert, count, *kind.more, fresh):
            connection.execute(statement.encode(), {**values, "s": chosen})
        rows = connection.execute(b"SELECT status FROM thing WHERE id = %(k)s", values).fetchall()
        assert rows == [(chosen,)], rows


@contextmanager
def writers(service: Service, kind: Kind) -> Iterator[list[Writer]]:
    """Clients that write until the context ends."""
    keys = [str(k) for (k,) in query(service.dsn, "SELECT id FROM thing ORDER BY ctid LIMIT 6")]
    levels = ("read committed", "read committed", "repeatable read")
    found = [Writer(n, service.dsn, kind, keys, level) for n, level in enumerate(levels)]
    for writer in found:
        writer.start()
    try:
        yield found
    finally:
        for writer in found:
            writer.stop()


def test_clients_of_the_new_contract_notice_nothing(service: Service, kind: Kind) -> None:
    service.up("contract")
    with writers(service, kind) as clients:
        service.down("online", to="switch")
    assert [error for client in clients for error in client.errors] == []
    assert all(client.rounds for client in clients)
    for key in clients[0].counted:
        counted = query(service.dsn, "SELECT n FROM thing WHERE id::text = %s", key)
        assert counted == [(sum(client.counted[key] for client in clients),)]
    assert sides_that_differ(service) == 0
    service.down("online")


def sides_that_differ(service: Service) -> int:
    """How many things do not mean the same on both sides, or have one side only."""
    two_ids = query(
        service.dsn,
        "SELECT 1 FROM pg_attribute WHERE attrelid = 'thing'::regclass AND attname = 'id__old'",
    )
    ids: LiteralString = "id::text IS DISTINCT FROM lower(id__old)" if two_ids else "false"
    statement = f"SELECT count(*) FROM thing WHERE status <> upper(status__old) OR {ids}"
    ((count,),) = query(service.dsn, statement)
    return int(count)


def test_contract_goes_back_from_wherever_it_was_broken_off(service: Service) -> None:
    service.up("switch")
    before = service.state()
    files = [m.id for m in service.migrations("online") if m.phase == "contract"]
    # At the keys, nothing is there yet that their way back builds upon.
    for last in files if COMPLETE else [i for i in files if i.endswith("_keys")]:
        service.apply("online", last)
        service.down("online", to="switch")
        assert_same(before, service.state(), last, column_order=False)
