"""The gate and standbys: clients that read from one, and one that becomes the server."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from support.pairs import Pair, start_pair
from support.processes import eventually
from support.runs import query, run_trueup
from support.variants import SHIPPED, Service

CONTRACT = ("apply", "--service", str(SHIPPED), "--to", "contract", "--waiting-period", "0")
STATUS = ("status", "--all", "--service", str(SHIPPED))


@pytest.fixture
def pair() -> Iterator[Pair]:
    """After the switch; the standby has all of it."""
    with start_pair() as started:
        started.primary.create_database("live")
        Service(started.primary.dsn("live"), SHIPPED).up("switch")
        caught_up(started)
        yield started


def caught_up(pair: Pair) -> None:
    ((position,),) = query(pair.primary.dsn(), "SELECT pg_current_wal_lsn()")
    replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    eventually(lambda: query(pair.standby.dsn(), replayed, position) == [(True,)])


def test_a_promoted_standby_has_counted_nothing(pair: Pair) -> None:
    live, after = pair.primary.dsn("live"), pair.standby.dsn("live")
    with psycopg.connect(live, autocommit=True) as client:
        client.execute("SELECT FROM models")
    pair.primary.crash()
    query(pair.standby.dsn(), "SELECT pg_promote()")
    eventually(lambda: query(after, "SELECT pg_is_in_recovery()") == [(False,)])
    # As often as was read on the server that is lost.
    with psycopg.connect(after, autocommit=True) as client:
        client.execute("SELECT FROM models")

    with (
        psycopg.connect(after, autocommit=True) as plain,
        pytest.raises(psycopg.errors.ObjectInUse, match="counter: has no reading"),
    ):
        plain.execute("SET trueup.waiting_period = 0; CALL trueup.require_unused('public.models')")
    refused = run_trueup(*CONTRACT, dsn=after)
    assert refused.returncode == 1
    assert "counter: has no reading" in refused.stderr
    # The refusal has read the counters, so the waiting period has begun.
    passed = run_trueup(*CONTRACT, dsn=after)
    assert passed.returncode == 0, passed.stderr


def test_contract_waits_for_the_clients_of_a_standby(pair: Pair) -> None:
    live, second = pair.primary.dsn("live"), pair.standby.dsn("live")
    witness = ("--standby", second)

    # Nothing is known of it, until a refusal has read its counters.
    first = run_trueup(*CONTRACT, *witness, dsn=live)
    assert first.returncode == 1
    assert "standby" in first.stderr
    assert "counter: has no reading" in first.stderr
    told = run_trueup(*STATUS, *witness, dsn=live).stdout
    assert f"standby {pair.standby.host}" in told
    assert "may be in use" not in told

    with psycopg.connect(second, autocommit=True) as client:
        client.execute("SELECT FROM models")
    eventually(lambda: "counter: uses: 1" in run_trueup(*STATUS, *witness, dsn=live).stdout)
    period = ("--waiting-period", "1h")
    used = run_trueup(*CONTRACT[:-2], *period, *witness, dsn=live)
    assert used.returncode == 1
    assert "counter: uses: 1" in used.stderr

    # A session there that holds the view, though it has read no row.
    with psycopg.connect(second) as client:
        client.execute("SELECT FROM models LIMIT 0")
        held = run_trueup(*CONTRACT, *witness, dsn=live)
        assert held.returncode == 1
        assert f"locks: process {client.info.backend_pid} (" in held.stderr

    # A standby that crashed has forgotten what it counted.
    pair.standby.crash()
    pair.standby.restart()
    eventually(lambda: "lost or copied" in run_trueup(*STATUS, *witness, dsn=live).stdout)
    lost = run_trueup(*CONTRACT, *witness, dsn=live)
    assert lost.returncode == 1
    assert "lost or copied" in lost.stderr
    passed = run_trueup(*CONTRACT, *witness, dsn=live)
    assert passed.returncode == 0, passed.stderr


def test_what_is_named_as_a_standby_must_be_one_of_this_server(pair: Pair, database: str) -> None:
    live = pair.primary.dsn("live")
    itself = run_trueup(*CONTRACT, "--standby", live, dsn=live)
    assert itself.returncode == 2
    assert "is no standby: it takes writes" in itself.stderr

    other = run_trueup(*CONTRACT, "--standby", pair.standby.dsn(), dsn=live)
    assert other.returncode == 2
    assert "is not a standby of this server" in other.stderr

    idle = run_trueup("apply", "--service", str(SHIPPED), "--standby", live, dsn=database)
    assert idle.returncode == 2
    assert "this run removes no old name" in idle.stderr


def test_status_on_a_standby_sends_to_the_server_that_has_the_readings(pair: Pair) -> None:
    told = run_trueup("status", "--service", str(SHIPPED), dsn=pair.standby.dsn("live"))
    assert told.returncode == 0, told.stderr
    assert "public.models: 0 queries; may be in use" in told.stdout
    assert "not heard: counter: " in told.stdout
