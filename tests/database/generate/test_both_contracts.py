"""Clients of the old and of the new contract on one database: every statement that they may send.

Each statement also runs on the old tables before the migration, so that these tests hold the
views to what tables do. The clients' role was granted the old names only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import LiteralString

import psycopg
import pytest
from psycopg import errors
from support.sides import EARLY_NEW, KEPT_NEW, NEW, OLD, Client, Side, any_client, client
from support.variants import EARLY, LIVE, MakeService, Service, Variant


@pytest.fixture
def live(share_service: Callable[[Variant, str], Service], phase: str, side: Side) -> Service:
    """A filled database in some phase, which the test leaves as it is."""
    return share_service(side.variant, phase)


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
    key = "uuid" if app.side in (NEW, KEPT_NEW, EARLY_NEW) else "varchar"
    app.run(
        "MERGE INTO {models} AS m"
        f" USING (VALUES ('gpt-4', '{ID}1'), ('brand-new', '{ID}2')) AS v (name, id)"
        " ON m.model_id = v.name"
        " WHEN MATCHED THEN UPDATE SET status = '<inactive>'"
        " WHEN NOT MATCHED THEN INSERT (id, model_id, provider, capabilities)"
        f" VALUES (v.id::{key}, v.name, '<openai>', '{{}}')"
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


# What clients send to tables, and views refuse: `{}` stands for the name of the models.
ONLY_TABLES = {
    "TRUNCATE {} CASCADE": errors.WrongObjectType,
    "CREATE INDEX ON {} (model_id)": errors.WrongObjectType,
    "CREATE TABLE t (id {key} REFERENCES {} (id))": errors.WrongObjectType,
    "SELECT ctid, xmin FROM {}": errors.UndefinedColumn,
    "SELECT model_id, status FROM {} GROUP BY id": errors.GroupingError,
    "SELECT id FROM {} TABLESAMPLE SYSTEM (100)": errors.FeatureNotSupported,
    "ALTER TABLE {} DISABLE TRIGGER USER": errors.WrongObjectType,
    "COPY {} (id) TO STDOUT": errors.WrongObjectType,
    "INSERT INTO {} (id, model_id, provider, capabilities) VALUES ('{id}', 'b', '{openai}', '{{}}')"
    " ON CONFLICT ON CONSTRAINT {table}_pkey DO NOTHING": errors.UndefinedObject,
}


def refused(owner: psycopg.Connection, statement: str) -> type[Exception] | None:
    """What a statement fails with, in a transaction that is taken back."""
    with owner.transaction(force_rollback=True):
        try:
            if statement.startswith("COPY"):
                with owner.cursor().copy(statement.encode()) as copy:
                    list(copy)
            else:
                owner.execute(statement.encode())
        except psycopg.Error as error:
            return type(error)
    return None


@pytest.mark.parametrize(
    ("phase", "side"),
    [
        *(pytest.param(p, OLD, id=f"{p}-old") for p in ("expand", "backfill", "enforce", "switch")),
        pytest.param("enforce", NEW, id="enforce-new"),
        pytest.param("switch", NEW, id="switch-new"),
        pytest.param("contract", NEW, id="contract-new"),
    ],
)
def test_who_has_the_table_can_send_all_and_who_has_a_view_cannot(
    live: Service, phase: str, side: Side
) -> None:
    """The old release has its table until the switch, the new one has it from then on."""
    with psycopg.connect(live.dsn, autocommit=True) as owner:
        ((is_table,),) = owner.execute(
            "SELECT relkind = 'r' FROM pg_class WHERE relname = %s", [side.models]
        ).fetchall()
        for statement, error in ONLY_TABLES.items():
            text = statement.format(
                side.models,
                key="varchar(36)" if side is OLD else "uuid",
                id=f"{ID}9",
                openai=side.case("openai"),
                table=side.models,
            )
            # The old key is the table's primary key until contract.
            needs_key = "GROUP BY" in text or "ON CONSTRAINT" in text
            works = is_table and not (needs_key and side is NEW and phase == "switch")
            assert refused(owner, text) is (None if works else error), text


def test_with_the_switch_in_expand_a_prepared_select_star_lives_on(
    make_service: MakeService,
) -> None:
    """The new release has the table at once, and waits for enforce all the same."""
    service = make_service(EARLY)
    with psycopg.connect(service.dsn, autocommit=True) as client:
        client.execute("PREPARE p AS SELECT * FROM models")

        def read() -> list[str]:
            return sorted(map(str, client.execute("EXECUTE p")))

        def unfilled() -> tuple[object, ...] | None:
            return client.execute(
                "SELECT relkind, (SELECT count(*) FROM model WHERE id IS NULL)"
                " FROM pg_class WHERE oid = 'model'::regclass"
            ).fetchone()

        before = read()
        for phase, rows in (("expand", len(before)), ("backfill", 0), ("enforce", 0)):
            service.up(phase)
            assert read() == before
            assert unfilled() == ("r", rows)
        assert not service.up("switch").migrations
        for to in ("backfill", "expand", "baseline"):
            service.down("online", to)
            assert read() == before


def test_a_prepared_select_star_fails_once_at_expand(make_service: MakeService) -> None:
    """The one thing that the old release can notice before the switch: more columns."""
    service = make_service(LIVE)
    with psycopg.connect(service.dsn, autocommit=True) as client:
        client.execute("PREPARE p AS SELECT * FROM models")
        service.up("expand")
        with pytest.raises(errors.FeatureNotSupported, match="result type"):
            client.execute("EXECUTE p")
        client.execute("DEALLOCATE p; PREPARE p AS SELECT * FROM models")
        client.execute("EXECUTE p")


@pytest.mark.parametrize("variant", [LIVE, EARLY], ids=lambda variant: variant.name)
def test_what_a_new_release_that_starts_too_early_writes_is_refused_not_lost(
    make_service: MakeService, variant: Variant
) -> None:
    service = make_service(variant)
    service.up("expand")
    retire: LiteralString = "UPDATE model SET status = 'DEPRECATED' WHERE model_id = 'dall-e-3'"
    with psycopg.connect(service.dsn, autocommit=True) as client:
        with pytest.raises(errors.ObjectNotInPrerequisiteState, match="backfill has filled it"):
            client.execute(retire)
        client.execute("UPDATE models SET provider = 'openai' WHERE model_id = 'dall-e-3'")
        client.execute(retire)  # the old release has filled it
        row = client.execute("SELECT status FROM models WHERE model_id = 'dall-e-3'").fetchone()
    assert row == ("deprecated",)
