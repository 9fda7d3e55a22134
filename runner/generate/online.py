"""The online strategy: both contracts live while the table is converted in place."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate import contract
from runner.generate.checks import Checks
from runner.generate.files import File
from runner.generate.kinds import (
    backfill,
    check,
    foreign_key,
    index,
    not_null,
    partition,
    settled,
    switch,
    table,
)
from runner.generate.locks import is_large
from runner.generate.model import TableChange
from runner.generate.unit import Unit
from runner.generate.until_switch import from_switch, until_switch
from runner.quoting import Name


def files(units: Sequence[tuple[Unit, Checks]]) -> list[File]:
    """The files of the online strategy, in their order."""
    found: list[File] = []
    last: dict[Name, list[File]] = {}
    for u, checks in units:
        found += _expand(u, checks.before("online"), last)
    pairs = [(u, from_switch(u) if u.at_expand else until_switch(u)) for u, _ in units]
    for _, before in pairs:
        found += _backfill(before, last)
    for u, before in pairs:
        if settled.is_needed(u):
            waited = settled.enforce(u, [f for t in u.tables for f in last[t.old]])
            found.append(waited)
            last.update({t.old: [waited] for t in u.tables})
        for t, b in zip(u.tables, before.tables, strict=True):
            found += _enforce(b, t.new.name, last)
    for u, before in pairs:
        keys: list[File] = []
        for k in before.foreign_keys:
            table, parent = before.table(k.table), before.table(k.references)
            after = list(dict.fromkeys([*last[table.old], *last[parent.old]]))
            made = list(foreign_key.enforce(table, k, after))
            found += made
            keys.append(made[-1])
        enforced = [*(f for t in u.tables for f in last[t.old]), *keys]
        switched = [] if u.at_expand else _switch(u, before, enforced)
        found += [*switched, *contract.files(u, switched or enforced)]
    return found


def _expand(u: Unit, after: Sequence[File], last: dict[Name, list[File]]) -> list[File]:
    found: list[File] = []
    for t, b in zip(u.tables, until_switch(u).tables, strict=True):
        # A large unit goes in a chain: one file cannot name hundreds.
        file = table.expand(t, b, u.dependents, found[-1:] if found and is_large(u) else after)
        found.append(file)
        last[t.old] = [file]
    return found


def _backfill(u: Unit, last: dict[Name, list[File]]) -> list[File]:
    found = []
    expanded = [f for t in u.tables for f in last[t.old]]
    for place, t in enumerate(u.tables):
        if t.columns:
            after = expanded[-1:] if place and is_large(u) else expanded
            filled = [backfill.backfill(t, name, after) for name in t.with_rows]
            found += filled
            last[t.old] = filled or last[t.old]
    return found


def _enforce(t: TableChange, stem: str, last: dict[Name, list[File]]) -> list[File]:
    if not t.is_checked:
        return []
    found: list[File] = []
    for i in t.converted_indexes:
        after = found[-1:] or last[t.old]
        if t.is_partitioned:
            found += partition.enforce(t, i, after)
        else:
            found.append(index.build(t, t.new, i, i.build_name, after))
    found.append(check.enforce(t, found[-1:] or last[t.old]))
    found += not_null.enforce(t, stem, check.agreeing(t), found[-1:])
    last[t.old] = found[-1:]
    return found


def _switch(u: Unit, before: Unit, enforced: Sequence[File]) -> list[File]:
    found: list[File] = []
    for t, b in zip(u.tables, before.tables, strict=True):
        after = found[-1:] if found and is_large(u) else enforced
        found.append(switch.switch(t, b, after))
    return found
