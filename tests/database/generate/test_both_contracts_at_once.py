"""Clients of the old and the new contract at once: what they see of each other and wait for."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import errors
from support.runs import query, tables
from support.sides import NEW, OLD, Client, Side, client
from support.variants import EARLY, LIVE, MakeService, Service, Variant

from runner.errors import StatementError
from runner.execute.engine import Settings

ID = "0a0b0c0d-0000-4000-8000-00000000000"

# Each other's writes


@pytest.fixture(params=["enforce", "switch", "of an early switch"])
def both(
    make_service: MakeService, request: pytest.FixtureRequest
) -> Iterator[tuple[Client, Client, Service]]:
    """A client of each side, while both contracts live: before the switch and after it."""
    if request.param == "of an early switch":
        service = make_service(EARLY)
        service.up("enforce")
    else:
        service = make_service(LIVE, at=request.param)
    with client(service, OLD) as old, client(service, NEW) as new:
        yield old, new, service


Both = tuple[Client, Client, Service]


def both_sides(service: Service) -> tuple[str, str, str]:
    """The table of the models, which alone shows both sides, and its two columns of the status."""
    if "models" in tables(service.dsn):
        return "models", "status", "status__new"
    return "model", "status__old", "status"


def test_each_side_reads_the_others_inserts_in_its_own_spelling(both: Both) -> None:
    old, new, _ = both
    insert = "INSERT INTO {models} (id, model_id, provider, capabilities) VALUES (%s, %s, %s, %s)"
    old.run(insert, f"{ID}a".upper(), "by old", "OpenAI", ["Chat"])
    new.run(insert, f"{ID}b", "by new", "OLLAMA", ["CHAT", "EMBEDDING"])
    select = "SELECT id, provider, capabilities, status FROM {models} WHERE model_id = %s"
    assert old.run(select, "by old") == [(f"{ID}a".upper(), "OpenAI", ["Chat"], "active")]
    assert new.run(select, "by old") == [(f"{ID}a", "OPENAI", ["CHAT"], "ACTIVE")]
    assert new.run(select, "by new") == [(f"{ID}b", "OLLAMA", ["CHAT", "EMBEDDING"], "ACTIVE")]
    assert old.run(select, "by new") == [(f"{ID}b", "ollama", ["chat", "embedding"], "active")]


def test_each_side_reads_the_others_updates_and_deletes(both: Both) -> None:
    old, new, _ = both
    select = "SELECT provider, status FROM {models} WHERE model_id = 'gpt-4'"
    new.run("UPDATE {models} SET provider = 'CUSTOM' WHERE model_id = 'gpt-4'")
    assert old.run(select)[0][0] == "custom"
    old.run("UPDATE {models} SET status = 'inactive' WHERE model_id = 'gpt-4'")
    assert new.run(select) == [("CUSTOM", "INACTIVE")]
    new.run("DELETE FROM {requests}")
    assert old.value("SELECT count(*) FROM {requests}") == 0
    old.run("DELETE FROM {models}")
    assert new.value("SELECT count(*) FROM {models}") == 0


def test_an_old_spelling_stays_until_the_new_side_changes_the_value(both: Both) -> None:
    old, new, _ = both
    old.run("UPDATE {models} SET status = 'Active' WHERE model_id = 'gpt-4'")
    select = "SELECT status FROM {models} WHERE model_id = 'gpt-4'"
    new.run("UPDATE {models} SET display_name = 'x', provider = 'CUSTOM' WHERE model_id = 'gpt-4'")
    assert (old.value(select), new.value(select)) == ("Active", "ACTIVE")
    new.run("UPDATE {models} SET status = 'ACTIVE' WHERE model_id = 'gpt-4'")
    assert old.value(select) == "Active"
    new.run("UPDATE {models} SET status = 'INACTIVE' WHERE model_id = 'gpt-4'")
    new.run("UPDATE {models} SET status = 'ACTIVE' WHERE model_id = 'gpt-4'")
    assert old.value(select) == "active"


def has_table(both: Both) -> Client:
    return both[0] if "models" in tables(both[2].dsn) else both[1]


def test_when_one_statement_changes_both_sides_the_one_that_has_the_table_wins(both: Both) -> None:
    """As code does that writes a whole row as it was read: a view would show it one side."""
    old, new, service = both
    table, old_side, new_side = both_sides(service)
    old.run(
        f"UPDATE {table} SET {new_side} = 'INACTIVE', {old_side} = 'deprecated'"
        " WHERE model_id = 'gpt-4'"
    )
    select = "SELECT status FROM {models} WHERE model_id = 'gpt-4'"
    expected = ("deprecated", "DEPRECATED") if has_table(both) is old else ("inactive", "INACTIVE")
    assert (old.value(select), new.value(select)) == expected


def test_a_copy_of_a_whole_row_keeps_what_was_changed_in_it(both: Both) -> None:
    """As code makes one that takes all columns of a row as it finds them, and changes some."""
    old, new, service = both
    table, *_ = both_sides(service)
    old.run("UPDATE {models} SET status = 'Inactive' WHERE model_id = 'gpt-4'")
    owner = has_table(both)
    changes = {"id": f"{ID}c", "model_id": "a copy", "provider": "CUSTOM", "status": "ACTIVE"}
    if owner is old:
        changes |= {"provider": "Custom", "status": "active"}
    columns = [name for (name,) in query(service.dsn, COLUMNS, table)]
    values = ", ".join("%s" if name in changes else name for name in columns)
    given = [changes[name] for name in columns if name in changes]
    copied = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}"
    query(service.dsn, f"{copied} WHERE model_id = 'gpt-4'", *given)
    select = "SELECT id::text, provider, status FROM {models} WHERE model_id = 'a copy'"
    assert new.run(select) == [(f"{ID}c", "CUSTOM", "ACTIVE")]
    spelled = "Custom" if owner is old else "custom"
    assert old.run(select) == [(f"{ID}c", spelled, "active")]

    # A row that is put back as it was is what it was: data that is loaded from a dump.
    before = query(service.dsn, f"SELECT * FROM {table} ORDER BY model_id")
    query(
        service.dsn,
        f"CREATE TABLE away AS SELECT * FROM {table};"
        f"TRUNCATE {table} CASCADE; INSERT INTO {table} SELECT * FROM away; DROP TABLE away;",
    )
    assert query(service.dsn, f"SELECT * FROM {table} ORDER BY model_id") == before


COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


def test_a_value_that_the_new_contract_refuses_is_refused_from_both_sides(both: Both) -> None:
    for side in both[:2]:
        with pytest.raises(errors.CheckViolation, match="model_status_check"):
            side.run("UPDATE {models} SET status = 'archived' WHERE model_id = 'gpt-4'")
    with pytest.raises(errors.InvalidTextRepresentation):
        both[0].run("UPDATE {models} SET id = 'no uuid' WHERE model_id = 'in-house'")


def test_a_new_client_references_a_parent_whose_old_id_is_spelled_oddly(both: Both) -> None:
    old, new, service = both
    spellings = {}
    for number, (name, key) in enumerate(new.run("SELECT model_id, id FROM {models}")):
        new.run(
            "INSERT INTO {requests} (id, request_id, request_type, model_id, provider,"
            " request_data, success) VALUES (%s, %s, 'CHAT', %s, 'OPENAI', '{}', true)",
            uuid.uuid5(uuid.NAMESPACE_OID, name),
            f"new_{number}",
            key,
        )
        spellings[f"new_{number}"] = old.value("SELECT id FROM {models} WHERE model_id = %s", name)
    found = dict(
        old.run("SELECT request_id, model_id FROM {requests} WHERE starts_with(request_id, 'new_')")
    )
    assert found == spellings
    assert {len(key) for key in spellings.values()} == {32, 36}
    new.run("UPDATE {requests} SET model_id = %s WHERE request_id = 'new_0'", key)
    assert (
        old.value("SELECT model_id FROM {requests} WHERE request_id = 'new_0'")
        == spellings[f"new_{len(spellings) - 1}"]
    )
    service.down("online")


def test_a_role_that_may_only_insert_needs_no_more(both: Both) -> None:
    old, new, service = both
    insert = (
        "INSERT INTO {requests} (id, request_id, request_type, model_id, provider, request_data,"
        " success) VALUES (%s, %s, '<chat>', %s, '<openai>', '{}', true)"
    )
    for number, app in enumerate((old, new)):
        key = app.value("SELECT id FROM {models} WHERE model_id = 'claude-3'")
        with client(service, app.side, role="trueup_test_clerk") as clerk:
            clerk.run(insert, f"{ID}{number}", f"by clerk {number}", key)
            with pytest.raises(errors.InsufficientPrivilege):
                clerk.run("SELECT FROM {models}")
    for app in (old, new):
        assert (
            app.value(
                "SELECT count(DISTINCT model_id) FROM {requests} WHERE request_id LIKE 'by clerk _'"
            )
            == 1
        )


# Clients that stay connected


@pytest.mark.parametrize("variant", [LIVE, EARLY], ids=str)
def test_prepared_statements_outlive_every_phase_and_its_rollback(
    make_service: MakeService, variant: Variant
) -> None:
    service = make_service(variant)
    with client(service, OLD) as app:
        app.run("SET plan_cache_mode = force_generic_plan")
        key = app.value("SELECT id FROM {models} WHERE model_id = 'gpt-4'")
        quota = app.value("SELECT id FROM {quotas} WHERE daily_tokens_used = 7")
        written = 0

        def work() -> None:
            nonlocal written
            written += 1
            assert app.run("SELECT id FROM {models} WHERE id = %s", key, prepare=True) == [(key,)]
            assert app.run(
                "UPDATE {quotas} SET daily_tokens_used = daily_tokens_used + 1"
                " WHERE id = %s RETURNING daily_tokens_used",
                quota,
                prepare=True,
            ) == [(7 + written,)]
            app.run(
                "INSERT INTO {requests} (id, request_id, request_type, model_id, provider,"
                " request_data, success) VALUES (%s, %s, 'chat', %s, 'openai', '{}', true)"
                " ON CONFLICT (id) DO NOTHING",
                str(uuid.UUID(int=written)),
                f"prepared {written}",
                key,
                prepare=True,
            )

        work()
        for phase in ("expand", "backfill", "enforce", "switch"):
            service.up(phase)
            work()
        for to in ("enforce", "backfill", "expand", None):
            service.down("online", to=to)
            work()
        count = app.value("SELECT count(*) FROM {requests} WHERE request_id LIKE 'prepared%%'")
        assert count == written


def test_new_prepared_statements_outlive_switch_and_contract(make_service: MakeService) -> None:
    service = make_service(LIVE)
    select = "SELECT model_id, status FROM {models} WHERE id = %s"
    update = "UPDATE {models} SET status = %s WHERE id = %s"
    with client(service, NEW) as new:
        for phase, status in (
            ("enforce", "INACTIVE"),
            ("switch", "ACTIVE"),
            ("contract", "DEPRECATED"),
        ):
            service.up(phase)
            key = uuid.UUID(new.value("SELECT id FROM {models} WHERE model_id = 'gpt-4'"))
            new.run(update, status, key, prepare=True)
            assert new.run(select, key, prepare=True) == [("gpt-4", status)]


# Clients that work at the same time


def at_once(*workers: Callable[[], None]) -> None:
    """Run workers in threads of their own; raise what they raise."""
    failures: list[BaseException] = []

    def guarded(worker: Callable[[], None]) -> None:
        try:
            worker()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failures, failures
    assert not any(thread.is_alive() for thread in threads)


def increments(service: Service, side: Side, times: int) -> Callable[[], None]:
    def work() -> None:
        with client(service, side) as app:
            for number in range(times):
                app.run(
                    "UPDATE {quotas} SET daily_tokens_used = daily_tokens_used + 1,"
                    f" provider = '<{('openai', 'ollama')[number % 2]}>'"
                    " WHERE monthly_tokens_used = 2"
                )

    return work


def test_increments_from_both_sides_are_never_lost(both: Both) -> None:
    old, new, service = both
    at_once(*(increments(service, side, 100) for side in (OLD, OLD, NEW, NEW)))
    select = "SELECT daily_tokens_used FROM {quotas} WHERE monthly_tokens_used = 2"
    assert old.value(select) == new.value(select) == 401


def test_upserts_of_one_new_key_at_the_same_moment_all_succeed(both: Both) -> None:
    old, new, service = both
    # With room on each page no update moves a row, and ON CONFLICT cannot miss it: see the known
    # limits in docs/reliability.md.
    ((table,),) = query(
        service.dsn,
        "SELECT oid::regclass::text FROM pg_class"
        " WHERE relname IN ('provider_quota', 'provider_quotas') AND relkind = 'r'",
    )
    query(service.dsn, f"ALTER TABLE {table} SET (fillfactor = 10)")
    start = threading.Barrier(4, timeout=30)

    def upserts(side: Side) -> Callable[[], None]:
        def work() -> None:
            with client(service, side) as app:
                for number in range(200):
                    start.wait()
                    app.run(
                        "INSERT INTO {quotas} AS q (id, provider, daily_tokens_used,"
                        " monthly_tokens_used, daily_cost_used, monthly_cost_used)"
                        " VALUES (%s, '<openai>', 1, 0, 0, 0) ON CONFLICT (id)"
                        " DO UPDATE SET daily_tokens_used = q.daily_tokens_used + 1",
                        str(uuid.UUID(int=number)),
                    )

        return work

    at_once(*(upserts(side) for side in (OLD, OLD, NEW, NEW)))
    select = "SELECT DISTINCT daily_tokens_used FROM {quotas} WHERE monthly_tokens_used = 0"
    assert old.run(select) == new.run(select) == [(4,)]


def test_a_bulk_load_takes_few_locks(both: Both) -> None:
    old, _, _ = both
    old.run("BEGIN")
    old.run(
        "INSERT INTO {requests} (id, request_id, request_type, model_id, provider, request_data,"
        " success) SELECT gen_random_uuid()::text, 'bulk ' || n, 'chat', m.id, 'openai', '{}', true"
        " FROM generate_series(1, 500) AS n JOIN {models} AS m ON m.model_id = 'gpt-4'"
    )
    locks = old.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    old.run("ROLLBACK")
    assert locks == 50


def test_a_backfill_disturbs_no_client_and_misses_no_row(make_service: MakeService) -> None:
    service = make_service(LIVE, at="expand")
    done = threading.Event()

    def backfill() -> None:
        try:
            service.apply("online", "backfill", Settings(deadline=30.0))
        finally:
            done.set()

    def work(number: int) -> Callable[[], None]:
        def write() -> None:
            with client(service, OLD) as app:
                for turn in range(2000):
                    if done.is_set() and turn > 20:
                        break
                    # Widens the row, so that it moves to another page.
                    app.run(
                        "UPDATE {requests} SET error_message = repeat('x', %s), provider = 'OpenAI'"
                        " WHERE request_id = %s",
                        turn * 40 % 1500,
                        f"req_{1 + (turn * 7 + number) % 300}",
                    )

        return write

    increment = increments(service, OLD, 40)
    at_once(backfill, work(0), work(3), increment)
    with psycopg.connect(service.dsn) as connection:
        assert connection.execute(
            "SELECT count(*) FROM requests WHERE id__new IS NULL"
            " OR (id__new, provider__new, model_id__new)"
            " IS DISTINCT FROM (id::uuid, upper(provider), model_id::uuid)"
        ).fetchall() == [(0,)]
        assert connection.execute(
            "SELECT daily_tokens_used FROM provider_quotas WHERE monthly_tokens_used = 2"
        ).fetchall() == [(41,)]


# Writes that the trigger did not see


@pytest.mark.parametrize("changed", ["{new} = 'INACTIVE'", "{old} = 'inactive'"])
def test_contract_refuses_rows_whose_sides_differ_in_meaning(both: Both, changed: str) -> None:
    _, _, service = both
    table, old_side, new_side = both_sides(service)
    change = changed.format(old=old_side, new=new_side)
    with psycopg.connect(service.dsn, autocommit=True) as replica:
        replica.execute("SET session_replication_role = replica")
        replica.execute(f"UPDATE {table} SET {change} WHERE model_id = 'gpt-4'".encode())
        with pytest.raises(StatementError, match="stands in a row whose two sides differ"):
            service.up("contract")
        # The spelling alone is no difference.
        replica.execute("UPDATE model SET status__old = 'Active', status = 'ACTIVE'")
    service.up("contract")
