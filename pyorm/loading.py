"""Rows that psycopg's own loaders cannot read: read again by value, or told with their key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.abc import AdaptContext
from psycopg.adapt import Transformer
from psycopg.pq import Format
from psycopg.pq.abc import PGresult

from pyorm.entity import Declaration
from pyorm.errors import MappingError
from pyorm.rows import mapping_error

TIMESTAMPTZ = 1184
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
INFINITE = {
    b"\x7f" + b"\xff" * 7: "infinity",
    b"\x80" + b"\0" * 7: "-infinity",
    b"\x7f" + b"\xff" * 3: "infinity",
    b"\x80" + b"\0" * 3: "-infinity",
}


class Unreadable(psycopg.DataError):
    """A value that no loader can read, before it is known which entity's.

    Args:
        column: the column's name.
        row: the values of the row that could be read, by the names of their columns.
        reason: why.
    """

    def __init__(self, column: str, row: dict[str, Any], reason: str) -> None:
        super().__init__(f"{column}: {reason}")
        self.column = column
        self.row = row
        self.reason = reason

    def of(self, declared: Declaration[Any]) -> MappingError:
        """The error that tells the entity, the field and the row's key."""
        names = {field: declared.column(field).name for field in declared.key}
        parts = [
            f"{field}={declared.told(field, self.row[name])}"
            for field, name in names.items()
            if name in self.row
        ]
        return mapping_error(declared, self.column, ", ".join(parts), None, self.reason)


def column_names(result: PGresult) -> tuple[str, ...]:
    """The names of a result's columns."""
    # Cursor.description costs twenty microseconds; this costs two.
    return tuple((result.fname(i) or b"").decode() for i in range(result.nfields))


def is_load_error(error: Exception) -> bool:
    """Whether it is a loader's, not the server's and not the connection's."""
    if isinstance(error, psycopg.Error):
        return isinstance(error, psycopg.DataError) and error.sqlstate is None
    return True


def read_again(
    result: PGresult | None, context: AdaptContext, error: Exception, first: int = 0
) -> list[tuple[Any, ...]]:
    """The rows of a result that psycopg could not load.

    A time near the ends of Python's calendar has no form in some time zones, though it has one in
    UTC, in which it comes back.

    Args:
        result: what the server sent.
        context: the cursor.
        error: what psycopg raised.
        first: the first row that is wanted.

    Raises:
        Unreadable: for a value that Python has no type for.
    """
    if result is None or not is_load_error(error):
        raise error
    transformer = Transformer(context)
    loaders = [
        _or_in_utc(transformer, result.ftype(i), Format(result.fformat(i)))
        for i in range(result.nfields)
    ]
    rows = []
    for row in range(first, result.ntuples):
        values: list[Any] = []
        failed: tuple[int, str] | None = None
        for column, load in enumerate(loaders):
            raw = result.get_value(row, column)
            try:
                values.append(None if raw is None else load(raw))
            except Exception as reason:
                values.append(None)
                infinite = INFINITE.get(bytes(raw or b""))
                failed = failed or (column, f"{infinite}: {reason}" if infinite else f"{reason}")
        if failed:
            names = column_names(result)
            raise Unreadable(names[failed[0]], dict(zip(names, values, strict=True)), failed[1])
        rows.append(tuple(values))
    return rows


def _or_in_utc(transformer: Any, oid: int, form: Format) -> Callable[[Any], Any]:
    load: Callable[[Any], Any] = transformer.get_loader(oid, form).load
    if oid != TIMESTAMPTZ:
        return load

    def load_time(raw: Any) -> Any:
        try:
            return load(raw)
        except psycopg.DataError as error:
            try:
                return EPOCH + timedelta(microseconds=int.from_bytes(raw, "big", signed=True))
            except OverflowError:
                raise error from None

    return load_time
