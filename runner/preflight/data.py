"""Reads each table once and judges every converted value by its rules.

One query a table: each rule's outcome is a small number, rows are grouped by these numbers, and a
group keeps the least and the greatest value it saw. So there are samples of every kind of bad
value after one pass, however many are bad, and the scan can run in parallel. Values spread over
the groups of their class by their hash; a group whose least and greatest value are the same knows
exactly how many rows that value has. Small tables share one query, whose parts run in parallel.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
from psycopg import Connection, sql

from runner.catalog import Catalog
from runner.generate.model import TableChange
from runner.preflight.again import Reference, find_collisions, find_orphans, orphans
from runner.preflight.reading import expression, expressions, fetch_all, fetch_one, table
from runner.preflight.report import SAMPLES, SHOWN, Finding, Sample, Severity, TableRead
from runner.preflight.rules import (
    OTHER_SPELLING,
    ColumnRules,
    Rule,
    carried_rules,
    column_rules,
    integer_rules,
    path_rules,
    unproven_rules,
    without_reversal,
)
from runner.quoting import Name, quote_literal, quote_name
from runner.standard.model import TableStandard

_CLASS = 32  # an outcome is 0 for a fine value, else its class times this, plus a bucket
_OUTCOMES = 256  # more than there are of one key
_PACKED = 7  # so many keys share one bigint: one number is hashed faster than seven
# What is read by one query: tables up to a size, with their indexes, and so much of all.
_SMALL = 16 << 20
_TOGETHER = 64 << 20
_KEYS = 300


@dataclass(frozen=True, slots=True)
class Key:
    """One outcome of the scan: the SQL that gives it, the value to sample, the rules behind it."""

    value: str
    outcome: str
    column: str
    rules: tuple[Rule, ...]


# The spellings that enums' values are derived back to, by the SQL that derives them.
Spellings: TypeAlias = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows with the same outcomes, and for each outcome the least and the greatest bad value."""

    rows: int
    outcomes: tuple[int, ...]
    bounds: tuple[tuple[str | None, str | None], ...]


