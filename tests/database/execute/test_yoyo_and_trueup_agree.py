"""The plain yoyo command and trueup on the same files: the same database, in any mixture."""

from __future__ import annotations

import pytest
from support.runs import query, run_trueup, run_yoyo
from support.variants import FIRST, ODD, SHIPPED, MakeService, Service, describe

from runner.catalog import Catalog, diff
from runner.quoting import Name

LEGACY = str(SHIPPED / "legacy")
COMMON = str(SHIPPED / "common")
ONLINE = str(SHIPPED / "online")
SWITCH = str(SHIPPED / "online" / "switch")
CONTRACT = str(SHIPPED / "online" / "contract")
WINDOW = str(SHIPPED / "window")
STEPS = [
    pytest.param((ONLINE, SWITCH, CONTRACT), "online", "contract", id="online"),
    pytest.param((WINDOW,), "window", "window", id="window"),
]
both_ways = pytest.mark.parametrize(("sources", "strategy", "phase"), STEPS)


def yoyo(verb: str, service: Service, sources: tuple[str, ...], *arguments: str) -> None:
    dsn = f"{service.dsn} options='-c trueup.waiting_period=0'"
    run_yoyo(verb, *arguments, LEGACY, COMMON, *sources, dsn=dsn)


@both_ways
def test_both_make_the_same_database_and_undo_what_the_other_did(
    make_service: MakeService, sources: tuple[str, ...], strategy: str, phase: str
) -> None:
    by_yoyo, by_trueup = make_service(ODD), make_service(ODD)
    before = by_yoyo.state()
    yoyo("apply", by_yoyo, sources)
    by_trueup.up(phase)
    assert_same(by_yoyo.state(), by_trueup.state())

    by_yoyo.down(strategy)
    assert_same(before, by_yoyo.state(), column_order=strategy == "window")
    yoyo("rollback", by_trueup, sources, "--revision", FIRST)
    assert_same(before, by_trueup.state(), column_order=strategy == "window")


def test_a_run_that_one_began_is_finished_by_the_other(make_service: MakeService) -> None:
    mixed, whole = make_service(ODD), make_service(ODD)
    mixed.up("backfill")
    yoyo("apply", mixed, (ONLINE,))
    mixed.down("online", to="expand")
    mixed.up("contract")
    whole.up("contract")
    assert_same(whole.state(), mixed.state())


def test_from_an_empty_database_and_back(database: str) -> None:
    service = Service(database, SHIPPED)
    empty = service.catalog()
    yoyo("apply", service, (ONLINE,))
    assert ("public", "model") in service.catalog("public").relations
    yoyo("rollback", service, (ONLINE,), "--all")
    assert not describe(diff(empty, service.catalog()))
    assert query(database, "SELECT to_regnamespace('trueup')") == [(None,)]


def test_plain_apply_leaves_the_old_release_its_table(make_service: MakeService) -> None:
    service = make_service(ODD)
    run_trueup("apply", "--sources", LEGACY, "--sources", ONLINE, dsn=service.dsn)
    relations = service.catalog("public").relations
    assert relations[Name("public", "models")].kind == "r"
    assert relations[Name("public", "model")].kind == "v"


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
