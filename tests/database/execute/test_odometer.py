"""The odometer: every use of an old name counts, nothing else does, and contract waits for it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from support.processes import eventually
from support.runs import query
from support.variants import LIVE, MakeService, Service

from runner.errors import StillUsedError
from runner.execute.engine import Settings
from runner.postgres.binaries import find_binaries

ID = "0a0b0c0d-0000-4000-8000-00000000000"


@pytest.fixture
def service(make_service: MakeService) -> Service:
    """A database on which both contracts live, and the new one has the tables."""
    return make_service(LIVE, at="switch")


@contextmanager
def connected(service: Service) -> Iterator[psycopg.Connection]:
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        yield connection


def flush(connection: psycopg.Connection) -> None:
    """Let what a session counted be seen at once, where the server can."""
    if connection.info.server_version >= 150000:
        connection.execute("SELECT pg_stat_force_next_flush()")


def shown(service: Service, view: str = "models") -> int:
    """What the odometer of a view shows."""
    ((count,),) = query(
        service.dsn,
        "SELECT seq_scan FROM pg_stat_user_tables"
        " WHERE schemaname = 'trueup' AND relname = %s || '_used'",
        view,
    )
    assert isinstance(count, int)
    return count


def counted(service: Service, *statements: str, view: str = "models") -> int:
    """By how much the statements of one client move a view's odometer."""
    before = shown(service, view)
    with connected(service) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        flush(connection)
        version = connection.info.server_version
    # The client is gone, and with it whatever it had counted is written; PostgreSQL 14 has a
    # process of its own for that, which takes its time.
    if version < 150000:
        time.sleep(1.2)
    last, now = -1, shown(service, view)
    deadline = time.monotonic() + 5
    while last != now and time.monotonic() < deadline:
        last, now = now, shown(service, view)
        time.sleep(0.05)
    return now - before


MODEL = f"(id, model_id, provider, capabilities) VALUES ('{ID}1', 'm', 'openai', '{{}}')"
USES = [
    "SELECT count(*) FROM models",
    "SELECT FROM models WHERE id = 'nothing'",
    "SELECT FROM models WHERE model_id = 'nothing' FOR UPDATE",
    "SELECT FROM model AS m WHERE m.model_id = (SELECT max(model_id) FROM models)",
    "WITH m AS MATERIALIZED (SELECT * FROM models) SELECT count(*) FROM m",
    "EXPLAIN (ANALYZE) SELECT FROM models",
    f"INSERT INTO models {MODEL}",
    f"INSERT INTO models {MODEL} ON CONFLICT DO NOTHING",
    "INSERT INTO models (id, model_id, provider, capabilities)"
    " SELECT upper(id__old), model_id, 'openai', '{}' FROM model ON CONFLICT (model_id) DO NOTHING",
    "UPDATE models SET max_tokens = 1 WHERE model_id = 'nothing'",
    "UPDATE models SET status = 'inactive'",
    "DELETE FROM models WHERE model_id = 'nothing'",
    "COPY (SELECT * FROM models) TO STDOUT",
    "DO $$ BEGIN PERFORM FROM models; END $$",
]


def test_every_statement_through_the_old_name_counts(service: Service) -> None:
    for statement in USES:
        if statement.startswith("COPY"):
            before = shown(service)
            with connected(service) as connection, connection.cursor() as cursor:
                with cursor.copy(statement.encode()) as copy:
                    list(copy)
                flush(connection)
            eventually(lambda before=before: shown(service) > before)  # type: ignore[misc]
        else:
            assert counted(service, statement) >= 1, statement


def test_each_query_counts_once(service: Service) -> None:
    assert counted(service, *["SELECT count(*) FROM models"] * 20) == 20


def test_read_only_and_aborted_transactions_count(service: Service) -> None:
    read_only = ("BEGIN READ ONLY", "SELECT FROM models", "COMMIT")
    assert counted(service, *read_only) == 1
    assert counted(service, "BEGIN", "SELECT FROM models", "ROLLBACK") == 1


def test_prepared_statements_count_each_time(service: Service) -> None:
    prepare = "PREPARE p (text) AS SELECT FROM models WHERE id = $1"
    assert counted(service, prepare, *[f"EXECUTE p ('{n}')" for n in range(30)]) == 30


def test_a_query_that_reads_no_row_at_all_may_not_be_seen(service: Service) -> None:
    """A known limit: the server runs nothing for these; PostgreSQL 15 counts one of the two."""
    assert counted(service, "SELECT FROM models LIMIT 0", "SELECT FROM models WHERE false") < 2


