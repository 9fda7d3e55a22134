"""Which contract the database stands under: where a mapping comes from.

A repository with `contract="auto"` or `"old"` looks into the catalog when first used, again when
its last look is older than LOOK_AGAIN, and whenever a statement fails in a way that a changed
contract explains. Between two looks it costs reading the clock.

Whichever contract has the table is used, so pyorm never meets a view. Until the switch that is the
old one: the new name belongs to a view, and a column of a view is never NOT NULL. After the switch
it is the new one, whose table has every column, NOT NULL, and its validated CHECKs. Where the
switch is part of expand, the new name has the table before its columns are filled, which a CHECK
tells that is not validated: until then the view of the old contract is used.

Where both contracts have one name, the new one stands in a schema of trueup's until the old one is
gone; before that and after it, types and CHECKs tell which contract the one table has.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import psycopg

from pyorm.entity import Declaration, DeclaredColumn
from pyorm.errors import DeclarationError
from pyorm.mapping import TableMapping
from pyorm.queries import Statement
from pyorm.storage import postgres

E = TypeVar("E")
Contract = Literal["new", "old", "auto"]

LOOK_AGAIN = 1.0
"""After how many seconds the catalog is looked at again."""

EXPLAINED = frozenset(
    {
        "0A000",  # cached plan must not change result type
        "22P02",  # a value is no uuid, no label of the enum
        "23514",  # a value of the other contract breaks a CHECK
        "42703",  # undefined column
        "42804",  # datatype mismatch
        "42809",  # COPY into what is a view now
        "42883",  # no operator between uuid and text
        "42P01",  # undefined table
        "55000",  # a view that cannot be written to
    }
)
"""SQLSTATEs of statements that a changed contract lets fail; a failed statement wrote nothing."""

# All from the query's one snapshot: to_regclass() would already find a table under the name that
# another session just gave it, which pg_class as this query sees it does not have yet.
LOOK = b"""
    WITH named AS (
        SELECT DISTINCT ON (c.relname) c.oid, c.relname, c.relkind,
            EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary) AS keyed
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (
            SELECT
                CASE
                    WHEN %(schema)s::name IS NULL THEN current_schemas(true)
                    ELSE ARRAY[%(schema)s::name]
                END AS path
        ) AS searched
        WHERE c.relname IN (%(new)s, %(old)s) AND n.nspname = ANY (searched.path)
            AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        ORDER BY c.relname, array_position(searched.path, n.nspname)
    ), contracts AS (
        -- One of two contracts is a view, so of two tables one is a copy: it often has no key.
        SELECT * FROM named AS c
        WHERE c.relkind IN ('v', 'm') OR c.keyed OR NOT EXISTS (
            SELECT FROM named AS o WHERE o.relkind NOT IN ('v', 'm') AND o.keyed
        )
    )
    SELECT
        c.relname = %(new)s AS is_new,
        c.relkind IN ('v', 'm') AS is_view,
        a.attname::text AS name,
        format_type(e.oid, NULL) AS type,
        a.attnotnull AND NOT EXISTS (
            SELECT FROM pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.contype = 'c' AND NOT k.convalidated
                AND k.conname ~ '_in_step$'
        ) AS not_null,
        EXISTS (
            SELECT FROM pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated
                AND k.conkey = ARRAY[a.attnum]
        ) AS checked,
        ARRAY(
            SELECT l.enumlabel::text FROM pg_enum AS l
            WHERE l.enumtypid = e.oid ORDER BY l.enumsortorder
        ) AS labels
    FROM contracts AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = a.atttypid
    JOIN pg_type AS e ON e.oid = CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE t.oid END
    ORDER BY is_new, a.attnum
