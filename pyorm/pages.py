"""Pages by key: each starts after the last row of the one before, so inserts move nothing."""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pyorm.conditions import Order, order_of
from pyorm.entity import Declaration
from pyorm.errors import InvalidCursor, InvalidValue
from pyorm.filters import ANY_OF, CONTAINS, ILIKE, LIKE, ONE_OF, Match
from pyorm.mapping import TableMapping
from pyorm.storage import Storage, sqlite

E = TypeVar("E")

SIGNATURE = 16
"""How many bytes a cursor's signature has."""

LONGEST = 16_384
"""The most characters of a cursor; what is longer never came from here."""

UNORDERED = (ONE_OF, ANY_OF)
WHOLE = re.compile(r"[A-Za-z0-9_-]{22,}").fullmatch


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
        if mapping.declared.column(field).nullable or mapping.declared.column(field).secret:
            reason = "is a secret" if mapping.declared.column(field).secret else "may be null"
            raise InvalidValue(
                f"pages cannot be ordered by {mapping.declared.name}.{field}, which {reason}",
                entity=mapping.declared.name,
                field=field,
            )
    named = {field for field, _ in order}
    descends = order[-1][1] if order else False
    return order + tuple((field, descends) for field in mapping.declared.key if field not in named)


def cursor_after(
    mapping: TableMapping[E], wanted: dict[str, Any], order: Order, last: E, key: bytes
) -> str:
    """The cursor of the page that starts after a row.

    Args:
        mapping: the entity.
        wanted: the filter.
        order: of the pages.
        last: the row.
        key: signs the cursor.
    """
    values = [_storage(mapping.declared, field).encode(getattr(last, field)) for field, _ in order]
    text = json.dumps(values, separators=(",", ":"), default=bytes.hex).encode()
    signed = _signature(mapping, wanted, order, text, key) + text
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def read_cursor(
    mapping: TableMapping[Any], wanted: dict[str, Any], order: Order, cursor: str, key: bytes
) -> list[Any]:
    """What the last row of the page before has in the order's fields.

    Raises:
        InvalidCursor: when the cursor is damaged, forged, or another query's.
    """
    if isinstance(cursor, str) and len(cursor) <= LONGEST and WHOLE(cursor):
        signed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        signature, text = signed[:SIGNATURE], signed[SIGNATURE:]
        canonical = base64.urlsafe_b64encode(signed).decode().rstrip("=") == cursor
        mine = _signature(mapping, wanted, order, text, key)
        if canonical and hmac.compare_digest(signature, mine):
            try:
                return [
                    _value(mapping, field, value)
                    for (field, _), value in zip(order, json.loads(text), strict=True)
                ]
            except (ValueError, TypeError, KeyError):
                pass  # signed by an older release, whose field held more
    raise InvalidCursor(
        f"{str(cursor)[:80]!r} is not a cursor of this query",
        hint="ask for the first page, or with the filter and the order that the cursor came from",
        entity=mapping.declared.name,
        value=cursor,
    )


def _signature(
    mapping: TableMapping[Any], wanted: dict[str, Any], order: Order, text: bytes, key: bytes
) -> bytes:
    """Binds a cursor to its values, the entity, the filter with its values, and the order."""
    declared = mapping.declared
    asked = [
        (field, _told(_storage(declared, field), value))
        for field, value in sorted(wanted.items())
        if field in mapping.storages
    ]
    query = repr((declared.name, asked, order)).encode()
    return hmac.digest(key, len(query).to_bytes(8) + query + text, "sha256")[:SIGNATURE]


def _told(storage: Storage, value: Any) -> Any:
    """A condition in a form that is the same in each process and under each contract."""
    if isinstance(value, Match):
        if value.operator in (LIKE, ILIKE):
            return value.operator, value.values
        if value.operator == CONTAINS:
            return value.operator, storage.encode(list(value.values))
        told = [_told(storage, one) for one in value.values]
        return value.operator, sorted(told, key=repr) if value.operator in UNORDERED else told
    return storage.encode(value) if value is not None else None


def _storage(declared: Declaration[Any], field: str) -> Storage:
    # What SQLite stores is what JSON can hold.
    return sqlite(declared.name, declared.column(field))


def _value(mapping: TableMapping[Any], field: str, stored: Any) -> Any:
    column = mapping.declared.column(field)
    decode = _storage(mapping.declared, field).decode
    if column.python is bytes and not column.array:
        decode = bytes.fromhex
    value = (
        stored
        if decode is None
        else decode[stored]
        if isinstance(decode, Mapping)
        else decode(stored)
    )
    mapping.storages[field].encode(value)
    return value