def test_the_new_name_does_not_count(service: Service) -> None:
    assert (
        counted(
            service,
            "SELECT count(*) FROM model",
            "UPDATE model SET status = 'INACTIVE', max_tokens = 1",
            f"INSERT INTO model {MODEL.replace('openai', 'OPENAI')}",
            "INSERT INTO request (id, request_id, request_type, model_id, provider, request_data,"
            f" success) SELECT '{ID}2', 'r', 'CHAT', id, 'OPENAI', '{{}}', true FROM model LIMIT 1",
            f"UPDATE request SET model_id = '{ID}1' WHERE request_id = 'r'",
            "DELETE FROM request",
            "DELETE FROM model",
            "ANALYZE",
        )
        == 0
    )


def test_one_old_name_does_not_count_for_another(service: Service) -> None:
    assert counted(service, "SELECT FROM requests", view="models") == 0
    assert counted(service, "SELECT FROM requests", view="requests") == 1


def test_a_dump_does_not_count(service: Service) -> None:
    pg_dump = find_binaries().directory / "pg_dump"
    if not pg_dump.exists():
        pytest.skip("this PostgreSQL installation has no pg_dump")
    before = shown(service)
    values = {k: str(v) for k, v in conninfo_to_dict(service.dsn).items()}
    command = [str(pg_dump), "-h", values["host"], "-p", values["port"], "-U", values["user"]]
    run = subprocess.run(
        [*command, values["dbname"]],
        env={**os.environ, "PGPASSWORD": values.get("password", "")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "server version mismatch" in run.stderr:
        pytest.skip(run.stderr)
    assert run.returncode == 0, run.stderr
    assert "COPY public.model " in run.stdout
    time.sleep(0.2)
    assert shown(service) == before


# Contract


def contract(service: Service, waiting_period: str) -> None:
    service.apply("online", "contract", Settings(deadline=5, waiting_period=waiting_period))


def refusal(service: Service, waiting_period: str) -> StillUsedError:
    """What a run is told, and that the file itself would refuse it, too."""
    before = service.catalog()
    with connected(service) as connection:
        period = "SELECT set_config('trueup.waiting_period', %s, false)"
        connection.execute(period, [waiting_period])
        with pytest.raises(psycopg.errors.ObjectInUse):
            connection.execute(
                "DO $$ BEGIN CALL trueup.require_unused('public.models');"
                " CALL trueup.require_unused('public.requests'); END $$"
            )
    with pytest.raises(StillUsedError) as raised:
        contract(service, waiting_period)
    assert service.catalog() == before
    return raised.value


def read_again(service: Service) -> None:
    """What an operator does to start the waiting period anew."""
    with connected(service) as connection:
        for view in ("models", "requests", "provider_quotas"):
            connection.execute("CALL trueup.read_odometer(%s)", [f"public.{view}"])


def test_contract_says_when_it_will_be_allowed(service: Service) -> None:
    read_again(service)
    error = refusal(service, "3 hours")
    _, _, rest = error.message.partition(
        "public.models may still be in use: contract is allowed from "
    )
    allowed = datetime.strptime(rest.split(" on")[0], "%Y-%m-%d %H:%M:%S %Z").replace(tzinfo=UTC)
    ((read,),) = query(service.dsn, "SELECT min(read_at) FROM trueup.odometer")
    assert isinstance(read, datetime)
    assert read - timedelta(seconds=1) < allowed - timedelta(hours=3) <= datetime.now(UTC)
    assert "now 3 hours" in error.hint


def test_each_use_starts_the_waiting_period_anew_for_its_whole_unit(service: Service) -> None:
    read_again(service)
    time.sleep(4.2)
    assert counted(service, "SELECT FROM requests", view="requests") == 1
    error = refusal(service, "4 seconds")
    assert "public.requests" in error.message


def test_a_client_in_the_middle_of_a_transaction_keeps_its_old_name(service: Service) -> None:
    with psycopg.connect(service.dsn) as busy:
        busy.execute("SELECT FROM models")
        read_again(service)
        error = refusal(service, "0 seconds")
        assert f"locks: process {busy.info.backend_pid} (" in error.message
        assert busy.execute("SELECT count(*) FROM models").fetchone() == (9,)


def test_a_statistics_reset_starts_the_waiting_period_anew(service: Service) -> None:
    read_again(service)
    time.sleep(4.2)
    query(service.dsn, "SELECT pg_stat_reset()")
    refusal(service, "4 seconds")


def test_contract_goes_on_once_the_old_name_has_rested(service: Service) -> None:
    assert counted(service, "SELECT FROM models") == 1
    read_again(service)
    time.sleep(1.2)
    contract(service, "1 second")
    assert ("public", "models") not in service.catalog("public").relations


def test_without_a_word_the_waiting_period_is_a_day(service: Service) -> None:
    read_again(service)
    with pytest.raises(StillUsedError) as raised:
        service.apply("online", "contract", Settings(deadline=5))
    assert "now 24 hours" in raised.value.hint
    with connected(service) as connection, pytest.raises(psycopg.errors.ObjectInUse) as said:
        connection.execute("CALL trueup.require_unused('public.models')")
    assert "after 24:00:00 without a use" in (said.value.diag.message_hint or "")
