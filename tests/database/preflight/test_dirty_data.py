"""Data that cannot be converted: a file stops before it changes anything, and says what to do."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.runs import run_yoyo
from support.variants import DIRTY, SHIPPED, TEXT, MakeService, Service, describe, write_generated

from runner.catalog import diff
from runner.errors import StatementError


@dataclass(frozen=True)
class Dirt:
    """What makes a row unconvertible, and what the error must say about it.

    Args:
        sql: makes the rows.
        column: table and column that the error names.
        rows: how many rows it counts.
        says: what else it says: the values and the reason.
        keys: the model_id or request_id of each row that the hint's query shows.
    """

    sql: str
    column: str
    rows: int
    says: tuple[str, ...]
    keys: tuple[str, ...]


DIRTS = {
    "unknown value": Dirt(
        "UPDATE models SET status = 'archived' WHERE model_id IN ('claude-1', 'in-house');"
        "UPDATE models SET status = '' WHERE model_id = 'gpt-4'",
        "public.models.status",
        3,
        ("'archived' (2 rows)", "'' (1 rows)", "is not one of ACTIVE, INACTIVE, DEPRECATED"),
        ("claude-1", "gpt-4", "in-house"),
    ),
    "unknown value in an array": Dirt(
        "UPDATE models SET capabilities = '{chat,telepathy}' WHERE model_id = 'gpt-4';"
        "UPDATE models SET capabilities = '{NULL}' WHERE model_id = 'claude-1'",
        "public.models.capabilities",
        2,
        ("'{chat,telepathy}' (1 rows)", "'{NULL}' (1 rows)", "is not one of CHAT, COMPLETION"),
        ("claude-1", "gpt-4"),
    ),
    "quotes and percent signs": Dirt(
        "UPDATE requests SET provider = 'it''s 100% {new} $$' WHERE request_id = 'req_3'",
        "public.requests.provider",
        1,
        ("'it''s 100% {new} $$' (1 rows)",),
        ("req_3",),
    ),
    "no uuid": Dirt(
        "UPDATE requests SET id = 'not-a-uuid' WHERE request_id = 'req_4';"
        "UPDATE requests SET id = ' ' || left(id, 35) WHERE request_id = 'req_5';"
        "UPDATE requests SET id = '' WHERE request_id = 'req_6'",
        "public.requests.id",
        3,
        ("'not-a-uuid' (1 rows)", "is not a uuid"),
        ("req_4", "req_5", "req_6"),
    ),
    "two ids that are one uuid": Dirt(
        "INSERT INTO models (id, model_id, provider, capabilities)"
        " SELECT upper(id), 'twin', provider, capabilities FROM models WHERE model_id = 'gpt-4'"
        " UNION ALL SELECT replace(id, '-', ''), 'third', provider, capabilities FROM models"
        " WHERE model_id = 'gpt-4'",
        "public.models.id",
        3,
        ("is the same uuid as another row",),
        ("gpt-4", "third", "twin"),
    ),
}


def dirty(service: Service, dirt: Dirt) -> None:
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute(dirt.sql.encode())


@pytest.mark.parametrize("strategy", ["online", "window"])
@pytest.mark.parametrize("dirt", DIRTS.values(), ids=DIRTS)
def test_the_error_names_column_values_count_and_query(
    make_service: MakeService, dirt: Dirt, strategy: str
) -> None:
    service = make_service(TEXT)
    dirty(service, dirt)
    state = service.state("public")
    with pytest.raises(StatementError) as raised:
        service.apply(strategy, "expand" if strategy == "online" else "window")
    message = raised.value.message
    assert f"{dirt.column}: the value of {dirt.rows} rows" in message
    for words in dirt.says:
        assert words in message
    assert shown(service, raised.value.hint) == dirt.keys
    assert not describe(diff(state[0], service.catalog("public")))
    assert service.rows() == state[1]


def shown(service: Service, text: str) -> tuple[Any, ...]:
    """The keys of the rows that the query in a hint shows."""
    found = re.search(r"See them with: (SELECT .*;)", text, re.DOTALL)
    assert found, text
    with psycopg.connect(service.dsn, row_factory=psycopg.rows.dict_row) as connection:
        rows = connection.execute(found[1].encode()).fetchall()
    names = [row["request_id"] if "request_id" in row else row["model_id"] for row in rows]
    return tuple(sorted(names))


@pytest.mark.parametrize("folder", ["online", "window"])
def test_plain_yoyo_stops_at_the_same_file(make_service: MakeService, folder: str) -> None:
    service = make_service(DIRTY)
    state = service.state("public")
    sources = (str(SHIPPED / name) for name in ("legacy", "common", folder))
    with pytest.raises(subprocess.CalledProcessError) as raised:
        run_yoyo("apply", *sources, dsn=service.dsn)
    assert "public.models.id: the value of 2 rows is the same uuid as another row" in (
        raised.value.stderr
    )
    assert not describe(diff(state[0], service.catalog("public")))
    assert service.rows() == state[1]


def test_once_the_rows_are_corrected_the_same_command_goes_on(make_service: MakeService) -> None:
    service = make_service(TEXT)
    dirty(service, DIRTS["unknown value"])
    with pytest.raises(StatementError):
        service.up("enforce")
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute("UPDATE models SET status = 'inactive' WHERE status NOT LIKE '%active'")
    service.up("enforce")
    assert service.catalog("public").relations.keys() >= {("public", "model"), ("public", "models")}


def test_dirt_that_comes_after_the_check_stops_the_client_not_the_migration(
    make_service: MakeService,
) -> None:
    service = make_service(TEXT)
    service.up("expand")
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        # What the new contract has no place for is refused from expand on.
        with pytest.raises(psycopg.errors.CheckViolation, match="model_status_check"):
            connection.execute("UPDATE models SET status = 'archived' WHERE model_id = 'gpt-4'")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            connection.execute("UPDATE models SET id = 'x' WHERE model_id = 'in-house'")
    service.up("enforce")


@pytest.mark.parametrize("known", [True, False], ids=["as the files know", "that came later"])
def test_a_trigger_that_cannot_be_silenced_is_refused_before_anything_changes(
    make_service: MakeService, tmp_path: Path, known: bool
) -> None:
    service = make_service(TEXT)
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END'"
        )
        connection.execute(
            "CREATE TRIGGER stamp BEFORE UPDATE ON models FOR EACH ROW EXECUTE FUNCTION stamp()"
        )
    says = "public.models is not as this file was written for"
    if known:
        says = "models: the backfill would fire stamp"
        write_generated(SHIPPED / "standard.toml", service.dsn, tmp_path)
        service = Service(service.dsn, tmp_path)
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE models ENABLE ALWAYS TRIGGER stamp")
    state = service.state("public")
    with pytest.raises(StatementError, match=says):
        service.up("expand")
    assert not describe(diff(state[0], service.catalog("public")))


def test_a_trigger_that_cannot_be_silenced_and_came_after_expand_stops_the_backfill(
    make_service: MakeService,
) -> None:
    service = make_service(TEXT, at="expand")
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END'"
        )
        connection.execute(
            "CREATE TRIGGER stamp BEFORE UPDATE ON models FOR EACH ROW EXECUTE FUNCTION stamp()"
        )
        connection.execute("ALTER TABLE models ENABLE ALWAYS TRIGGER stamp")
        stamps = connection.execute("SELECT id, updated_at FROM models ORDER BY id").fetchall()
        with pytest.raises(StatementError, match="models: the backfill would fire stamp"):
            service.up("backfill")
        connection.execute("ALTER TABLE models ENABLE TRIGGER stamp")
        service.up("backfill")
        now = connection.execute("SELECT id, updated_at FROM models ORDER BY id").fetchall()
    assert now == stamps
