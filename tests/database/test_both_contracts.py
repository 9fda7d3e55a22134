"""Clients of the old and of the new contract on one database: every statement that they may send.

Each statement also runs on the old tables before the migration, so that these tests hold the
compat views to what tables do. The clients' role was granted the old names only.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import errors
from support.variants import LIVE, MakeService, Service, Variant

from runner.execute.engine import Settings


@dataclass(frozen=True)
class Side:
    """One contract: its names and its spelling."""

    name: str
    models: str
    requests: str
    quotas: str
    case: Callable[[str], str]

    def __str__(self) -> str:
        return self.name


OLD = Side("old", "models", "requests", "provider_quotas", str.lower)
NEW = Side("new", "model", "request", "provider_quota", str.upper)

# Who may work when.
CLIENTS = [
    pytest.param("baseline", OLD, id="baseline-old"),
    pytest.param("expand", OLD, id="expand-old"),
    pytest.param("backfill", OLD, id="backfill-old"),
    pytest.param("enforce", OLD, id="enforce-old"),
    pytest.param("enforce", NEW, id="enforce-new"),
    pytest.param("contract", NEW, id="contract-new"),
]
any_client = pytest.mark.parametrize(("phase", "side"), CLIENTS)


class Client:
    """A client's connection; statements are written for either side."""

    def __init__(self, connection: psycopg.Connection, side: Side) -> None:
        self.connection = connection
        self.side = side

    def run(self, statement: str, *values: object, prepare: bool | None = None) -> list[Any]:
        """Rows, uuids as text; `{models}` and the like stand for names, `<chat>` for a value."""
        side = self.side
        for word in ("openai", "anthropic", "ollama", "active", "inactive", "deprecated", "chat"):
            statement = statement.replace(f"<{word}>", side.case(word))
        text = statement.replace("{models}", side.models).replace("{requests}", side.requests)
        text = text.replace("{quotas}", side.quotas)
        cursor = self.connection.execute(text.encode(), values or None, prepare=prepare)
        rows = cursor.fetchall() if cursor.description else []
        return [tuple(str(v) if isinstance(v, uuid.UUID) else v for v in row) for row in rows]

    def value(self, statement: str, *values: object) -> Any:
        """The only value of the only row."""
        ((value,),) = self.run(statement, *values)
        return value

    def refuses(self, error: type[psycopg.Error], statement: str, *values: object) -> None:
        """Expect an error, and go on in the same transaction."""
        with pytest.raises(error), self.connection.transaction():
            self.run(statement, *values)


@contextmanager
def client(service: Service, side: Side, role: str = "trueup_test_app") -> Iterator[Client]:
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute(f"SET SESSION AUTHORIZATION {role}".encode())
        yield Client(connection, side)


@pytest.fixture
def live(share_service: Callable[[Variant, str], Service], phase: str) -> Service:
    """A filled database in some phase, which the test leaves as it is."""
    return share_service(LIVE, phase)


@pytest.fixture
def app(live: Service, side: Side) -> Iterator[Client]:
    """A client of one side, in a transaction that ends with the test."""
    with client(live, side) as app, app.connection.transaction(force_rollback=True):
        yield app


ID = "0a0b0c0d-0000-4000-8000-00000000000"

# Reading


@any_client
def test_select(app: Client) -> None:
    assert app.value("SELECT count(*) FROM {models} WHERE provider = '<ollama>'") == 1
    assert app.run("SELECT model_id, capabilities FROM {models} WHERE model_id = 'dall-e-3'") == [
        ("dall-e-3", [app.side.case("image_generation")])
    ]


@any_client
def test_join_aggregate_and_window_function(app: Client) -> None:
    rows = app.run(
        "SELECT m.model_id, count(*), rank() OVER (ORDER BY count(*) DESC, m.model_id)"
        " FROM {requests} AS r JOIN {models} AS m ON m.id = r.model_id"
        " LEFT JOIN {quotas} AS q ON q.id = r.id GROUP BY m.model_id ORDER BY 3"
    )
    assert (len(rows), sum(row[1] for row in rows)) == (9, 300)


