"""The reversal tables: whose values they keep, what they forget, and when they may go."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.runs import query, run_trueup
from support.variants import LIVE, PRODUCTION, SHIPPED, MakeService, Service

from runner.ledger.spellings import read_spellings

LOOK = ("--service", str(SHIPPED))
KEPT = "SELECT count(*) FROM trueup.provider_quota_reversal"
MODELS = "SELECT id, provider, capabilities, status FROM models ORDER BY model_id"
FORGET = "CALL trueup.forget_spellings('trueup.provider_quota_reversal')"


def delete_kept(dsn: str, *, user: str = "") -> int:
    """Delete a row whose old spelling is kept; how many spellings there were."""
    ((count, key),) = query(
        dsn, "SELECT count(*), min(id::text) FROM trueup.provider_quota_reversal"
    )
    with psycopg.connect(make_conninfo(dsn, **({"user": user} if user else {}))) as client:
        assert client.execute("DELETE FROM provider_quota WHERE id::text = %s", [key]).rowcount == 1
    assert isinstance(count, int)
    return count


def at_end(make_service: MakeService, strategy: str) -> Service:
    service = make_service(LIVE)
    service.up("contract" if strategy == "online" else "window")
    return service


@pytest.mark.parametrize("strategy", ["online", "window"])
def test_the_spelling_of_a_deleted_row_is_forgotten(
    make_service: MakeService, strategy: str
) -> None:
    service = at_end(make_service, strategy)
    # A client that may not read it.
    kept = delete_kept(service.dsn, user="trueup_test_app")
    assert query(service.dsn, KEPT) == [(kept - 1,)]
    assert kept > 1
    query(service.dsn, "TRUNCATE provider_quota")
    assert query(service.dsn, KEPT) == [(0,)]
    # What a cascade deletes is deleted.
    query(service.dsn, "DELETE FROM request")
    query(service.dsn, "TRUNCATE model CASCADE")
    assert query(service.dsn, "SELECT count(*) FROM trueup.model_reversal") == [(0,)]


@pytest.mark.parametrize("strategy", ["online", "window"])
def test_the_others_come_back_byte_for_byte(make_service: MakeService, strategy: str) -> None:
    service = make_service(LIVE)
    before = query(service.dsn, "SELECT id, provider FROM provider_quotas ORDER BY lower(id)")
    service.up("contract" if strategy == "online" else "window")
    delete_kept(service.dsn)
    service.down(strategy, "baseline")
    after = query(service.dsn, "SELECT id, provider FROM provider_quotas ORDER BY lower(id)")
    assert len(after) == len(before) - 1
    assert set(after) < set(before)
    triggers = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname ~ 'trueup'"
    assert query(service.dsn, triggers) == []


def test_a_row_that_is_deleted_while_contract_goes_on_is_forgotten(
    make_service: MakeService,
) -> None:
    service = make_service(LIVE, at="switch")
    files = service.migrations("online")
    for name in ("models", "requests", "provider_quotas"):
        query(service.dsn, "CALL trueup.read_odometer(%s::regclass)", name)
    service.apply("online", next(m.id for m in files if m.id.endswith("provider_quota_close")))
    with psycopg.connect(service.dsn) as client:
        # Deleted by a transaction that the copy does not see the end of.
        odd = "SELECT id FROM provider_quota WHERE provider__old <> lower(provider) LIMIT 1"
        assert client.execute(f"DELETE FROM provider_quota WHERE id = ({odd})").rowcount == 1
        service.apply(
            "online", next(m.id for m in files if m.id.endswith("provider_quota_reversal"))
        )
    ((before,),) = query(service.dsn, KEPT)
    service.apply("online", "contract")
    assert query(service.dsn, KEPT) == [(before - 1,)]


def test_a_client_deletes_a_row_while_a_rollback_drops_the_spellings(
    make_service: MakeService,
) -> None:
    service = at_end(make_service, "online")
    with (
        psycopg.connect(service.dsn) as rollback,
        psycopg.connect(service.dsn) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        rollback.execute("DROP TABLE trueup.provider_quota_reversal")
        deleted = pool.submit(client.execute, "DELETE FROM provider_quota")
        blocked = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
        while rollback.execute(blocked, [client.info.backend_pid]).fetchone() != (True,):
            assert not deleted.done()
        rollback.commit()
        assert deleted.result().rowcount > 0


def test_old_values_are_nobody_elses_under_row_security(make_service: MakeService) -> None:
    service = make_service(PRODUCTION)
    service.up("contract")
    of = "SELECT relname, relrowsecurity FROM pg_class WHERE relname ~ '_reversal$' ORDER BY 1"
    secured = (
        "SELECT bool_or(relrowsecurity) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    )
    assert query(service.dsn, secured) == [(True,)]
    shown = [name for name, secured in query(service.dsn, of) if secured]
    assert shown
    query(service.dsn, "GRANT SELECT ON ALL TABLES IN SCHEMA trueup TO trueup_test_report")
    with psycopg.connect(make_conninfo(service.dsn, user="trueup_test_report")) as client:
        for name in shown:
            assert query(service.dsn, f"SELECT count(*) > 0 FROM trueup.{name}") == [(True,)]
            assert client.execute(f"SELECT count(*) FROM trueup.{name}").fetchone() == (0,)
    for name in shown:
        table = name.removesuffix("_reversal")
        kept = f"SELECT count(*) FROM trueup.{name}"
        done = f"SET row_security = off; DELETE FROM {table}"
        query(service.dsn, f"ALTER TABLE {table} OWNER TO trueup_test_clerk")
        query(service.dsn, f"CALL trueup.hand_over('{table}', '{table}_forget')")
        query(service.dsn, done)
        assert query(service.dsn, kept) == [(0,)]


def test_status_and_verify_tell_from_when_on_spellings_may_go(make_service: MakeService) -> None:
    service = at_end(make_service, "online")
    for verb in ("status", "verify"):
        told = " ".join(run_trueup(verb, *LOOK, "--all", dsn=service.dsn).stdout.split())
        for table in ("model", "request", "provider_quota"):
            assert f"trueup.{table}_reversal: keeps old spellings since " in told
        assert f"on they may go: {FORGET};" in told
    with psycopg.connect(service.dsn) as connection:
        kept = read_spellings(connection)
    assert {(k.may_go_from - k.since).days for k in kept} == {30}


def test_spellings_go_when_their_time_has_come_and_no_sooner(make_service: MakeService) -> None:
    service = make_service(LIVE)
    models = query(service.dsn, MODELS)
    service.up("contract")
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is kept until"):
            connection.execute(FORGET)
        ((kept,),) = connection.execute(KEPT).fetchall()
        assert kept
        connection.execute("SET trueup.keep_for = '0 days'")
        connection.execute(FORGET)
        assert connection.execute(KEPT).fetchall() == [(0,)]
        triggers = "SELECT FROM pg_trigger WHERE tgrelid = 'provider_quota'::regclass"
        assert connection.execute(f"{triggers} AND NOT tgisinternal").fetchall() == []
        assert [k.reversal for k in read_spellings(connection)] == [
            "trueup.model_reversal",
            "trueup.request_reversal",
        ]
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="keeps no old"):
            connection.execute(FORGET)
    # The way back is still there, and says what it cannot bring back.
    back = run_trueup("rollback", "--to", "baseline", *LOOK, dsn=service.dsn)
    assert back.returncode == 0
    assert (
        "old values come back as the new ones say, not byte for byte" in back.stderr + back.stdout
    )
    odd = "SELECT FROM provider_quotas WHERE id <> lower(id) OR provider <> lower(provider)"
    assert query(service.dsn, odd) == []
    assert query(service.dsn, MODELS) == models


@pytest.mark.parametrize("strategy", ["online", "window"])
def test_a_deletion_does_not_read_all_spellings(make_service: MakeService, strategy: str) -> None:
    service = at_end(make_service, strategy)
    for table in ("model", "request", "provider_quota"):
        with psycopg.connect(service.dsn) as connection:
            connection.execute("SET enable_seqscan = off")
            plan = connection.execute(
                f"EXPLAIN DELETE FROM trueup.{table}_reversal AS r"
                " WHERE r.id = 'e0a2d1c4-0b57-4f6e-9d0c-3c1f7a5b8e21'"
            ).fetchall()
        assert any("Index Scan" in line for (line,) in plan), plan


def test_the_end_of_the_copy_keeps_no_client_waiting(make_service: MakeService) -> None:
    service = at_end(make_service, "online")
    (copy,) = service.folder.rglob("*_contract_provider_quota_reversal.rollback.sql")
    service.down("online", copy.name.removesuffix(".rollback.sql"))
    with psycopg.connect(service.dsn, options="-c idle_in_transaction_session_timeout=20s") as slow:
        slow.execute("DELETE FROM provider_quota")
        # As any other runner would: without a lock_timeout of its own. Behind a DROP TABLE that
        # waits for this client, all others that delete would wait, too.
        with (
            psycopg.connect(service.dsn, options="-c lock_timeout=0") as other,
            pytest.raises(psycopg.errors.LockNotAvailable),
        ):
            other.execute(copy.read_text())
