"""The protocol in every interleaving of two or three sessions, and each of its rules taken out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support.protocol import Contract, Operation, Rule, Values, World, table, walk

BOTH = Values("a", "a", 0, 0)
UNCONVERTED = Values("a", None, 0, 1)
EMPTIED = Values(None, "a", 0, 1)  # what contract's rollback fills


def upsert(contract: Contract, key: int = 1) -> Operation:
    return Operation("upsert", contract, key, f"by {contract}")


def get(contract: Contract, key: int) -> Operation:
    return Operation("get", contract, key, f"by {contract}")


def update(contract: Contract) -> Operation:
    return Operation("update", contract, 1, f"by {contract}")


def touch(contract: Contract) -> Operation:
    return Operation("touch", contract)


DELETE, BACKFILL, SWITCH = Operation("delete"), Operation("backfill"), Operation("switch")

Story = tuple[tuple[Values, ...], Sequence[Sequence[Operation]]]
STORIES: dict[str, Story] = {
    "a new key, upserted by both": ((), [[upsert("old")], [upsert("new")]]),
    "a new key, three times": ((), [[upsert("old")], [upsert("new")], [upsert("old")]]),
    "two new keys in one order": (
        (),
        [[upsert("old", 1), upsert("old", 2)], [upsert("new", 1), upsert("new", 2)]],
    ),
    "keys that are there, in both orders": (
        (BOTH, BOTH),
        [[get("old", 1), get("old", 2)], [get("new", 2), get("new", 1)]],
    ),
    "increments of one row": (
        (BOTH,),
        [[touch("old")], [update("new")], [upsert("old")]],
    ),
    "increments while it is filled": (
        (UNCONVERTED,),
        [[touch("old")], [touch("old")], [BACKFILL]],
    ),
    "changes while it is filled": (
        (UNCONVERTED,),
        [[update("old")], [update("old"), touch("old")], [BACKFILL]],
    ),
    "a new row while others are filled": (
        (UNCONVERTED,),
        [[upsert("old", 2)], [upsert("old", 1)], [BACKFILL]],
    ),
    "the way back: the old side is filled": (
        (EMPTIED,),
        [[touch("new")], [touch("new")], [BACKFILL]],
    ),
    "the way back: new rows": (
        (EMPTIED,),
        [[upsert("new", 2)], [upsert("new", 1)], [BACKFILL]],
    ),
    "the switch between writes": (
        (BOTH,),
        [[update("old"), touch("old")], [update("new")], [SWITCH]],
    ),
    "the switch between inserts": (
        (),
        [[upsert("old", 2)], [upsert("new")], [SWITCH]],
    ),
}


def wrong_in(ends: set[World], wrong: set[str]) -> set[str]:
    """What no run may come to."""
    found = set(wrong)
    for world in ends:
        for row in world.rows:
            values = row.committed
            if values is None:
                continue
            acknowledged = [k for s in world.sessions if not s.failed for k in s.acknowledged]
            if values.count != acknowledged.count(row.key):
                found.add("lost increment")
            if values.old != values.new:
                found.add("sides differ")
            if "default" in (values.old, values.new):
                found.add("lost value")
    return found


def run(name: str, without: Rule | None = None) -> set[str]:
    rows, transactions = STORIES[name]
    return wrong_in(*walk(table(*rows), transactions, without=without))


@pytest.mark.parametrize("name", STORIES)
def test_nothing_is_lost_and_nobody_fails(name: str) -> None:
    assert run(name) == set()


@pytest.mark.parametrize(
    ("rule", "name", "what"),
    [
        ("hold absent keys", "a new key, upserted by both", "unique violation"),
        ("hold no key that is there", "keys that are there, in both orders", "deadlock"),
        ("convert what moves", "increments while it is filled", "sides differ"),
        ("convert what moves", "the way back: the old side is filled", "sides differ"),
        ("look again after waiting", "increments of one row", "lost increment"),
        ("switch under a lock", "the switch between inserts", "lost value"),
    ],
)
def test_each_rule_is_needed(rule: Rule, name: str, what: str) -> None:
    assert what in run(name, without=rule)


def test_an_upsert_of_the_new_contract_may_fail_beside_a_delete_of_its_key() -> None:
    """The known gap: the key is there, so nobody holds it, and is gone a moment later."""
    transactions = [[upsert("old")], [upsert("new")], [DELETE]]
    assert walk(table(BOTH), transactions)[1] == {"unique violation"}
    # The old contract's own index is the first that is checked.
    assert walk(table(BOTH), [[upsert("old")], [upsert("old")], [DELETE]])[1] == set()