@any_client
def test_for_update_and_skip_locked(app: Client, live: Service) -> None:
    app.run("SELECT FROM {models} WHERE model_id = 'gpt-4' FOR UPDATE")
    with client(live, app.side) as other:
        names = other.run("SELECT model_id FROM {models} FOR NO KEY UPDATE SKIP LOCKED")
        assert len(names) == 8
        assert ("gpt-4",) not in names
        with pytest.raises(errors.LockNotAvailable):
            other.run("SELECT FROM {models} WHERE model_id = 'gpt-4' FOR UPDATE NOWAIT")


@any_client
def test_cursor(app: Client) -> None:
    app.run("DECLARE c SCROLL CURSOR FOR SELECT model_id FROM {models} ORDER BY model_id")
    assert app.run("FETCH 2 FROM c") == [("claude-1",), ("claude-3",)]
    assert app.run("FETCH PRIOR FROM c") == [("claude-1",)]


@any_client
def test_explain_finds_the_index(app: Client) -> None:
    app.run("SET enable_seqscan = off")
    key = app.value("SELECT id FROM {requests} WHERE request_id = 'req_7'")
    plan = app.run(f"EXPLAIN SELECT * FROM {{requests}} WHERE id = '{key}'")
    assert "Index" in "\n".join(line for (line,) in plan)


@any_client
def test_copy_to(app: Client) -> None:
    with app.connection.cursor() as cursor:
        statement = f"COPY (SELECT model_id FROM {app.side.models}) TO STDOUT"
        with cursor.copy(statement.encode()) as copy:
            assert len(list(copy.rows())) == 9


# Writing


@any_client
def test_insert(app: Client) -> None:
    assert app.run(
        "INSERT INTO {models} (id, model_id, provider, capabilities, status)"
        f" VALUES ('{ID}1', 'm1', '<openai>', '{{<chat>}}', '<inactive>'),"
        f" ('{ID}2', 'm2', '<ollama>', '{{}}', DEFAULT)"
        " RETURNING id, status, created_at = updated_at"
    ) == [
        (f"{ID}1", app.side.case("inactive"), True),
        (f"{ID}2", app.side.case("active"), True),
    ]
    app.run(
        "INSERT INTO {models} (id, model_id, provider, capabilities)"
        f" SELECT '{ID}3', model_id || '-copy', provider, capabilities FROM {{models}}"
        " WHERE model_id = 'm1'"
    )
    assert app.run("SELECT status, provider FROM {models} WHERE model_id = 'm1-copy'") == [
        (app.side.case("active"), app.side.case("openai"))
    ]


@any_client
def test_insert_of_null_is_refused_where_there_is_a_default(app: Client) -> None:
    app.refuses(
        errors.NotNullViolation,
        "INSERT INTO {models} (id, model_id, provider, capabilities, status)"
        f" VALUES ('{ID}1', 'm1', '<openai>', '{{}}', NULL)",
    )
    app.refuses(
        errors.NotNullViolation, "UPDATE {models} SET status = NULL WHERE model_id = 'gpt-4'"
    )


@any_client
def test_insert_twice_is_a_unique_violation(app: Client) -> None:
    insert = (
        "INSERT INTO {models} (id, model_id, provider, capabilities)"
        f" VALUES ('{ID}1', %s, '<openai>', '{{}}')"
    )
    app.run(insert, "m1")
    app.refuses(errors.UniqueViolation, insert, "m2")


