"""Cursors of pages come back from outside: signed, bound to their query, never a server's error."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from pyorm import ModelStatus, Page, Repository, any_of, column, entity, now, one_of
from pyorm.errors import InvalidCursor, InvalidValue
from pyorm.sources import signing_key

from .conftest import Made


@entity("item")
class Item:
    id: UUID = column(default_factory=uuid4)
    number: int
    price: Decimal
    name: str
    raw: bytes
    took: timedelta
    state: ModelStatus
    at: datetime = column(default_factory=now)
    token: str = column(repr=False, default="")

    def __fields__(self, **fields: Any) -> None: ...


@pytest.fixture
def items(made: Made) -> Repository[Item]:
    items: Repository[Item] = Repository(Item, made(Item), cursor_key="a key")
    items.add_many(
        Item(
            number=n,
            price=Decimal(n) / 4,
            name=f"n{n}",
            raw=bytes([n]),
            took=timedelta(seconds=n),
            state=ModelStatus.ACTIVE if n % 2 else ModelStatus.INACTIVE,
        )
        for n in range(12)
    )
    return items


@pytest.mark.parametrize("order", ["number", "-price", "name", "raw", "-took", "state", "at", ()])
def test_pages_by_each_kind_of_value_give_all_rows_once(
    items: Repository[Item], order: Any
) -> None:
    seen: list[Item] = []
    after = None
    while True:
        page: Page[Item] = items.page(after, order=order, limit=5)
        seen += page.items
        after = page.next
        if after is None:
            break
    assert seen == items.find(order=(*([order] if order else []), _tail(order)))


def _tail(order: Any) -> str:
    return "-id" if str(order).startswith("-") else "id"


def cursor(items: Repository[Item], **wanted: Any) -> str:
    made = items.page(**{"order": "number", "limit": 3, **wanted}).next
    assert made is not None
    return made


def test_a_changed_cursor_is_refused_whatever_was_changed(items: Repository[Item]) -> None:
    good = cursor(items)
    raw = base64.urlsafe_b64decode(good + "=" * (-len(good) % 4))
    changed = [raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1 :] for i in range(len(raw))]
    changed += [raw[:-1], raw + b" ", raw[:16], b"", raw[:16] + b"[" * 20_000]
    for other in changed:
        with pytest.raises(InvalidCursor):
            items.page(base64.urlsafe_b64encode(other).decode().rstrip("="), order="number")


@pytest.mark.parametrize("wrong", ["", "\0", "ä", "=" * 40, 5, b"abc", [], "x" * 100_000])
def test_what_is_no_cursor_is_refused(items: Repository[Item], wrong: Any) -> None:
    with pytest.raises(InvalidCursor):
        items.page(wrong, order="number")


@pytest.mark.parametrize("tail", [" ", "\n", "=", "==", "A"])
def test_a_cursor_has_one_spelling(items: Repository[Item], tail: str) -> None:
    with pytest.raises(InvalidCursor):
        items.page(cursor(items) + tail, order="number")


def test_a_cursor_is_of_one_filter_with_its_values_and_of_one_order(
    items: Repository[Item],
) -> None:
    good = cursor(items, state=ModelStatus.ACTIVE)
    assert items.page(good, order="number", state=ModelStatus.ACTIVE, limit=1).items
    for other in (
        {"state": ModelStatus.INACTIVE},
        {"state": one_of(ModelStatus.ACTIVE)},
        {"state": ModelStatus.ACTIVE, "order": "-number"},
        {"state": ModelStatus.ACTIVE, "name": "n1"},
        {},
    ):
        with pytest.raises(InvalidCursor):
            items.page(good, **{"order": "number", **other})
    good = cursor(items, number=any_of(*range(8)), state=one_of(*ModelStatus))
    backwards = {"number": any_of(*reversed(range(8))), "state": one_of(*reversed(ModelStatus))}
    assert items.page(good, order="number", **backwards).items


def test_a_cursor_of_another_key_is_refused(items: Repository[Item]) -> None:
    other: Repository[Item] = Repository(Item, items._on, cursor_key=b"another")
    with pytest.raises(InvalidCursor):
        other.page(cursor(items), order="number")


def test_the_key_is_the_services_or_the_databases_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Pool:
        conninfo = "host=db password=hidden"
        kwargs: dict[str, Any] = {}  # noqa: RUF012

    monkeypatch.delenv("PGPASSWORD", raising=False)
    assert signing_key(None, Pool()) == b"hidden"
    assert signing_key("own", Pool()) == b"own"
    monkeypatch.setenv("PYORM_CURSOR_KEY", "of the environment")
    assert signing_key(None, Pool()) == b"of the environment"


def test_pages_are_not_ordered_by_a_secret(items: Repository[Item]) -> None:
    with pytest.raises(InvalidValue, match="is a secret"):
        items.page(order="token")


def test_a_cursor_of_the_old_contract_holds_under_the_new(database: str) -> None:
    from .conftest import LEGACY
    from .entities import a_model

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(LEGACY.read_bytes())
        from pyorm import Model
        from pyorm.ddl import create_table

        connection.execute(create_table(Model).encode())
        old, new = (Repository(Model, connection, contract=c) for c in ("old", "new"))
        for number in range(4):
            model = a_model(model_id=f"m{number}", status=ModelStatus.ACTIVE)
            old.add(model)
            new.add(model)
        first = old.page(order="model_id", limit=2, status=ModelStatus.ACTIVE)
        rest = new.page(first.next, order="model_id", status=ModelStatus.ACTIVE)
        assert [model.model_id for model in rest.items] == ["m2", "m3"]
