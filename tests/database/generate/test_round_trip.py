"""Up, down, up: what a rollback brings back, and that both strategies end at the same contract."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.variants import (
    LIVE,
    NATIVE_LOWER,
    NATIVE_UPPER,
    ODD,
    PRODUCTION,
    TEXT,
    MakeService,
    Service,
    Variant,
    describe,
)

from runner.catalog import Catalog, Relation, diff

CASES = [
    pytest.param(v, True, id=f"{v}-filled")
    for v in (TEXT, ODD, PRODUCTION, NATIVE_UPPER, NATIVE_LOWER)
]
CASES += [pytest.param(v, False, id=f"{v}-empty") for v in (TEXT, NATIVE_UPPER, NATIVE_LOWER)]
ONLINE = ["expand", "backfill", "enforce", "switch", "contract"]


@pytest.mark.parametrize(("variant", "filled"), CASES)
def test_online_goes_up_down_and_up(
    make_service: MakeService, variant: Variant, filled: bool
) -> None:
    service = make_service(variant, filled=filled)
    before = service.state()
    service.up("contract")
    after = service.state()
    service.down("online")
    # PostgreSQL adds the old columns that contract dropped behind the others.
    assert_same(before, service.state(), column_order=False)
    service.up("contract")
    assert_same(after, service.state(), column_order=False)


@pytest.mark.parametrize("phase", ONLINE[:-1])
def test_a_rollback_from_any_phase_gives_the_old_contract_back(
    make_service: MakeService, phase: str
) -> None:
    service = make_service(PRODUCTION)
    before = service.state()
    service.up(phase)
    service.down("online")
    assert_same(before, service.state())


@pytest.mark.parametrize("variant", [ODD, NATIVE_LOWER], ids=str)
def test_each_phase_of_online_is_undone_alone(make_service: MakeService, variant: Variant) -> None:
    service = make_service(variant)
    states = {"baseline": service.state()}
    for phase in ONLINE:
        service.up(phase)
        states[phase] = service.state()
    for phase in reversed(ONLINE[:-1]):
        service.down("online", to=phase)
        catalog, rows = service.state()
        # What backfill filled stays until its columns go; and PostgreSQL adds the old columns that
        # contract dropped behind the new ones.
        expected = states["backfill" if phase == "expand" else phase][1]
        # And what enforce proved stays proven: PostgreSQL cannot forget it.
        known = states["enforce" if phase in ("expand", "backfill") else phase][0]
        assert_same(
            (_proven_as(states[phase][0], known), expected), (catalog, rows), column_order=False
        )
    service.down("online")
    assert_same(states["baseline"], service.state(), column_order=False)


def _proven_as(catalog: Catalog, known: Catalog) -> Catalog:
    """A catalog whose CHECKs are as proven as in another one."""

    def proven(relation: Relation) -> Relation:
        others = {k.name: k for k in known.relations[relation.qualified].constraints}
        return replace(
            relation,
            constraints=tuple(
                others.get(k.name, k) if k.kind == "c" else k for k in relation.constraints
            ),
        )

    return replace(catalog, relations={n: proven(r) for n, r in catalog.relations.items()})


@pytest.mark.parametrize(("variant", "filled"), CASES)
def test_window_goes_up_down_and_up(
    make_service: MakeService, variant: Variant, filled: bool
) -> None:
    service = make_service(variant, filled=filled)
    before = service.state()
    service.up("window")
    after = service.state()
    service.down("window")
    assert_same(before, service.state())
    service.up("window")
    assert_same(after, service.state())


@pytest.mark.parametrize(("variant", "filled"), CASES)
def test_window_and_online_end_at_the_same_contract(
    make_service: MakeService, variant: Variant, filled: bool
) -> None:
    online, window = make_service(variant, filled=filled), make_service(variant, filled=filled)
    online.up("contract")
    window.up("window")
    assert_same(online.state("public"), window.state("public"), column_order=False)


def assert_same(
    expected: tuple[Catalog, dict[str, bytes]],
    found: tuple[Catalog, dict[str, bytes]],
    *,
    column_order: bool = True,
) -> None:
    __tracebackhide__ = True
    differences = describe(diff(expected[0], found[0], column_order=column_order))
    assert not differences, differences
    assert found[1] == expected[1]


@pytest.mark.parametrize("last", ["enforce", "switch", "contract", "window"])
def test_a_rollback_keeps_what_new_clients_wrote(make_service: MakeService, last: str) -> None:
    service = make_service(ODD)
    before = old_values(service)
    service.up(last)
    new = uuid.UUID(int=7)
    with psycopg.connect(service.dsn, autocommit=True) as client:
        client.execute("UPDATE model SET status = 'DEPRECATED' WHERE model_id = 'gpt-4'")
        client.execute("UPDATE model SET display_name = 'Three' WHERE model_id = 'claude-3'")
        client.execute(
            "INSERT INTO model (id, model_id, provider, capabilities)"
            " VALUES (%s, 'new', 'OLLAMA', '{CHAT}')",
            [new],
        )
        client.execute("UPDATE request SET model_id = %s WHERE request_id = 'req_1'", [new])
        client.execute(
            "UPDATE request SET model_id = (SELECT id FROM model WHERE model_id = 'claude-3')"
            " WHERE request_id = 'req_2'"
        )
        client.execute("DELETE FROM request WHERE request_id = 'req_3'")
    service.down("window" if last == "window" else "online")

    after = old_values(service)
    assert after.pop("new") == (str(new), "ollama", ["chat"], "active")
    assert after.pop("gpt-4") == (*before.pop("gpt-4")[:3], "deprecated")
    assert after == before
    with psycopg.connect(service.dsn) as client:
        assert client.execute(
            "SELECT request_id, model_id FROM requests"
            " WHERE request_id IN ('req_1', 'req_2', 'req_3') ORDER BY 1"
        ).fetchall() == [("req_1", str(new)), ("req_2", after["claude-3"][0])]


def old_values(service: Service) -> dict[str, tuple[Any, ...]]:
    with psycopg.connect(service.dsn) as client:
        rows = client.execute("SELECT model_id, id, provider, capabilities, status FROM models")
        return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize(("strategy", "last"), [("online", "contract"), ("window", "window")])
def test_a_role_that_owns_the_tables_through_membership_is_enough(
    make_service: MakeService, strategy: str, last: str
) -> None:
    service = make_service(LIVE)
    with psycopg.connect(service.dsn, autocommit=True) as owner:
        # What a deployment's role has: the right to make schemas and to write yoyo's tables.
        owner.execute("GRANT USAGE, CREATE ON SCHEMA public TO trueup_test_deploy")
        owner.execute(
            "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO trueup_test_deploy',"
            " current_database()); END $$"
        )
        owner.execute("DROP SCHEMA IF EXISTS trueup CASCADE")
        for table in ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock"):
            owner.execute(f"ALTER TABLE {table} OWNER TO trueup_test_deploy".encode())
    before = service.state("public")
    deploy = Service(make_conninfo(service.dsn, user="trueup_test_deploy"), service.folder)
    deploy.apply(strategy, last)
    deploy.down(strategy)
    assert_same(before, service.state("public"), column_order=strategy == "window")