"""

# Anybody could make a schema with such a comment; so it must be of the owner of the schema trueup,
# or of somebody who may do everything anyway.
LOOK_BY_SCHEMA = b"""
    WITH here AS (
        SELECT c.oid, c.relkind, n.nspname
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (
            SELECT
                CASE
                    WHEN %(schema)s::name IS NULL THEN current_schemas(true)
                    ELSE ARRAY[%(schema)s::name]
                END AS path
        ) AS searched
        WHERE c.relname = %(new)s AND n.nspname = ANY (searched.path)
            AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND coalesce(obj_description(n.oid, 'pg_namespace'), '') NOT LIKE
                'trueup: the new contract of tables of %%'
        ORDER BY array_position(searched.path, n.nspname)
        LIMIT 1
    ), named AS (
        SELECT h.oid, h.relkind, false AS is_new, NULL::text AS schema FROM here AS h
        UNION ALL
        SELECT c.oid, c.relkind, true, n.nspname::text
        FROM here AS h
        JOIN pg_namespace AS n ON obj_description(n.oid, 'pg_namespace')
            = format('trueup: the new contract of tables of %%I, until contract', h.nspname)
        JOIN pg_roles AS o ON o.oid = n.nspowner
        JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = %(new)s
            AND c.relkind IN ('r', 'p', 'v')
        WHERE o.rolsuper
            OR o.oid IN (SELECT t.nspowner FROM pg_namespace AS t WHERE t.nspname = 'trueup')
            OR o.oid IN (SELECT d.datdba FROM pg_database AS d WHERE d.datname = current_database())
    )
    SELECT
        c.is_new,
        c.relkind IN ('v', 'm') AS is_view,
        a.attname::text AS name,
        format_type(e.oid, NULL) AS type,
        a.attnotnull AND NOT EXISTS (
            SELECT FROM pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.contype = 'c' AND NOT k.convalidated
                AND k.conname ~ '_in_step$'
        ) AS not_null,
        EXISTS (
            SELECT FROM pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated
                AND k.conkey = ARRAY[a.attnum]
                AND NOT EXISTS (
                    SELECT FROM jsonb_array_elements_text(%(values)s::jsonb -> a.attname::text) AS v
                    WHERE strpos(pg_get_constraintdef(k.oid), quote_literal(v)) = 0
                )
        ) AS checked,
        ARRAY(
            SELECT l.enumlabel::text FROM pg_enum AS l
            WHERE l.enumtypid = e.oid ORDER BY l.enumsortorder
        ) AS labels,
        c.schema
    FROM named AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = a.atttypid
    JOIN pg_type AS e ON e.oid = CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE t.oid END
    ORDER BY is_new, a.attnum
