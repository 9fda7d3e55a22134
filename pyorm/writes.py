"""The statements of a repository that write: the SQL and the parameters of each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, LiteralString, TypeVar
from uuid import UUID

from psycopg import sql

from pyorm.entity import Declaration, DeclaredColumn
from pyorm.errors import InvalidValue
from pyorm.filters import Match
from pyorm.mapping import POSTGRESQL, SQLITE, TableMapping, Writer
from pyorm.queries import Statement

E = TypeVar("E")

ANY_VERSION: Final = object()
"""The version of an update that asks for none; None is the version of a row that has null."""


def insert(mapping: TableMapping[E], entity: E) -> Statement:
    """Add a row and return it."""
    writer = mapping.writer(entity)

    def text() -> sql.Composable:
        return insert_into(mapping, writer) + sql.SQL(" RETURNING ") + mapping.selected

    return mapping.text(("insert", writer.left_out), text), writer.encode(entity)


def insert_many(mapping: TableMapping[Any], writer: Writer) -> bytes:
    """Add a row and return nothing."""
    shape = ("insert_many", writer.left_out)
    return mapping.text(shape, lambda: insert_into(mapping, writer))


def copy(mapping: TableMapping[Any], writer: Writer) -> tuple[bytes, list[str]]:
    """Add rows by binary COPY: the statement, and the types of its columns."""

    def text() -> sql.Composable:
        return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            mapping.relation, _names(mapping, writer)
        )

    # COPY takes no parameters, so a percent sign is one here.
    statement = mapping.text(("copy", writer.left_out), text).replace(b"%%", b"%")
    return statement, [mapping.copy_types[column.field] or "" for column, _ in writer.columns]


def upsert(
    mapping: TableMapping[E],
    entity: E,
    conflict: tuple[str, ...],
    changing: Sequence[str] | None,
    *,
    returning: bool = True,
) -> Statement:
    """Add a row, or change the one that has the same values in the conflict's fields.

    Args:
        mapping: the entity.
        entity: the row.
        conflict: fields over which a unique index stands.
        changing: the fields that a row that is there takes over from the entity.
        returning: whether the row comes back.
    """
    declared = mapping.declared
    for field in conflict:
        declared.column(field)
    writer = mapping.writer(entity)
    changed = tuple(_changing(mapping, conflict, changing, writer.left_out))
    touched = _touched(mapping, changed) if changed or changing is None else ()
    values = tuple(
        mapping.storages[column.field].encode(column.on_update())
        for column in touched
        if column.on_update
    )

    def text() -> sql.Composable:
        take = sql.SQL("{0} = excluded.{0}")
        sets: list[sql.Composable] = [take.format(mapping.names[field]) for field in changed]
        sets += [_touch(mapping, column, sql.SQL("kept.")) for column in touched]
        # Of a row that stays as it is a column is set to itself, so that it comes back.
        sets = sets or [take.format(mapping.names[conflict[0]])]
        return sql.SQL("{} ON CONFLICT ({}) DO UPDATE SET {}{}").format(
            insert_into(mapping, writer, " AS kept"),
            sql.SQL(", ").join(mapping.names[field] for field in conflict),
            sql.SQL(", ").join(sets),
            sql.SQL(" RETURNING ") + mapping.selected if returning else sql.SQL(""),
        )

    shape = ("upsert", conflict, changed, touched, writer.left_out, returning)
    return mapping.text(shape, text), (*writer.encode(entity), *values)


def _changing(
    mapping: TableMapping[Any],
    conflict: tuple[str, ...],
    changing: Sequence[str] | None,
    left_out: frozenset[str],
) -> Iterator[str]:
    """The fields that an upsert changes in a row that is there.

    Raises:
        InvalidValue: when they are not named, though the entity may hold some by default only.
    """
    declared = mapping.declared
    kept = {*conflict, *declared.key, *left_out}
    if changing is not None:
        for field in changing:
            _check_change(mapping, field, None)
            if field in left_out:
                raise InvalidValue(
                    f"{declared.name}.{field} is to change, but the entity leaves it to the server",
                    entity=declared.name,
                    field=field,
                )
            yield field
        return
    for column in declared.columns:
        if column.fixed or column.version or column.on_update or column.field in kept:
            continue
        if not column.required:
            raise InvalidValue(
                f"an upsert of {declared.name} names no fields to change: {column.field} of a row "
                f"that is there would become what may be only the entity's default",
                hint="repo.upsert(entity, 'model_id', changing=('max_tokens', 'status'))",
                entity=declared.name,
                field=column.field,
            )
        yield column.field


def update(
    mapping: TableMapping[Any], key: Any, changes: dict[str, Any], version: Any = ANY_VERSION
) -> Statement:
    """Change fields of one row and return it.

    Args:
        mapping: the entity.
        key: the row's key.
        changes: the new values; a field with on_update that is not among them gets its own.
        version: what the version must still be, None for null, ANY_VERSION for any.
    """
    declared = mapping.declared
    changing = changes_of(mapping, changes)
    checked = version_of(declared) if version is not ANY_VERSION else None
    last: tuple[Any, ...] = ()
    if checked:
        encode = mapping.storages[checked.field].encode
        last = (None if version is None else encode(version),)

    def text() -> sql.Composable:
        tests = mapping.key_test
        if checked:
            same = "{} AND {} IS NOT DISTINCT FROM {}"
            tests = sql.SQL(same if mapping.backend == POSTGRESQL else "{} AND {} IS {}").format(
                tests, mapping.names[checked.field], mapping.mark
            )
        return sql.SQL("UPDATE {} SET {} WHERE {} RETURNING {}").format(
            mapping.relation, changing.sets(mapping), tests, mapping.selected
        )

    shape = ("update", changing.shape, checked)
    return mapping.text(shape, text), (*changing.values, *mapping.key(key), *last)


@dataclass(frozen=True, slots=True)
class Changes:
    """What an update sets.

    Args:
        changed: the fields that are given new values.
        touched: the columns that change by themselves.
        values: the parameters of both.
    """

    changed: tuple[str, ...]
    touched: tuple[DeclaredColumn, ...]
    values: tuple[Any, ...]

    @property
    def shape(self) -> Hashable:
        """What updates of one text have in common."""
        return self.changed, self.touched

    def sets(self, mapping: TableMapping[Any]) -> sql.Composable:
        """The list after SET."""
        sets = [_equals(mapping, field) for field in self.changed]
        sets += [_touch(mapping, column, sql.SQL("")) for column in self.touched]
        return sql.SQL(", ").join(sets)


def changes_of(mapping: TableMapping[Any], changes: dict[str, Any]) -> Changes:
    """What an update sets: the new values, and what changes with each update by itself.

    Raises:
        InvalidValue: when there are none, or a field cannot be changed so.
    """
    values = []
    for field, value in changes.items():
        _check_change(mapping, field, value)
        values.append(mapping.storages[field].encode(value))
    if not values:
        name = mapping.declared.name
        raise InvalidValue(f"an update of {name} without a field", entity=name)
    touched = _touched(mapping, tuple(changes))
    values += [
        mapping.storages[column.field].encode(column.on_update())
        for column in touched
        if column.on_update
    ]
    return Changes(tuple(changes), touched, tuple(values))


def _touched(mapping: TableMapping[Any], changed: Sequence[str]) -> tuple[DeclaredColumn, ...]:
    """The columns that change with each update by themselves."""
    return tuple(
        column
        for column, _ in mapping.columns
        if (column.on_update or column.version) and column.field not in changed
    )


def _touch(mapping: TableMapping[Any], column: DeclaredColumn, row: sql.SQL) -> sql.Composable:
    """`column = its next value`; a version never stays the same, however the clock goes."""
    name = mapping.names[column.field]
    old = row + name
    if column.version and not column.on_update:
        return sql.SQL("{} = coalesce({}, 0) + 1").format(name, old)
    if not column.version or column.python is not datetime:
        return _equals(mapping, column.field)
    later = "{} = greatest({}, {} + interval '1 microsecond')"
    if mapping.backend == SQLITE:
        later = "{} = max({}, coalesce(pyorm_later({}), ''))"
    return sql.SQL(later).format(name, mapping.mark, old)


def delete(mapping: TableMapping[Any], key: Any) -> Statement:
    """Delete one row by its key."""

    def text() -> sql.Composable:
        return sql.SQL("DELETE FROM {} WHERE {}").format(mapping.relation, mapping.key_test)

    return mapping.text("delete", text), mapping.key(key)


def version_of(declared: Declaration[Any]) -> DeclaredColumn:
    """The column that tells whether a row has changed.

    Raises:
        InvalidValue: when the entity declares none.
    """
    if declared.version is not None:
        return declared.version
    raise InvalidValue(
        f"nothing tells whether a {declared.name} changed: no field is its version",
        hint="update by the key, or declare version: int = column(version=True, default=1)",
        entity=declared.name,
    )


_FROM_TEXT: dict[type[Any], Callable[[str], Any]] = {
    int: int,
    float: float,
    Decimal: Decimal,
    datetime: datetime.fromisoformat,
    UUID: UUID,
}


def read_version(declared: Declaration[Any], version: Any) -> Any:
    """A version as its field holds it; read from text, as a header of HTTP brings it."""
    column = version_of(declared)
    read = _FROM_TEXT.get(column.python)
    if not isinstance(version, str) or read is None:
        return version
    try:
        return read(version)
    except (ValueError, InvalidOperation):
        raise InvalidValue(
            f"{version!r} is not a version of a {declared.name}",
            entity=declared.name,
            field=column.field,
            value=version,
        ) from None


def _check_change(mapping: TableMapping[Any], field: str, value: Any) -> None:
    declared = mapping.declared
    if isinstance(value, Match):
        reason = f"{declared.name}.{field}: {value.operator}() is for filters"
    elif declared.column(field).is_generated:
        reason = f"{declared.name}.{field} is computed by the server"
    elif declared.column(field).fixed:
        reason = f"{declared.name}.{field} stays what it was when the row was added"
    elif declared.column(field).version:
        reason = f"{declared.name}.{field} is the version, which changes by itself"
    else:
        return
    raise InvalidValue(reason, entity=declared.name, field=field, value=value)


def _equals(mapping: TableMapping[Any], field: str) -> sql.Composable:
    return sql.SQL("{} = {}").format(mapping.names[field], mapping.mark)


def insert_into(
    mapping: TableMapping[Any], writer: Writer, alias: LiteralString = ""
) -> sql.Composable:
    """The INSERT of a row, up to its values."""
    if not writer.columns:
        return sql.SQL("INSERT INTO {}{} DEFAULT VALUES").format(mapping.relation, sql.SQL(alias))
    marks = sql.SQL(", ").join([mapping.mark] * len(writer.columns))
    return sql.SQL("INSERT INTO {}{} ({}) VALUES ({})").format(
        mapping.relation, sql.SQL(alias), _names(mapping, writer), marks
    )


def _names(mapping: TableMapping[Any], writer: Writer) -> sql.Composable:
    return sql.SQL(", ").join(mapping.names[column.field] for column, _ in writer.columns)
