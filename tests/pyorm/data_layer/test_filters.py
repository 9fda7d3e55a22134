"""Filters of one field: optional ones, one of several conditions, patterns, and what is refused."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from pyorm import (
    ModelStatus,
    Repository,
    above,
    any_of,
    at_least,
    between,
    column,
    contains,
    entity,
    given,
    ilike,
    like,
    not_,
    one_of,
)
from pyorm.errors import InvalidValue

from .conftest import Made


@entity("thing")
class Thing:
    id: int
    name: str | None = None
    size: int | None = None
    weight: float | None = None
    price: Decimal | None = None
    day: date | None = None
    raw: bytes | None = None
    state: ModelStatus | None = None
    tags: list[str] | None = None
    about: dict[str, Any] | None = column(default=None)
    parts: list[dict[str, Any]] | None = None

    def __fields__(self, **fields: Any) -> None: ...


@entity("moment")
class Moment:
    id: int
    at: datetime
    before: list[datetime] = column(default_factory=list)

    def __fields__(self, **fields: Any) -> None: ...


@pytest.fixture
def things(made: Made) -> Repository[Thing]:
    things: Repository[Thing] = Repository(Thing, made(Thing))
    things.add(Thing(id=0))
    things.add(
        Thing(
            id=1,
            name="50% off",
            size=1,
            weight=math.inf,
            price=Decimal("2.50"),
            day=date(2026, 1, 1),
            raw=b"\xff\x00",
            state=ModelStatus.ACTIVE,
            tags=["a", "b"],
            about={"a": 1},
        )
    )
    things.add(Thing(id=2, name="Offer\n2", size=5, weight=-math.inf, raw=b"", tags=[]))
    things.add(Thing(id=3, name="x_y", size=9, weight=math.nan, tags=["b"]))
    return things


def found(things: Repository[Thing], **wanted: Any) -> list[int]:
    ids = [thing.id for thing in things.find(order="id", **wanted)]
    assert things.count(**wanted) == len(ids)
    return ids


def test_a_filter_that_may_be_left_out(things: Repository[Thing]) -> None:
    assert found(things, name=given(None), size=given(5)) == [2]
    assert found(things, size=given(at_least(5))) == [2, 3]
    assert found(things, size=given(None)) == [0, 1, 2, 3]


def test_one_of_several_conditions(things: Repository[Thing]) -> None:
    assert found(things, size=any_of(None, 1, above(5))) == [0, 1, 3]
    assert found(things, size=any_of()) == []
    assert found(things, tags=any_of([], ["b"])) == [2, 3]
    assert found(things, state=any_of(None, one_of(ModelStatus.INACTIVE))) == [0, 2, 3]


def test_the_opposite_of_a_condition_takes_null(things: Repository[Thing]) -> None:
    assert found(things, size=not_(one_of(1, 5))) == [0, 3]
    assert found(things, size=not_(between(1, 5))) == [0, 3]
    assert found(things, name=not_(any_of(None, like("%off")))) == [2, 3]
    assert found(things, size=not_(5)) == [0, 1, 3]


def test_patterns(things: Repository[Thing]) -> None:
    assert found(things, name=like("%off")) == [1]
    assert found(things, name=ilike("%OFF%")) == [1, 2]
    assert found(things, name=like("Offer_2")) == [2]
    assert found(things, name=like(r"x\_y")) == [3]
    assert found(things, name=like(r"50\%%")) == [1]
    assert found(things, name=not_(like("%"))) == [0]
    for wrong in ("a\\", 5, "a\0", "\ud800"):
        with pytest.raises(InvalidValue):
            things.find(name=like(wrong))  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="is not text"):
        things.find(size=like("1"))


def test_times_of_the_farthest_zones_in_a_list(made: Made) -> None:
    moments: Repository[Moment] = Repository(Moment, made(Moment))
    far = datetime(2026, 5, 10, 17, 6, tzinfo=timezone(timedelta(hours=23, minutes=59)))
    moments.add(Moment(id=1, at=far, before=[far]))
    assert [m.before for m in moments.find(at=one_of(far))] == [[far]]


def test_one_of_each_kind_of_value(things: Repository[Thing]) -> None:
    assert found(things, raw=one_of(b"\xff\x00", b"zz")) == [1]
    assert found(things, weight=one_of(math.inf, -math.inf)) == [1, 2]
    assert found(things, weight=math.nan) == [3]
    assert found(things, weight=one_of(math.nan)) == [3]
    assert found(things, weight=at_least(math.inf)) == [1, 3]
    assert found(things, price=one_of(Decimal("2.5"))) == [1]
    assert found(things, day=one_of(date(2026, 1, 1))) == [1]
    assert found(things, tags=contains()) == [1, 2, 3]
    assert found(things, tags=contains("b")) == [1, 3]


@pytest.mark.parametrize(
    "wrong",
    [
        {"tags": one_of(["a"])},
        {"tags": above(["a"])},
        {"name": contains("a")},
        {"about": {"a": 1}},
        {"parts": [{"a": 1}]},
        {"parts": contains({"a": 1})},
        {"name": one_of("a", None)},
        {"size": between(1, None)},
        {"name": any_of("a", given(None))},
        {"day": datetime(2026, 1, 1, tzinfo=UTC)},
        {"order": "about"},
        {"order": ("size", "-size")},
        {"order": 5},
        {"order": "--size"},
        {"limit": 2**63},
        {"limit": True},
    ],
    ids=str,
)
def test_what_no_column_can_be_asked_is_refused_before_it_is_sent(
    things: Repository[Thing], wrong: dict[str, Any]
) -> None:
    with pytest.raises(InvalidValue):
        things.find(**wrong)


def test_texts_of_queries_are_bounded(things: Repository[Thing]) -> None:
    from pyorm.contract import current
    from pyorm.mapping import KEPT_TEXTS

    mapping = current(things._source)
    assert mapping is not None
    for i in range(KEPT_TEXTS + 100):
        things.query(f"SELECT {{columns}} FROM {{table}} WHERE id = -1 -- {i}")
    assert len(mapping._texts) <= KEPT_TEXTS