"""


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """A column in the catalog.

    Args:
        is_new: whether its table has the name of the new contract; where both have one name,
            whether it stands where the new one does.
        is_view: whether that is a view.
        name: its name.
        type: its type, of an element if it is an array.
        not_null: whether it is NOT NULL, in a table whose new columns are not being filled.
        checked: whether a validated CHECK is on it alone; where both contracts have one name, one
            that lists the values of the new one.
        labels: the labels of its native enum type, none for another type.
        schema: where the new contract stands for the while, None for where the entity says.
    """

    is_new: bool
    is_view: bool
    name: str
    type: str
    not_null: bool
    checked: bool
    labels: list[str]
    schema: str | None = None


class Auto(Generic[E]):
    """A contract that is looked up, and looked up again.

    Args:
        declared: the entity.
        follows: whether the new contract is used once it is complete; the old one's names and
            types are looked up too where it is kept to.
    """

    def __init__(self, declared: Declaration[E], *, follows: bool = True) -> None:
        if not follows and declared.old is None:
            raise DeclarationError(
                f"{declared.name} declares no old name", hint='@entity("model", old="models")'
            )
        self.declared = declared
        self._follows = follows
        self.new_is_complete = False
        self.old: TableMapping[E] | None = None
        self.new: TableMapping[E] | None = None
        self._found: tuple[FoundColumn, ...] | None = None
        self._mapping: TableMapping[E] | None = None
        self._stale_at = 0.0

    def current(self) -> TableMapping[E] | None:
        """The mapping that the last look found, None when that was too long ago."""
        return self._mapping if time.monotonic() < self._stale_at else None

    def agreed(self, *, new: bool) -> TableMapping[E]:
        """The mapping of the last look, beside entities that are not all on the new contract yet.

        Args:
            new: whether all of them are.
        """
        mapping = self._mapping if new else self.old or self._mapping
        assert mapping is not None
        return mapping

    def forget(self) -> None:
        """Look again before the next use."""
        self._stale_at = 0.0

    def explains(self, error: psycopg.Error) -> bool:
        """Whether a changed contract may be why a statement failed."""
        return error.sqlstate in EXPLAINED

    def look(self) -> Statement:
        """Read both tables' columns from the catalog."""
        declared = self.declared
        if declared.old == declared.table:
            values = {c.name: _values(c) for c in declared.columns if c.enum}
            return LOOK_BY_SCHEMA, {
                "schema": declared.schema,
                "new": declared.table,
                "values": json.dumps(values),
            }
        return LOOK, {
            "schema": declared.schema,
            "new": declared.table,
            "old": declared.old or declared.table,
        }

    def learn(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Choose the mapping.

        Raises:
            DeclarationError: when neither contract's table holds the entity.
        """
        found = self._told_apart(tuple(FoundColumn(*row) for row in rows))
        if found != self._found:
            self.old = self._map(found, new=False)
            self.new = self._map(found, new=True) if self._follows else None
            self.new_is_complete = self.new is not None and (
                self.old is None or self._is_enforced(found)
            )
            self._mapping = self.new if self.new_is_complete else self.old
            self._found = found
        if self._mapping is None:
            self._found = None
            new = self.declared.table if self._follows else None
            names = " and no ".join(name for name in (new, self.declared.old) if name)
            raise DeclarationError(
                f"{self.declared.name}: the database has no table {names} with its columns",
                hint="trueup status tells how far its migration is",
                entity=self.declared.name,
            )
        self._stale_at = time.monotonic() + LOOK_AGAIN

    def _told_apart(self, found: tuple[FoundColumn, ...]) -> tuple[FoundColumn, ...]:
        """Which contract it is where one table alone has the name of both; else no second table."""
        if self.declared.old != self.declared.table:
            return self._one_table(found)
        if any(c.is_new for c in found):
            return found
        columns = {column.name: column for column in found}
        is_new = all(
            _is_converted(column, columns[column.name])
            for column in self.declared.columns
            if column.name in columns
        )
        return tuple(replace(column, is_new=is_new) for column in found)

    def _one_table(self, found: tuple[FoundColumn, ...]) -> tuple[FoundColumn, ...]:
        """What is there, without a second table: nobody could tell which of two has the rows.

        Raises:
            DeclarationError: there are two, and none was in use before.
        """
        if not self._follows or len({c.is_new for c in found if not c.is_view}) < 2:
            return found
        if self._mapping is not None:
            in_use = not self._mapping.is_old
            return tuple(column for column in found if column.is_new is in_use)
        declared = self.declared
        raise DeclarationError(
            f"{declared.name}: {declared.old} and {declared.table} are both tables, and one of"
            " them alone has its rows",
            hint="rename or drop the one that is not the service's, or name the contract:"
            ' contract="old" or "new"',
            entity=declared.name,
        )

    def _map(self, found: tuple[FoundColumn, ...], *, new: bool) -> TableMapping[E] | None:
        """The mapping of one table, None when it does not have all columns."""
        if not new and self.declared.old is None:
            return None
        columns = {column.name: column for column in found if column.is_new is new}
        if not all(column.name in columns for column in self.declared.columns):
            return None
        storages = {}
        for column in self.declared.columns:
            seen = columns[column.name]
            storages[column.field] = postgres(
                self.declared.name, column, seen.type, old=not new, labels=tuple(seen.labels)
            )
        table = self.declared.table if new else self.declared.old
        is_view = any(column.is_view for column in columns.values())
        return TableMapping(
            self.declared,
            table or self.declared.table,
            storages,
            schema=next((column.schema for column in columns.values()), None),
            is_view=is_view,
            is_old=not new,
        )

    def _is_enforced(self, found: tuple[FoundColumn, ...]) -> bool:
        columns = {column.name: column for column in found if column.is_new}
        return all(_is_enforced(c, columns[c.name]) for c in self.declared.columns)


def _is_enforced(column: DeclaredColumn, found: FoundColumn) -> bool:
    if not column.nullable and not found.not_null:
        return False
    if column.enum and not found.checked:
        return False
    return not (column.sql_type == "uuid" and found.type != "uuid")


def _values(column: DeclaredColumn) -> list[str]:
    """The values of its enum that are text."""
    return [m.value for m in column.enum or () if isinstance(m.value, str)]


def _is_converted(column: DeclaredColumn, found: FoundColumn) -> bool:
    """Whether a column is what only the new contract has."""
    if column.sql_type == "uuid":
        return found.type == "uuid"
    return found.checked or not _values(column)


Source: TypeAlias = TableMapping[E] | Auto[E]
"""Where an entity's mapping comes from: a fixed one, or one that is looked up."""


def current(source: Source[E]) -> TableMapping[E] | None:
    """The mapping to use now, None when the database must be looked at first."""
    return source.current() if isinstance(source, Auto) else source


def agree(sources: Iterable[Source[Any]]) -> list[TableMapping[Any]]:
    """One contract for several entities in one query: the new one, once it is complete for all.

    Args:
        sources: each has been looked up.
    """
    listed = list(sources)
    all_new = all(source.new_is_complete for source in listed if isinstance(source, Auto))
    return [source.agreed(new=all_new) if isinstance(source, Auto) else source for source in listed]
