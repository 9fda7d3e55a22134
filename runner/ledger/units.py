"""Units of tables: the files that can be applied on a day of their own, by what they depend on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from runner.ledger.files import Migration

_IDENTIFIER = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_ALTERED = re.compile(
    rf"\s*ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?((?:{_IDENTIFIER}\.)?{_IDENTIFIER})"
    rf"(?:\s+RENAME\s+TO\s+({_IDENTIFIER})|\s+SET\s+SCHEMA\s+({_IDENTIFIER}))?",
    re.IGNORECASE,
)


class Unit(NamedTuple):
    """One unit of tables.

    Args:
        files: ids of its own files.
        shared: ids of the files that every unit needs: baseline and toolkit.
        checks: ids of those of its own that only look at it, for either strategy.
    """

    files: frozenset[str]
    shared: frozenset[str]
    checks: frozenset[str] = frozenset()

    def is_begun(self, applied: Collection[str]) -> bool:
        """Whether a file that converts it is applied: a check that was passed begins nothing."""
        return not (self.files - self.checks).isdisjoint(applied)


@dataclass(frozen=True)
class Stand:
    """How far a unit of tables is.

    Args:
        tables: their names in the end, qualified.
        done: the last phase of which it has all files; empty before the first.
        next: the command that goes on; empty when it is at the standard.
    """

    tables: tuple[str, ...]
    done: str
    next: str

    def __str__(self) -> str:
        done = f"{self.done} is done" if self.done else "not begun"
        return f"{', '.join(self.tables)}: {done}{'; next: ' + self.next if self.next else ''}"


def find_units(migrations: Sequence[Migration]) -> list[Unit]:
    """The units of the sources: what no declared dependency ties together.

    Args:
        migrations: all that the sources hold.

    Returns:
        The units in the order of their first files. A file that declares no dependency is in no
        unit, unless it is one that all others of its service need.
    """
    services: dict[str, list[Migration]] = {}
    for migration in migrations:
        services.setdefault(migration.service, []).append(migration)
    return [unit for found in services.values() for unit in _units_of(found)]


def _units_of(migrations: Sequence[Migration]) -> list[Unit]:
    common = {m.id for m in migrations if m.phase in ("baseline", "toolkit")}
    rest = {m.id: m for m in migrations if m.id not in common}
    roots = [id_ for id_, m in rest.items() if not m.depends & rest.keys()]
    # Written by hand, all others may come after a single root.
    by_hand = all(m.phase != "toolkit" for m in migrations)
    shared = frozenset(common | {*(roots if by_hand and len(roots) == 1 else ())})
    own = {id_: m for id_, m in rest.items() if id_ not in shared and m.depends}
    root = {id_: id_ for id_ in own}

    def find(id_: str) -> str:
        while root[id_] != id_:
            root[id_] = root[root[id_]]
            id_ = root[id_]
        return id_

    for id_, migration in own.items():
        for parent in migration.depends & own.keys():
            root[find(id_)] = find(parent)
    groups: dict[str, set[str]] = {}
    for id_ in own:
        groups.setdefault(find(id_), set()).add(id_)
    checks = frozenset(id_ for id_ in own if rest[id_].phase == "check")
    return [Unit(frozenset(ids), shared, checks & ids) for ids in groups.values()]


def unit_of(migrations: Sequence[Migration], table: str) -> Unit:
    """The unit that holds a table.

    Args:
        migrations: all that the sources hold.
        table: its old or new name, with its schema or without.

    Raises:
        UsageError: none does, or several do.
    """
    units = find_units(migrations)
    names = [_tables([m for m in migrations if m.id in unit.files]) for unit in units]
    wanted = _parts(table) if _ALTERED.fullmatch(f"ALTER TABLE {table}") else (table,)
    found = [
        unit
        for unit, tables in zip(units, names, strict=True)
        if any(name[-len(wanted) :] == wanted for name in tables)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"several units have a table {table}", hint="name it with its schema")
    listed = "; ".join(
        ", ".join(".".join(name) for name, is_new in tables.items() if is_new)
        for tables in names
        if tables
    )
    raise UsageError(
        f"no unit of tables has the table {table}", hint=f"units here: {listed or 'none'}"
    )


def tables_of(migrations: Sequence[Migration], unit: Unit) -> frozenset[tuple[str, ...]]:
    """The old and the new names of a unit's tables, each as schema and name."""
    return frozenset(_tables(m for m in migrations if m.id in unit.files))


def all_tables(migrations: Sequence[Migration]) -> frozenset[tuple[str, ...]]:
    """The old and the new names of the tables that files convert, each as schema and name."""
    return frozenset(_tables(migrations))


def last_names(migrations: Sequence[Migration], unit: Unit) -> tuple[str, ...]:
    """The names that a unit's tables have in the end."""
    found = _tables(m for m in migrations if m.id in unit.files)
    return tuple(".".join(name) for name, is_last in found.items() if is_last)


def stand_of(migrations: Sequence[Migration], unit: Unit, applied: Collection[str]) -> Stand | None:
    """How far a unit is; None of one that converts no table.

    Args:
        migrations: all that the sources hold, in their order.
        unit: one of their units.
        applied: ids of those that are applied.
    """
    own = [m for m in migrations if m.id in unit.files]
    tables = last_names(own, unit)
    left = [m for m in own if m.id not in applied]
    before = own[: own.index(left[0])] if left else own
    phases = [m.phase for m in before if not left or m.phase != left[0].phase]
    following = ""
    if left:
        # Only a phase that is applied on request must be named.
        way = " --strategy window" if any(m.phase == "window" for m in own) else ""
        named = f" --to {left[0].phase}" if left[0].on_request else ""
        following = f"trueup apply{way}{named}"
    return Stand(tables, phases[-1] if phases else "", following) if tables else None


def is_of(tables: frozenset[tuple[str, ...]], name: str) -> bool:
    """Whether a qualified name, quoted where it must be, is one of a unit's tables."""
    return _parts(name) in tables


def _tables(migrations: Iterable[Migration]) -> dict[tuple[str, ...], bool]:
    """The tables that files convert, by each of their names; whether it is the last one."""
    found: dict[tuple[str, ...], bool] = {}
    for_the_while: set[tuple[str, ...]] = set()
    for migration in migrations:
        # Expand adds to a table under its old name, switch and window give it the new one.
        if migration.phase not in ("expand", "switch", "window"):
            continue
        for statement in migration.statements:
            if match := _ALTERED.match(statement.text):
                old = _parts(match[1])
                if old[0] == "trueup" and len(old) > 1:
                    continue  # what keeps old spellings is no table of the service
                if old in for_the_while:
                    continue  # where a table stands until contract that keeps its name
                if match[3]:
                    for_the_while.add((*_parts(match[3]), old[-1]))
                found.setdefault(old, not match[2])
                if match[2]:
                    found[old] = False
                    found.setdefault((*old[:-1], *_parts(match[2])), True)
    return found


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a qualified name, as the catalog holds them."""
    return tuple(
        part[1:-1].replace('""', '"') if part.startswith('"') else part.lower()
        for part in re.findall(_IDENTIFIER, name)
    )
