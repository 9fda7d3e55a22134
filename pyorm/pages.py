"""Pages by key: each starts after the last row of the one before, so inserts move nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pyorm.conditions import Order, conditions, order_of
from pyorm.entity import Declaration
from pyorm.errors import InvalidCursor, InvalidValue
from pyorm.mapping import TableMapping
from pyorm.storage import Storage, sqlite

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Page(Generic[E]):
    """Some rows of a longer list.

    Args:
        items: the rows.
        next: the cursor of the next page, None on the last one.
    """

    items: list[E]
    next: str | None


def page_order(mapping: TableMapping[Any], wanted: dict[str, Any]) -> Order:
    """The order of pages: what is wanted, then the key, so that no two rows are equal in it.

    Raises:
        InvalidValue: for a field that may be null, which has no place in an order of pages.
    """
    order = order_of(mapping, wanted.get("order") or ())
    for field, _ in order:
        if mapping.declared.column(field).nullable or mapping.storages[field].is_json:
            raise InvalidValue(
                f"pages cannot be ordered by {mapping.declared.name}.{field}, which may be null",
                entity=mapping.declared.name,
                field=field,
            )
    named = {field for field, _ in order}
    descends = order[-1][1] if order else False
    return order + tuple((field, descends) for field in mapping.declared.key if field not in named)


def cursor_after(mapping: TableMapping[E], wanted: dict[str, Any], order: Order, last: E) -> str:
    """The cursor of the page that starts after a row."""
    values = [_storage(mapping.declared, field).encode(getattr(last, field)) for field, _ in order]
    text = json.dumps([_query(mapping, wanted, order), *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(
    mapping: TableMapping[Any], wanted: dict[str, Any], order: Order, cursor: str
) -> list[Any]:
    """What the last row of the page before has in the order's fields.

    Raises:
        InvalidCursor: when the cursor is damaged, or another query's.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        query, *values = json.loads(text)
        if query == _query(mapping, wanted, order):
            return [
                _decode(_storage(mapping.declared, field))(value)
                for (field, _), value in zip(order, values, strict=True)
            ]
    except (ValueError, TypeError, KeyError, binascii.Error):
        pass
    raise InvalidCursor(
        f"{cursor!r} is no cursor of this query",
        hint="ask for the first page, with the same order and the same fields in the filter",
        entity=mapping.declared.name,
        value=cursor,
    )


def _query(mapping: TableMapping[Any], wanted: dict[str, Any], order: Order) -> str:
    """A short name of the query that a cursor belongs to."""
    shape, _ = conditions(mapping, wanted)
    named = repr((mapping.declared.name, sorted(shape), order))
    return hashlib.blake2s(named.encode(), digest_size=6).hexdigest()


def _storage(declared: Declaration[Any], field: str) -> Storage:
    # What SQLite stores is what JSON can hold.
    return sqlite(declared.name, declared.column(field))


def _decode(storage: Storage) -> Callable[[Any], Any]:
    decode = storage.decode
    if decode is None:
        return lambda value: value
    return decode if callable(decode) else decode.__getitem__
