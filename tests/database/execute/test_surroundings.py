"""What stands around a migration: transactions left over, few slots, copies without rows."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.runs import query, run_trueup
from support.variants import AT_ONCE, LIVE, SHIPPED, MakeService, Service

from runner.errors import LockedError
from runner.execute.engine import apply
from runner.ledger.files import read_migrations
from runner.postgres.binaries import find_binaries
from runner.postgres.embedded import FAST, EmbeddedServer, start_server


@pytest.fixture(scope="module")
def scarce() -> Iterator[EmbeddedServer]:
    """A server with few locks that keeps prepared transactions."""
    settings = {**FAST, "max_prepared_transactions": "2", "max_locks_per_transaction": "10"}
    with start_server(settings=settings) as server:
        yield server


@pytest.fixture
def service(scarce: EmbeddedServer) -> Iterator[Service]:
    scarce.create_database("service")
    apply(scarce.dsn("service"), read_migrations([SHIPPED / "legacy"]))
    yield Service(scarce.dsn("service"), SHIPPED)
    scarce.drop_database("service")


@contextmanager
def left_over(client: psycopg.Connection) -> Iterator[None]:
    client.execute("BEGIN")
    client.execute("UPDATE models SET max_tokens = 1")
    client.execute("PREPARE TRANSACTION 'it''s left'")
    try:
        yield
    finally:
        client.execute("ROLLBACK PREPARED 'it''s left'")


def test_a_prepared_transaction_that_was_left_over_is_named(service: Service) -> None:
    with psycopg.connect(service.dsn, autocommit=True) as client, left_over(client):
        with pytest.raises(
            LockedError, match=r"a prepared transaction .* holds models since"
        ) as told:
            service.apply("online", "expand", replace(AT_ONCE, deadline=1.0))
        assert "ROLLBACK PREPARED 'it''s left'" in str(told.value)
        checked = run_trueup("check", "--service", str(SHIPPED), dsn=service.dsn)
        assert checked.returncode == 1
        stops = "public.models is locked by a prepared transaction, which does not end by itself"
        assert f"{stops}: it's left" in " ".join(checked.stdout.split())
    service.apply("online", "expand")


def test_the_whole_chain_fits_into_few_locks(service: Service) -> None:
    service.up("contract")
    service.down("online")


def test_an_old_name_without_its_marker_fails_and_says_how_it_works_again(
    make_service: MakeService,
) -> None:
    service = make_service(LIVE, at="switch")
    copy = make_service(LIVE, filled=False)
    schema = dump(service.dsn, "--schema-only")
    with psycopg.connect(copy.dsn, autocommit=True) as connection:
        for name in ("trueup", "public"):
            connection.execute(f"DROP SCHEMA {name} CASCADE".encode())
        connection.execute("CREATE SCHEMA public")
        connection.execute(schema.encode())
        connection.execute("SET search_path = public")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as told:
            connection.execute("SELECT FROM models")
        assert "REFRESH MATERIALIZED VIEW" in (told.value.diag.message_hint or "")
        connection.execute("REFRESH MATERIALIZED VIEW trueup.models_used")
        connection.execute(
            "INSERT INTO models (id, model_id, provider, capabilities)"
            " VALUES (gen_random_uuid()::text, 'm', 'openai', '{chat}')"
        )
    shown = "SELECT provider FROM public.models UNION ALL SELECT provider FROM public.model"
    assert query(copy.dsn, shown) == [("openai",), ("OPENAI",)]


@pytest.mark.parametrize("phase", ["switch", "contract"])
def test_a_backup_role_that_may_read_all_data_dumps_it_all(
    make_service: MakeService, server_dsn: str, phase: str
) -> None:
    service = make_service(LIVE, at="switch")
    if phase == "contract":
        service.up("contract")
    query(server_dsn, "CREATE ROLE backup LOGIN")
    try:
        query(service.dsn, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO backup")
        with pytest.raises(subprocess.CalledProcessError):
            dump(make_conninfo(service.dsn, user="backup"))
        query(server_dsn, "GRANT pg_read_all_data TO backup")
        dumped = dump(make_conninfo(service.dsn, user="backup"))
    finally:
        query(service.dsn, "DROP OWNED BY backup")
        query(server_dsn, "DROP ROLE backup")
    ((name,),) = query(service.dsn, "SELECT model_id FROM model ORDER BY 1 LIMIT 1")
    assert name in dumped


def dump(dsn: str, *options: str) -> str:
    """A dump as psql would run it, without what only psql knows."""
    place = {k: str(v) for k, v in conninfo_to_dict(dsn).items()}
    command = [str(find_binaries().directory / "pg_dump"), "-h", place["host"], "-p", place["port"]]
    done = subprocess.run(
        [*command, "-U", place["user"], *options, place["dbname"]],
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith("\\"))
