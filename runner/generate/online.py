"""The online strategy: both contracts live while the table is converted in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.generate import contract
from runner.generate.files import File
from runner.generate.kinds import (
    check,
    foreign_key,
    index,
    not_null,
    partition,
    rows,
    sync,
    table,
    trial,
)
from runner.generate.kinds.toolkit import toolkit
from runner.generate.locks import is_large
from runner.generate.model import TableChange
from runner.generate.unit import Unit
from runner.quoting import Name


def files(units: Sequence[Unit]) -> list[File]:
    """The files of the online strategy, in their order."""
    if not units:
        return []
    first = toolkit("online", "expand")
    found = [first]
    tables = [t for u in units for t in u.tables]
    checks = {t.new: rows.check(t, "online", "expand", [first]) for t in tables if t.is_checked}
    trials = {
        u.tables[0].new: trial.check(u, "online", "expand", [first])
        for u in units
        if trial.is_possible(u)
    }
    found += [*checks.values(), *trials.values()]
    last: dict[Name, list[File]] = {}
    for u in units:
        found += _expand(u, checks, trials, first, last)
    for u in units:
        found += _backfill(u, last)
    for t in tables:
        found += _enforce(t, last)
    for u in units:
        keys: list[File] = []
        for k in u.foreign_keys:
            after = list(dict.fromkeys([*last[k.table], *last[k.references]]))
            made = list(foreign_key.enforce(u.table(k.table), k, after))
            found += made
            keys.append(made[-1])
        found += contract.files(u, [*(f for t in u.tables for f in last[t.new]), *keys])
    return found


def _expand(
    u: Unit,
    checks: Mapping[Name, File],
    trials: Mapping[Name, File],
    first: File,
    last: dict[Name, list[File]],
) -> list[File]:
    after = [checks[t.new] for t in u.tables if t.is_checked] or [first]
    after += [trials[u.tables[0].new]] if u.tables[0].new in trials else []
    found: list[File] = []
    for t in u.tables:
        # A large unit goes in a chain: one file cannot name hundreds.
        file = table.expand(t, found[-1:] if found and is_large(u) else after)
        found.append(file)
        last[t.new] = [file]
    return found


def _backfill(u: Unit, last: dict[Name, list[File]]) -> list[File]:
    found = []
    expanded = [f for t in u.tables for f in last[t.new]]
    for place, t in enumerate(u.tables):
        if t.columns:
            after = expanded[-1:] if place and is_large(u) else expanded
            filled = [sync.backfill(t, name, after) for name in t.with_rows]
            found += filled
            last[t.new] = filled or last[t.new]
    return found


def _enforce(t: TableChange, last: dict[Name, list[File]]) -> list[File]:
    found: list[File] = []
    if t.is_checked:
        found.append(rows.enforce(t, last[t.new]))
        for i in t.converted_indexes:
            if t.is_partitioned:
                found += partition.enforce(t, i, found[-1:])
            else:
                found.append(index.build(t, t.new, i, i.build_name, found[-1:]))
        found += check.enforce(t, found[-1:])
        found += not_null.enforce(t, found[-1:])
        last[t.new] = found[-1:]
    return found