@any_client
def test_upsert_by_each_key(app: Client) -> None:
    insert = (
        "INSERT INTO {models} AS m (id, model_id, provider, capabilities, max_tokens)"
        f" VALUES ('{ID}%s', %s, '<openai>', '{{}}', 1) ON CONFLICT "
    )
    by_id = insert.replace("%s', %s", "1', %s")
    by_name = insert.replace("%s', %s", "2', %s")
    app.run(by_id + "(id) DO NOTHING", "m1")
    app.run(by_id + "(id) DO NOTHING", "m1")
    app.run(by_id + "DO NOTHING", "other")
    assert app.run(
        by_id + "(id) DO UPDATE SET max_tokens = m.max_tokens + excluded.max_tokens,"
        " model_id = excluded.model_id RETURNING max_tokens, model_id",
        "renamed",
    ) == [(2, "renamed")]
    assert app.run(
        by_name + "(model_id) DO UPDATE SET status = '<inactive>', provider = '<ollama>'"
        " WHERE m.max_tokens = 2 RETURNING id, status, provider",
        "renamed",
    ) == [(f"{ID}1", app.side.case("inactive"), app.side.case("ollama"))]


@any_client
def test_update(app: Client) -> None:
    assert app.run(
        "UPDATE {models} SET status = '<deprecated>', updated_at = now()"
        " WHERE provider = '<ollama>' RETURNING model_id, status"
    ) == [("llama3:latest", app.side.case("deprecated"))]
    assert app.value("SELECT count(*) FROM {models} WHERE status = '<deprecated>'") >= 1


@any_client
def test_update_from_and_delete_using(app: Client) -> None:
    app.run(
        "UPDATE {requests} AS r SET provider = '<ollama>' FROM {models} AS m"
        " WHERE m.id = r.model_id AND m.model_id = 'gpt-4'"
    )
    moved = app.value(
        "SELECT count(*) FROM {requests} AS r JOIN {models} AS m ON m.id = r.model_id"
        " WHERE m.model_id = 'gpt-4' AND r.provider = '<ollama>'"
    )
    assert moved > 30
    app.run(
        "DELETE FROM {requests} AS r USING {models} AS m"
        " WHERE m.id = r.model_id AND m.model_id = 'gpt-4'"
    )
    assert app.value("SELECT count(*) FROM {requests}") == 300 - moved


@any_client
def test_cte_that_writes(app: Client) -> None:
    assert (
        app.value(
            "WITH gone AS (DELETE FROM {requests} WHERE success RETURNING id),"
            " late AS (UPDATE {requests} SET error_code = 'x' WHERE NOT success RETURNING id)"
            " SELECT count(*) FROM (SELECT FROM gone UNION ALL SELECT FROM late) AS both_sides"
        )
        == 300
    )
    assert app.value("SELECT count(*) FROM {requests}") == 50


@any_client
def test_merge(app: Client) -> None:
    if app.connection.info.server_version < 170000:
        pytest.skip("a view can be the target of MERGE from PostgreSQL 17 on")
    app.run(
        "MERGE INTO {models} AS m"
        f" USING (VALUES ('gpt-4', '{ID}1'), ('brand-new', '{ID}2')) AS v (name, id)"
        " ON m.model_id = v.name"
        " WHEN MATCHED THEN UPDATE SET status = '<inactive>'"
        " WHEN NOT MATCHED THEN INSERT (id, model_id, provider, capabilities)"
        f" VALUES (v.id::{'uuid' if app.side is NEW else 'varchar'}, v.name, '<openai>', '{{}}')"
    )
    assert app.run(
        "SELECT model_id, status FROM {models} WHERE model_id IN ('gpt-4', 'brand-new') ORDER BY 1"
    ) == [("brand-new", app.side.case("active")), ("gpt-4", app.side.case("inactive"))]


@any_client
def test_a_foreign_key_holds(app: Client) -> None:
    app.refuses(errors.ForeignKeyViolation, "DELETE FROM {models} WHERE model_id = 'gpt-4'")
    app.refuses(
        errors.ForeignKeyViolation,
        f"UPDATE {{requests}} SET model_id = '{ID}9' WHERE request_id = 'req_1'",
    )


@any_client
def test_the_key_of_a_row_can_change(app: Client) -> None:
    app.run(f"UPDATE {{quotas}} SET id = '{ID}1' WHERE daily_tokens_used = 1")
    assert app.value("SELECT id FROM {quotas} WHERE daily_tokens_used = 1") == f"{ID}1"


