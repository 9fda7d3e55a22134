"""Up, down, up: what a rollback brings back, and that both strategies end at the same contract."""

from __future__ import annotations

import pytest
from support.variants import (
    NATIVE_LOWER,
    NATIVE_UPPER,
    ODD,
    PRODUCTION,
    TEXT,
    MakeService,
    Variant,
    describe,
)

from runner.catalog import Catalog, diff

CASES = [
    pytest.param(v, True, id=f"{v}-filled")
    for v in (TEXT, ODD, PRODUCTION, NATIVE_UPPER, NATIVE_LOWER)
]
CASES += [pytest.param(v, False, id=f"{v}-empty") for v in (TEXT, NATIVE_UPPER, NATIVE_LOWER)]
ONLINE = ["expand", "backfill", "enforce", "contract"]


@pytest.mark.parametrize(("variant", "filled"), CASES)
def test_online_goes_up_down_and_up(
    make_service: MakeService, variant: Variant, filled: bool
) -> None:
    service = make_service(variant, filled=filled)
    before = service.state()
    service.up("contract")
    after = service.state()
    service.down("online")
    assert_same(before, service.state())
    service.up("contract")
    assert_same(after, service.state(), column_order=False)


@pytest.mark.parametrize("phase", ONLINE[:3])
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
    for phase in reversed(ONLINE[:3]):
        service.down("online", to=phase)
        catalog, rows = service.state()
        # What backfill filled stays until its columns go; and PostgreSQL adds the old columns that
        # contract dropped behind the new ones.
        expected = states["backfill" if phase == "expand" else phase][1]
        assert_same((states[phase][0], expected), (catalog, rows), column_order=False)
    service.down("online")
    assert_same(states["baseline"], service.state())


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
