"""The window strategy: the same result in one rewrite of each table, while nobody uses them."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate import split
from runner.generate.checks import Checks
from runner.generate.files import File
from runner.generate.kinds import (
    foreign_key,
    in_place,
    old_foreign_key,
    reversal,
    same,
    standing,
)
from runner.generate.kinds.same import At
from runner.generate.locks import is_large, locked
from runner.generate.model import ForeignKeyChange
from runner.generate.statement import Paragraph, Statement, plain
from runner.generate.unit import Unit, listed, together
from runner.quoting import quote_name


def files(units: Sequence[tuple[Unit, Checks]]) -> list[File]:
    """The files of the window strategy, in their order."""
    found: list[File] = []
    for u, checks in units:
        if is_large(u):
            found += split.files(u, checks)
            continue
        found.append(_unit(u, checks.before("window")))
        if any(t.columns for t in u.tables):
            found.append(_afterwards(u, found[-1:]))
    return found


def _unit(u: Unit, after: Sequence[File]) -> File:
    old, new = [t.old.name for t in u.tables], [t.new.name for t in u.tables]
    again = f"; makes again: {listed(d.label for d in u.dependents)}" if u.dependents else ""
    return File(
        unlike=f"unit {u.tables[0].new}",
        phase="window",
        subject=together([t.stem for t in u.tables]),
        title=f"Turn {', '.join(old)} into {', '.join(new)} in one go.",
        does="converts every column of a table in one ALTER TABLE; keeps the spellings "
        "that cannot be derived back in a reversal table, from which triggers remove those of "
        f"deleted rows{again}",
        held=" until it is done; gives up after 200 ms when it cannot have "
        + ("them" if len(u.tables) > 1 else "it"),
        cost="rewrites each table and its indexes once; up to 1 GB of memory for an index",
        undo="the same again in the other direction, byte for byte",
        body=_convert(u),
        rollback=_convert_back(u),
        back=f"Turns {', '.join(new)} back into {', '.join(old)}, byte for byte.",
        after=after,
    )


def _convert(u: Unit) -> list[Paragraph]:
    locks = tuple(locked(t, t.old) for t in u.tables)
    listed_tables = ", ".join(quote_name(t.old) for t in u.tables)
    off = [*standing.off(u.dependents, old=True)]
    off += [foreign_key.drop(u.old_name(k.table), k.old_name) for k in u.foreign_keys]
    return [
        [*in_place.SETTINGS, *([reversal.IN_PARALLEL] * any(t.keeps_spellings for t in u.tables))],
        [Statement(f"LOCK TABLE {listed_tables} IN ACCESS EXCLUSIVE MODE;", locks=locks)],
        [s for t in u.tables for s in (same.require(t, At.OLD), *same.require_alike(t, At.OLD))],
        off,
        *(p for t in u.tables for p in in_place.convert(t)),
        *(
            foreign_key.with_comment(
                k, k.table, k.name, k.references, not_valid=k in _proven_later(u)
            )
            for k in u.foreign_keys
        ),
        *(standing.on(u, u.dependents) if u.dependents else ()),
    ]


def _convert_back(u: Unit) -> list[Paragraph]:
    listed_tables = ", ".join(quote_name(t.new) for t in u.tables)
    off = [*standing.off(u.dependents, old=False)]
    off += [foreign_key.drop(k.table, k.name) for k in u.foreign_keys]
    converted = [t for t in u.tables if t.columns]
    return [
        in_place.SETTINGS,
        foreign_key.check_at_once() if u.defers else [],
        plain(f"LOCK TABLE {listed_tables} IN ACCESS EXCLUSIVE MODE;"),
        [same.require(t, At.NEW) for t in u.tables],
        off,
        *(p for t in u.tables for p in in_place.convert_back(t)),
        *(p for t in u.tables for p in in_place.spell_back(t)),
        *([reversal.spell_references(*reference)] for reference in u.references),
        [s for t in converted for s in in_place.put_back(t)],
        *(p for t in converted for p in in_place.unproven_checks(t)),
        *(p for k in u.foreign_keys for p in old_foreign_key.window_back(u, k)),
        *(d.old for d in u.dependents),
        [reversal.drop(t) for t in u.tables if t.keeps_spellings],
    ]


def _proven_later(u: Unit) -> list[ForeignKeyChange]:
    """The foreign keys that are proven when clients work again; a partitioned table's cannot be."""
    return [k for k in u.foreign_keys if k.validated and not u.table(k.table).is_partitioned]


def _afterwards(u: Unit, after: Sequence[File]) -> File:
    keys = _proven_later(u)
    sampled = in_place.analyzed(u.tables)
    proofs = [foreign_key.validate(k, k.table, k.name) for k in keys]
    proven = listed(k.name for k in keys)
    return File(
        unlike=f"analyze unit {u.tables[0].new}",
        phase="window",
        subject=f"{u.tables[0].stem}_analyze",
        title=(f"Prove {proven}, and tell" if keys else "Tell")
        + " the planner about the new columns.",
        does=("validates the foreign keys; " if keys else "") + "samples the new columns",
        cost="reads a sample"
        + ("; reads each table once for each of its foreign keys" * bool(keys)),
        undo="nothing to undo",
        body=[[*foreign_key.PATIENTLY, *proofs], sampled] if keys else [sampled],
        back="no-op: statistics are no part of a contract"
        + (", and foreign keys go with the file before." if keys else "."),
        after=after,
    )
