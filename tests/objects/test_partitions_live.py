"""A partitioned table while both contracts live: its clients, and partitions that come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
import pytest
from support.journey import Journey, assert_same
from support.processes import eventually
from support.runs import query, run_yoyo, start_trueup
from support.variants import Service

from objects.partitioned import NOTES, RANGE, STANDARD
from runner.errors import StatementError
from runner.execute.backfill import read_walk
from runner.execute.underway import read_backfills

NOTE = """
    CREATE TABLE notes (id varchar(36) PRIMARY KEY, day date, kind integer, event_id varchar(36),
        FOREIGN KEY (day, kind, event_id) REFERENCES events (day, kind, id));
    INSERT INTO notes SELECT gen_random_uuid(), day, kind, id FROM events WHERE amount > 180;
"""
LEAVES = ["events_2024", "events_2025", "events_empty", "events_rest"]


@pytest.fixture
def service(journey: Journey) -> Service:
    """Events in four partitions, and notes that refer to them, at the old contract."""
    return journey.start(RANGE + NOTE, STANDARD + NOTES)


def files(service: Service) -> dict[str, int]:
    """The file on disk of each index of a partition."""
    return dict(
        query(
            service.dsn,
            """
            SELECT c.relname, c.relfilenode FROM pg_index AS x
            JOIN pg_class AS c ON c.oid = x.indexrelid
            JOIN pg_class AS t ON t.oid = x.indrelid
            WHERE t.relname ~ '^events_' AND c.relkind = 'i'
            """,
        )
    )


def out_of_step(service: Service) -> int:
    """How many events whose two sides differ, or whose new side is empty."""
    [(count,)] = query(
        service.dsn,
        """
        SELECT count(*) FROM events
        WHERE (id__new, customer_id__new, status__new)
            IS DISTINCT FROM (id::uuid, customer_id::uuid, upper(status))
        """,
    )
    return int(count)


def named(service: Service, name: str) -> str:
    """The id of the migration that ends in a name."""
    [found] = [m.id for m in service.migrations("online") if m.id.endswith(name)]
    return found


def sources(service: Service) -> list[str]:
    """The folders of the online strategy, in the order of its phases."""
    online = service.folder / "online"
    folders = (service.folder / "common", online, online / "switch", online / "contract")
    return [str(folder) for folder in folders]


def _count(client: psycopg.Connection[Any]) -> None:
    """Let what a session has done so far appear in the statistics."""
    if client.info.server_version >= 150000:
        client.execute("SELECT pg_stat_force_next_flush()")
    else:
        time.sleep(2)  # a session sends it twice a second, and a process of its own writes it


def up_to_contract(service: Service) -> None:
    """Let contract follow upon the use of an old name, which PostgreSQL 15 does not date."""
    read: LiteralString = "CALL trueup.read_odometer('public.events')"

    def is_unused() -> bool:
        with psycopg.connect(service.dsn, autocommit=True) as connection:
            connection.execute(read)
            _count(connection)  # else the next reading does not find this one's
        found = query(
            service.dsn, "SELECT unused_since::text FROM trueup.witnesses('public.events')"
        )
        return (None,) not in found

    with psycopg.connect(service.dsn, autocommit=True) as connection:
        _count(connection)
    service.up("switch")
    eventually(is_unused)
    service.up("contract")


def test_the_table_takes_in_what_its_partitions_have_and_builds_nothing(service: Service) -> None:
    def before_and_after(first: str, last: str) -> tuple[dict[str, int], dict[str, int]]:
        service.up(first)
        before = files(service)
        service.up(last)
        return before, files(service)

    built, live = before_and_after(named(service, "_events_rest_pkey_new"), "enforce")
    assert {n: f for n, f in live.items() if n in built} == built
    key, done = before_and_after(named(service, "_events_rest_pkey_key"), "contract")
    for leaf in LEAVES:
        assert done[f"{leaf}_pkey"] == key[f"{leaf}_pkey__key"]
        assert (
            done[f"{leaf}_customer_id_day_kind_id_key"]
            == key[f"{leaf}_customer_id_day_kind_id_key__new"]
        )
        assert done[f"{leaf}_kind_customer_id_idx"] == key[f"{leaf}_kind_customer_id_idx__new"]


def test_no_file_but_the_proofs_reads_the_rows_of_the_partitions(service: Service) -> None:
    """The foreign key of the table takes in those of its partitions without a scan."""
    service.up(named(service, "_events_rest_event_customer_id_fkey_validate"))
    [text] = [
        m.statements
        for m in service.migrations("online")
        if m.id == named(service, "_enforce_event_customer_id_fkey")
    ]
    with psycopg.connect(service.dsn) as connection:
        for statement in text:
            connection.execute(statement.text.encode())
        read = connection.execute(
            "SELECT sum(seq_scan) FROM pg_stat_xact_user_tables WHERE relname ~ '^events_'"
        ).fetchone()
        connection.rollback()
    assert read == (0,)


def test_clients_of_both_contracts_move_rows_between_partitions(service: Service) -> None:
    service.up("expand")
    with psycopg.connect(service.dsn, autocommit=True) as client:
        # Before the backfill has come to them.
        client.execute("UPDATE event SET day = '2040-05-05' WHERE amount = 1")
        client.execute("UPDATE events SET day = '2040-05-06' WHERE amount = 2")
        service.up("enforce")
        client.execute("UPDATE event SET day = '2024-05-05', status = 'CLOSED' WHERE amount = 150")
        client.execute("UPDATE events SET day = '2024-05-06', status = 'Open' WHERE amount = 151")
        moved = client.execute(
            "SELECT tableoid::regclass::text, status__new, lower(status), status"
            " FROM events WHERE amount IN (150, 151) ORDER BY amount"
        ).fetchall()
        assert moved == [
            ("events_2024", "CLOSED", "closed", "closed"),
            ("events_2024", "OPEN", "open", "Open"),
        ]
        [(day, kind, id_)] = client.execute(
            "SELECT day, kind, id FROM event WHERE amount = 31"
        ).fetchall()
        for phase, table, cast in (
            ("enforce", "event", "uuid"),
            ("enforce", "events", "varchar"),
            ("switch", "events", "varchar"),
            ("switch", "event", "uuid"),
        ):
            service.up(phase)
            client.execute(
                f"INSERT INTO {table} (day, kind, id, amount) VALUES (%s, %s, %s::{cast}, 1)"
                f" ON CONFLICT (day, kind, id) DO UPDATE SET amount = {table}.amount + 1".encode(),
                [day, kind, str(id_)],
            )
    assert query(service.dsn, "SELECT amount FROM event WHERE id = %s", id_) == [(35,)]
    assert query(service.dsn, "SELECT count(*) FROM events") == [(200,)]
    service.down("online", to="enforce")
    assert out_of_step(service) == 0
    up_to_contract(service)
    service.down("online")


def test_a_row_that_the_new_contract_moves_does_not_count_as_use_of_the_old(
    service: Service,
) -> None:
    service.up("switch")

    def used() -> int:
        [(queries,)] = query(
            service.dsn,
            "SELECT pg_stat_get_numscans('trueup.events_used'::regclass)",
        )
        return int(queries)

    with psycopg.connect(service.dsn, autocommit=True) as client:
        _count(client)  # what the switch itself has done
        before = used()
        client.execute("UPDATE event SET day = '2040-05-05' WHERE amount < 100")
        _count(client)
        assert used() == before
        client.execute("INSERT INTO events (day, kind) VALUES ('2040-05-05', 1)")
        _count(client)
    eventually(lambda: used() > before)


def test_a_partition_that_comes_later_goes_along(service: Service) -> None:
    service.up("expand")
    query(
        service.dsn,
        "CREATE TABLE late PARTITION OF events FOR VALUES FROM ('2050-01-01') TO ('2051-01-01')",
    )
    query(
        service.dsn,
        "INSERT INTO events (day, kind, status) SELECT '2050-02-02', 1, 'Open'"
        " FROM generate_series(1, 10)",
    )
    up_to_contract(service)
    assert query(service.dsn, "SELECT DISTINCT status FROM late") == [("OPEN",)]
    service.down("online")
    assert query(service.dsn, "SELECT DISTINCT status FROM late") == [("Open",)]
    service.up("window")


def test_rows_that_were_attached_unconverted_are_found_before_enforce(service: Service) -> None:
    service.up("backfill")
    for statement in (
        "CREATE TABLE late (LIKE events INCLUDING ALL)",
        """
        DO $$
        DECLARE
            dropped text;
            added text;
        BEGIN
            SELECT string_agg(format('DROP CONSTRAINT %I', conname), ', '),
                string_agg(
                    format('ADD CONSTRAINT %I %s NOT VALID', conname, pg_get_constraintdef(oid)),
                    ', '
                )
            INTO dropped, added
            FROM pg_constraint
            WHERE conrelid = 'late'::regclass AND conname ~ '_(filled|in_step)$';
            EXECUTE 'ALTER TABLE late ' || dropped;
            INSERT INTO late (day, kind) VALUES ('2050-02-02', 1);
            EXECUTE 'ALTER TABLE late ' || added;
        END $$
        """,
        "ALTER TABLE events ATTACH PARTITION late FOR VALUES FROM ('2050-01-01') TO ('2051-01-01')",
    ):
        query(service.dsn, statement)
    with pytest.raises(StatementError, match="is violated by some row"):
        service.up("enforce")
    query(service.dsn, "UPDATE late SET id__new = id::uuid, status__new = upper(status)")
    service.up("enforce")


def test_a_large_partition_without_an_index_stops_the_file_that_would_build_it(
    service: Service,
) -> None:
    service.up(named(service, "_events_rest_pkey_new"))
    query(
        service.dsn,
        "CREATE TABLE late PARTITION OF events FOR VALUES FROM ('2050-01-01') TO ('2051-01-01')",
    )
    query(
        service.dsn,
        "INSERT INTO events (day, kind) SELECT '2050-02-02', 1 FROM generate_series(1, 100000)",
    )
    with pytest.raises(StatementError, match=r"public\.late|late is a partition") as caught:
        service.up("enforce")
    assert "CREATE INDEX CONCURRENTLY ON public.late USING btree (day, kind, id__new);" in str(
        caught.value
    )
    query(service.dsn, "CREATE UNIQUE INDEX CONCURRENTLY ON late USING btree (day, kind, id__new)")
    service.up(named(service, "_enforce_event_pkey"))


def test_a_partition_that_was_dropped_is_marked_and_left_out(service: Service) -> None:
    service.up("enforce")
    query(service.dsn, "ALTER TABLE events DETACH PARTITION events_2024")
    query(service.dsn, "DROP TABLE events_2024")
    with pytest.raises(StatementError, match=r'"public.events_2024" does not exist'):
        service.up("contract")
    run_yoyo(
        "mark", "-m", named(service, "_events_2024_pkey_key"), *sources(service), dsn=service.dsn
    )
    service.up("contract")
    left = query(service.dsn, "SELECT count(*) FROM event")
    with pytest.raises(StatementError, match=r'"public.events_2024" does not exist'):
        service.down("online")
    for migration in service.migrations("online"):
        if migration.phase == "contract" and "_events_2024_" in migration.id:
            run_yoyo("unmark", "-m", migration.id, *sources(service), dsn=service.dsn)
    service.down("online")
    assert query(service.dsn, "SELECT count(*) FROM events") == left


def test_each_partition_is_walked_and_a_killed_walk_is_taken_up(service: Service) -> None:
    backfills = [m for m in service.migrations("online") if m.phase == "backfill"]
    walks = [read_walk(m.statements[0]) for m in backfills]
    assert [w.table for w in walks if w] == [
        "public.customers",
        *(f"public.{leaf}" for leaf in LEAVES),
        "public.notes",
    ]
    service.up("expand")
    with psycopg.connect(service.dsn) as client:
        client.execute("SELECT FROM events WHERE day = '2025-06-02' FOR UPDATE")
        run = start_trueup(
            "apply", "--service", str(service.folder), "--to", "backfill", "--deadline", "20s",
            dsn=service.dsn,
        )  # fmt: skip
        eventually(lambda: "public.events_2025" in shares(service))
        time.sleep(0.3)
        run.kill()
        run.communicate(timeout=60)
    assert shares(service)["public.events_2024"] == 1.0
    assert "public.events_rest" not in shares(service)
    service.up("backfill")
    assert set(shares(service).values()) == {1.0}
    assert out_of_step(service) == 0


def shares(service: Service) -> dict[str, float]:
    """How far `trueup status` says that each backfill is."""
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        return {s.table_name: s.share for s in read_backfills(connection)}


@contextmanager
def at_work(service: Service, table: str, status: str) -> Iterator[list[int]]:
    """A client that inserts, moves and counts in every partition until the block ends."""
    done, stop = [0], threading.Event()

    def work() -> None:
        with psycopg.connect(service.dsn, autocommit=True) as client:
            while not stop.is_set():
                for day in ("2024-05-05", "2025-05-05", "2040-05-05", "2060-05-05"):
                    client.execute(
                        f"INSERT INTO {table} (day, kind, status) VALUES (%s, 7, %s)".encode(),
                        [day, status],
                    )
                client.execute(
                    f"UPDATE {table} SET day = '2024-05-06' WHERE day = '2025-05-05'"
                    " AND kind = 7".encode()
                )
                client.execute(
                    f"UPDATE {table} SET amount = amount + 1 WHERE amount >= 1000".encode()
                )
                done[0] += 1

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            yield done
        finally:
            stop.set()
            future.result()


def test_clients_are_served_throughout(service: Service) -> None:
    query(
        service.dsn,
        "INSERT INTO events (day, kind, amount) VALUES ('2024-05-05', 0, 1000),"
        " ('2060-05-05', 0, 1000)",
    )
    with at_work(service, "events", "Open") as old:
        service.up("switch")
        up = old[0]
    with at_work(service, "event", "CLOSED") as new:
        service.down("online", to="enforce")
        up_to_contract(service)
    assert up > 0 < new[0]
    rounds = old[0] + new[0]
    counted = query(service.dsn, "SELECT amount FROM event WHERE amount >= 1000")
    assert counted == [(1000 + rounds,)] * 2
    assert query(
        service.dsn,
        "SELECT status, count(*) FROM event WHERE kind = 7 GROUP BY 1 ORDER BY 1",
    ) == [("CLOSED", 4 * new[0]), ("OPEN", 4 * old[0])]


def test_plain_yoyo_ends_like_trueup(journey: Journey) -> None:
    ends = []
    for runner in ("trueup", "yoyo"):
        service = journey.start(RANGE + NOTE, STANDARD + NOTES)
        if runner == "trueup":
            service.up("contract")
        else:
            run_yoyo("apply", *sources(service)[:2], dsn=service.dsn)
            query(
                service.dsn,
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET trueup.waiting_period = 0',"
                " current_database()); END $$",
            )
            run_yoyo("apply", *sources(service), dsn=service.dsn)
        ends.append(service.state("public"))
    assert_same(ends[0], ends[1], "yoyo")


def test_an_insert_of_nothing_but_constant_defaults_is_a_use_of_the_old_name(
    journey: Journey,
) -> None:
    schema = """
        CREATE TABLE events (
            day integer NOT NULL,
            owner_id varchar(36) NOT NULL DEFAULT '0a0b0c0d-0000-4000-8000-00000000000f'
        ) PARTITION BY RANGE (day);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
    """
    service = journey.start(schema, '[table.events]\nname = "event"\nuuids = ["owner_id"]\n')
    service.up("switch")
    uses = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'events_used'"
    before = query(service.dsn, uses)
    query(service.dsn, "INSERT INTO public.events (day) VALUES (1)")
    eventually(lambda: query(service.dsn, uses) > before)