@dataclass(slots=True)
class _Counted:
    rows: int
    samples: dict[str | None, int | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A table that is to be read.

    Args:
        change: how it is converted.
        keys: what the scan evaluates.
        references: what its columns must be found in.
        size: its bytes, with its indexes.
    """

    change: TableChange
    keys: tuple[Key, ...]
    references: tuple[Reference, ...]
    size: int


def read_tables(
    connection: Connection[Any], tables: Sequence[Wanted], on_table: Callable[[Name], None]
) -> Iterator[tuple[Name, TableRead | None, list[Finding]]]:
    """Read each table once and list what in its rows stops the conversion, or should be known.

    Args:
        connection: in a read-only transaction that row security does not filter.
        tables: what is read.
        on_table: called with a table's name before its rows are read.

    Returns:
        Each table's name, how much was read of it, None where the server refused that, and the
        findings.
    """
    for few in _together(tables):
        for wanted in few:
            on_table(wanted.change.old)
        yield from _attempt(connection, few)


def _attempt(
    connection: Connection[Any], few: Sequence[Wanted]
) -> Iterator[tuple[Name, TableRead | None, list[Finding]]]:
    """What is found in tables; the one whose rows the server does not evaluate hides no other."""
    started = time.monotonic()
    try:
        with connection.transaction():
            found = list(_read(connection, few))
    except psycopg.OperationalError:  # the connection, the time, a lock: true of all of them
        raise
    except psycopg.Error as error:
        for wanted in few if len(few) > 1 else ():
            yield from _attempt(connection, [wanted])
        if len(few) == 1:
            yield few[0].change.old, None, [_unread(few[0].change.old, error)]
        return
    # One query read them: each took its share of the time.
    each = (time.monotonic() - started) / max(1, sum(w.size for w in few))
    for wanted, (rows, findings) in zip(few, found, strict=True):
        change, seconds = wanted.change, each * wanted.size
        yield change.old, TableRead(change.old, change.new, rows, wanted.size, seconds), findings


def _unread(name: Name, error: psycopg.Error) -> Finding:
    said = error.diag.message_primary or str(error)
    return Finding(
        Severity.STOPS,
        str(name),
        f"has a row for which the server ends what check asks: {said}; its rows were not checked",
        hint="Correct that row, or the CHECK or function that fails for it.",
    )


def _together(tables: Sequence[Wanted]) -> Iterator[list[Wanted]]:
    """The tables that one query reads."""
    few: list[Wanted] = []
    for wanted in tables:
        if wanted.size > _SMALL:
            yield [wanted]
            continue
        few.append(wanted)
        if sum(w.size for w in few) > _TOGETHER or sum(len(w.keys) for w in few) > _KEYS:
            yield few
            few = []
    if few:
        yield few


def _read(
    connection: Connection[Any], few: Sequence[Wanted]
) -> Iterator[tuple[int, list[Finding]]]:
    """The rows of each table, and the findings."""
    groups: dict[int, list[_Group]] = defaultdict(list)
    orphaned: set[tuple[int, int]] = set()
    for place, number, rows, packed, bounds in _scan(connection, few):
        if number >= 0:
            orphaned |= {(place, number)} if rows else set()
            continue
        count = len(few[place].keys)
        outcomes = tuple(
            packed[i // _PACKED] // _OUTCOMES ** (i % _PACKED) % _OUTCOMES for i in range(count)
        )
        pairs = tuple(zip(bounds[::2], bounds[1::2], strict=True))
        groups[place].append(_Group(rows, outcomes, pairs))
    for place, wanted in enumerate(few):
        change, keys, own = wanted.change, wanted.keys, groups[place]
        rows = sum(group.rows for group in own)
        counted = [_fold(position, own) for position in range(len(keys))]
        findings = list(_findings(change, keys, counted))
        for number, reference in enumerate(wanted.references):
            if (place, number) in orphaned:
                findings += find_orphans(connection, change, reference)
        findings += find_collisions(connection, change, _respelled(keys, counted, rows))
        yield rows, findings


def sizes(connection: Connection[Any], changes: Sequence[TableChange]) -> dict[Name, int]:
    """The bytes of tables with their indexes, by their old names.

    Args:
        connection: in a read-only transaction.
        changes: the tables.
    """
    pairs = [(c.old, place) for c in changes for place in (c.old, *(p.name for p in c.partitions))]
    query = sql.SQL("SELECT pg_total_relation_size(t::regclass) FROM unnest({}::text[]) AS t")
    listed = sql.Literal([quote_name(place) for _, place in pairs])
    found: dict[Name, int] = defaultdict(int)
    for (name, _), (size,) in zip(pairs, fetch_all(connection, query.format(listed)), strict=True):
        found[name] += int(size)
    return found


def _scan(connection: Connection[Any], few: Sequence[Wanted]) -> Iterator[tuple[Any, ...]]:
    """The rows of the scans of tables: of which one, of which reference or -1, and what is there.

    What is there: how many rows, their outcomes, and least and greatest value of each. A large
    table is read by queries of its own: each part of a query has one process.
    """
    queries = [
        query
        for place, wanted in enumerate(few)
        for query in (
            _scan_query(place, wanted),
            *(_orphans(place, number, wanted) for number in range(len(wanted.references))),
        )
    ]
    if len(few) > 1:
        queries = [sql.SQL(" UNION ALL ").join(sql.SQL("({})").format(q) for q in queries)]
    for query in queries:
        yield from fetch_all(connection, query)


def _orphans(place: int, number: int, wanted: Wanted) -> sql.Composed:
    """The count of rows that reference nothing, as the scan has its rows."""
    return sql.SQL("SELECT {}, {}, count(*), '{{}}'::bigint[], '{{}}'::text[] {}").format(
        sql.Literal(place),
        sql.Literal(number),
        orphans(wanted.change, wanted.references[number]),
    )


def _scan_query(place: int, wanted: Wanted) -> sql.Composed:
    """The one pass over a table: outcomes, rows, least and greatest value of each outcome."""
    keys = wanted.keys
    packs = range(-(-len(keys) // _PACKED))
    numbers = sql.SQL(", ").join(sql.Identifier(f"k{pack}") for pack in packs)
    judged = [
        sql.SQL("{} AS {}").format(
            expressions(
                (
                    f"({key.outcome})::bigint * {_OUTCOMES**at}"
                    for at, key in enumerate(keys[pack * _PACKED : (pack + 1) * _PACKED])
                ),
                " + ",
            ),
            sql.Identifier(f"k{pack}"),
        )
        for pack in packs
    ]
    bounds = []
    for i, key in enumerate(keys):
        value, pack = sql.Identifier(f"v{i}"), sql.Identifier(f"k{i // _PACKED}")
        shown = sql.SQL("left({}, {}) AS {}").format(
            expression(key.value), sql.Literal(SHOWN), value
        )
        judged.append(shown)
        bounds += [
            sql.SQL('{}({} COLLATE "C") FILTER (WHERE {} > 0)').format(aggregate, value, pack)
            for aggregate in (sql.SQL("min"), sql.SQL("max"))
        ]
    return sql.SQL(
        "SELECT {}, -1, count(*), ARRAY[{}]::bigint[], ARRAY[{}]::text[]"
        " FROM (SELECT {} FROM {}) AS judged{}"
    ).format(
        sql.Literal(place),
        numbers,
        sql.SQL(", ").join(bounds),
        sql.SQL(", ").join(judged),
        table(wanted.change.old),
        sql.SQL(" GROUP BY {}").format(numbers) if keys else sql.SQL(""),
    )


def column_keys(
    connection: Connection[Any],
    change: TableChange,
    standard: TableStandard,
    catalog: Catalog,
    known: Spellings,
) -> Iterator[Key]:
    """What the scan evaluates for each converted column."""
    for converted in change.columns:
        column = change.relation.column(converted.name)
        assert column is not None, converted.name
        if converted.paths:
            for path in standard.json[converted.name]:
                rules = path_rules(converted, path)
                yield Key(rules.value, _outcome(rules), rules.name, rules.rules)
            continue
        enum = standard.enums.get(converted.name)
        spellings: tuple[str, ...] = ()
        if enum is not None and column.type_name not in catalog.types:
            quoted = [quote_literal("{" + v + "}" if column.is_array else v) for v in enum.values]
            derived = [converted.old_from(literal) for literal in quoted]
            each = ", ".join(
                f"({d})[1]::text" if column.is_array else f"({d})::text" for d in derived
            )
            if each not in known:
                known[each] = _spellings(connection, each)
            spellings = known[each]
        rules = column_rules(converted, column, enum.values if enum else (), spellings)
        yield Key(rules.value, _outcome(rules), converted.name, rules.rules)
    for name, _, condition in change.integer_checks:
        rules = integer_rules(name, condition)
        yield Key(rules.value, _outcome(rules), name, rules.rules)
    for check in change.checks:
        if check.validated:
            rules = carried_rules(change, check)
            yield Key(rules.value, _outcome(rules), rules.name, rules.rules)
    for constraint in change.relation.unproven_checks:
        rules = unproven_rules(constraint)
        yield Key(rules.value, _outcome(rules), rules.name, rules.rules)


def _spellings(connection: Connection[Any], derived: str) -> tuple[str, ...]:
    """What the enum's values are derived back to: constants, which are cheap to compare with."""
    row = fetch_one(connection, sql.SQL("SELECT {}").format(expression(derived)))
    return tuple(map(quote_literal, row))


def _outcome(rules: ColumnRules) -> str:
    cases = [f"WHEN {rules.fine} THEN 0"]
    for number, rule in enumerate(rules.rules, 1):
        code = str(number * _CLASS)
        if rule.buckets > 1:
            code += f" + (hashtext({rules.value}) & {rule.buckets - 1})"
        cases.append(f"WHEN {rule.condition} THEN {code}")
    return f"CASE {' '.join(cases)} ELSE 0 END"


def _fold(position: int, groups: Sequence[_Group]) -> dict[int, _Counted]:
    """Add the groups up: for each class of one outcome its rows and its samples."""
    counted: dict[int, _Counted] = defaultdict(lambda: _Counted(0, {}))
    for group in groups:
        outcome = group.outcomes[position]
        if outcome == 0:
            continue
        one = counted[outcome // _CLASS]
        one.rows += group.rows
        least, greatest = group.bounds[position]
        if least == greatest:
            before = one.samples.get(least, 0)
            one.samples[least] = None if before is None else before + group.rows
        else:
            one.samples[least] = one.samples[greatest] = None
    return dict(counted)


def _findings(
    change: TableChange, keys: Sequence[Key], counted: Sequence[Mapping[int, _Counted]]
) -> Iterator[Finding]:
    for key, classes in zip(keys, counted, strict=True):
        for number, rule in enumerate(key.rules, 1):
            if number not in classes:
                continue
            rule = without_reversal(change, key.column, rule)
            samples = classes[number].samples.items()
            top = sorted(samples, key=lambda item: (-(item[1] or 0), item[0] or ""))[:SAMPLES]
            shown = f"SELECT * FROM {quote_name(change.old)} WHERE {rule.where};"  # noqa: S608 - shown, not run
            yield Finding(
                rule.severity,
                f"{change.old}.{key.column}",
                rule.problem,
                classes[number].rows,
                tuple(Sample(value, rows) for value, rows in top),
                shown,
            )


def _respelled(
    keys: Sequence[Key], counted: Sequence[Mapping[int, _Counted]], rows: int
) -> frozenset[str]:
    """The columns in which different texts may become one value.

    Within one spelling of a uuid (canonical, upper case, 32 digits) different texts are different
    uuids, so a column that holds only one of them cannot collide.
    """
    found = set()
    for key, classes in zip(keys, counted, strict=True):
        spellings = {key.rules[n - 1].spelling for n in classes if key.rules} - {None}
        kinds = len(spellings) + (sum(c.rows for c in classes.values()) < rows)
        if OTHER_SPELLING in spellings or kinds > 1:
            found.add(key.column)
    return frozenset(found)