@pytest.mark.parametrize("phase", ["expand"])
def test_what_a_view_cannot_do(live: Service) -> None:
    """Known limits of the old name, which `trueup check` and the manual name too."""
    refused = {
        "TRUNCATE models": errors.WrongObjectType,
        "CREATE INDEX ON models (model_id)": errors.WrongObjectType,
        "CREATE TABLE t (id varchar(36) REFERENCES models (id))": errors.WrongObjectType,
        "SELECT ctid FROM models": errors.UndefinedColumn,
        "SELECT model_id FROM models GROUP BY id": errors.GroupingError,
        "INSERT INTO models (id, model_id, provider, capabilities) VALUES ('a', 'b', 'c', '{}')"
        " ON CONFLICT ON CONSTRAINT models_pkey DO NOTHING": errors.UndefinedObject,
    }
    with psycopg.connect(live.dsn, autocommit=True) as owner:
        for statement, error in refused.items():
            with pytest.raises(error):
                owner.execute(statement.encode())
        with (
            pytest.raises(errors.WrongObjectType),
            owner.cursor().copy("COPY models FROM STDIN") as copy,
        ):
            copy.write_row(["x"])


# Each other's writes


@pytest.fixture
def both(make_service: MakeService) -> Iterator[tuple[Client, Client, Service]]:
    """A client of each side, while both contracts live."""
    service = make_service(LIVE, at="enforce")
    with client(service, OLD) as old, client(service, NEW) as new:
        yield old, new, service


Both = tuple[Client, Client, Service]


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


def test_when_one_statement_changes_both_sides_the_old_one_wins(both: Both) -> None:
    old, new, _ = both
    new.run(
        "UPDATE {models} SET status = 'ACTIVE', status__old = 'deprecated' WHERE model_id = 'gpt-4'"
    )
    select = "SELECT status FROM {models} WHERE model_id = 'gpt-4'"
    assert (old.value(select), new.value(select)) == ("deprecated", "DEPRECATED")


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


def test_prepared_statements_outlive_every_phase_and_its_rollback(
    make_service: MakeService,
) -> None:
    service = make_service(LIVE)
    with client(service, OLD) as app:
        app.run("SET plan_cache_mode = force_generic_plan")
        key = app.value("SELECT id FROM {models} WHERE model_id = 'gpt-4'")
        quota = app.value("SELECT id FROM {quotas} WHERE daily_tokens_used = 7")
        written = 0

        def work() -> None:
            nonlocal written
            written += 1
            assert app.run("SELECT * FROM {models} WHERE id = %s", key, prepare=True)[0][0] == key
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
        for phase in ("expand", "backfill", "enforce"):
            service.up(phase)
            work()
        for to in ("backfill", "expand", None):
            service.down("online", to=to)
            work()
        count = app.value("SELECT count(*) FROM {requests} WHERE request_id LIKE 'prepared%%'")
        assert count == written


def test_new_prepared_statements_outlive_contract(both: Both) -> None:
    _, new, service = both
    select = "SELECT model_id, status FROM {models} WHERE id = %s"
    update = "UPDATE {models} SET status = %s WHERE id = %s"
    key = uuid.UUID(new.value("SELECT id FROM {models} WHERE model_id = 'gpt-4'"))
    for status in ("INACTIVE", "ACTIVE"):
        new.run(update, status, key, prepare=True)
        assert new.run(select, key, prepare=True) == [("gpt-4", status)]
        service.up("contract")


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
            "SELECT count(*) FROM request WHERE id IS NULL"
            " OR (id, provider, model_id)"
            " IS DISTINCT FROM (id__old::uuid, upper(provider__old), model_id__old::uuid)"
        ).fetchall() == [(0,)]
        assert connection.execute(
            "SELECT daily_tokens_used FROM provider_quota WHERE monthly_tokens_used = 2"
        ).fetchall() == [(41,)]
