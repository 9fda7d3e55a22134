"""Writes of many rows in one call, and writes that leave alone what is there: their SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from psycopg import sql

from pyorm import queries, writes
from pyorm.conditions import Shape, where
from pyorm.entity import Declaration
from pyorm.errors import InvalidValue
from pyorm.mapping import TableMapping
from pyorm.operation import Execute, ExecuteMany, Operation, Outcome, Step
from pyorm.queries import Statement

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Where(Generic[E]):
    """A filter that stands for itself: which rows an update_where changes.

    Args:
        wanted: what the fields are asked for.
    """

    wanted: dict[str, Any]


def update_where(
    declared: Declaration[E], rows: Where[E], changes: dict[str, Any]
) -> Operation[int]:
    """Change fields of all rows that match a filter; how many they are."""
    if not isinstance(rows, Where):
        raise InvalidValue(
            f"update_where of {declared.name} wants the rows, not {type(rows).__name__}",
            hint="repo.update_where(repo.where(status=...), description=None)",
            entity=declared.name,
        )

    def step(mapping: TableMapping[E]) -> Step:
        changing = writes.changes_of(mapping, changes)
        shape, tested = _some(mapping, rows.wanted, "update_where")

        def text() -> sql.Composable:
            return sql.SQL("UPDATE {} SET {}{}").format(
                mapping.relation, changing.sets(mapping), where(mapping, shape)
            )

        statement = mapping.text(("update_where", changing.shape, shape), text)
        return Execute(statement, (*changing.values, *tested))

    return Operation(step, _count, written=changes)


def delete_where(wanted: dict[str, Any]) -> Operation[int]:
    """Delete all rows that match a filter; how many they were."""

    def step(mapping: TableMapping[Any]) -> Step:
        shape, values = _some(mapping, wanted, "delete_where")

        def text() -> sql.Composable:
            return sql.SQL("DELETE FROM {}{}").format(mapping.relation, where(mapping, shape))

        return Execute(mapping.text(("delete_where", shape), text), tuple(values))

    return Operation(step, _count)


def upsert_many(
    declared: Declaration[E],
    entities: Iterable[E],
    conflict: tuple[str, ...],
    changing: str | Iterable[str],
) -> Operation[int]:
    """Add many rows, or change those that they conflict with: all of them, or none."""
    _check_conflict(declared, conflict, "upsert_many")
    listed: Sequence[E] = list(entities)
    fields = (changing,) if isinstance(changing, str) else tuple(changing)

    def step(mapping: TableMapping[E]) -> Step:
        if not listed:
            return ExecuteMany(writes.insert_many(mapping, mapping.writer(None)), ())
        made = [_upsert_one(mapping, entity, conflict, fields) for entity in listed]
        first = made[0][0]
        if any(statement != first for statement, _ in made):
            raise InvalidValue(
                f"upsert_many of {declared.name}: some leave a field to the server, others do not",
                hint="write those in a call of their own",
                entity=declared.name,
            )
        return ExecuteMany(first, [values for _, values in made])

    return Operation(step, _count)


def _upsert_one(
    mapping: TableMapping[E], entity: E, conflict: tuple[str, ...], changing: tuple[str, ...]
) -> Statement:
    if changing:
        return writes.upsert(mapping, entity, conflict, changing, returning=False)
    return _unless_there(mapping, entity, conflict, returning=False)


def add_missing(
    declared: Declaration[E], entity: E, conflict: tuple[str, ...]
) -> Operation[E | None]:
    """Add a row, or leave the one alone that it conflicts with."""
    _check_conflict(declared, conflict, "add_missing")

    def finish(outcome: Outcome) -> E | None:
        return outcome.items[0] if outcome.items else None

    return Operation(
        lambda m: Execute(*_unless_there(m, entity, conflict, returning=True), m.make),
        finish,
        written=entity,
    )


def _unless_there(
    mapping: TableMapping[E], entity: E, conflict: tuple[str, ...], *, returning: bool
) -> Statement:
    for field in conflict:
        mapping.declared.column(field)
    writer = mapping.writer(entity)

    def text() -> sql.Composable:
        return sql.SQL("{} ON CONFLICT ({}) DO NOTHING{}").format(
            writes.insert_into(mapping, writer),
            sql.SQL(", ").join(mapping.names[field] for field in conflict),
            sql.SQL(" RETURNING ") + mapping.selected if returning else sql.SQL(""),
        )

    shape = ("unless_there", conflict, writer.left_out, returning)
    return mapping.text(shape, text), writer.encode(entity)


def _some(mapping: TableMapping[Any], wanted: dict[str, Any], call: str) -> tuple[Shape, list[Any]]:
    """What a filter asks, which must be something."""
    shape, values = queries.only_conditions(mapping, wanted)
    if not shape:
        name = mapping.declared.name
        raise InvalidValue(
            f"{call} of {name} names no condition: that would be every row",
            hint='say so in SQL: repo.execute("DELETE FROM {table}")',
            entity=name,
        )
    return shape, values


def _check_conflict(declared: Declaration[Any], conflict: tuple[str, ...], call: str) -> None:
    if not conflict:
        raise InvalidValue(
            f"{call} of {declared.name} names no field of the conflict",
            hint=f"repo.{call}(entity, 'model_id')",
            entity=declared.name,
        )


def _count(outcome: Outcome) -> int:
    return outcome.count
