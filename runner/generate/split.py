"""The window strategy for a unit of more tables than one transaction can hold the locks of."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.checks import Checks
from runner.generate.files import File
from runner.generate.kinds import foreign_key, in_place, old_foreign_key, reversal, same, standing
from runner.generate.kinds.same import At
from runner.generate.locks import batches
from runner.generate.model import ForeignKeyChange, TableChange
from runner.generate.statement import BRIEFLY, Paragraph, Statement, lock, plain
from runner.generate.unit import Unit, together
from runner.postgres.locks import LockMode
from runner.quoting import quote_name


def files(u: Unit, checks: Checks) -> list[File]:
    """The files of a large unit: foreign keys off, each table, foreign keys on, statistics."""
    subject = together([t.stem for t in u.tables])
    groups = batches(u.tables)
    found: list[File] = []
    between = (
        f"Between the first file {subject}_fkeys_off and the last file {subject}_fkeys_on the "
        f"{len(u.tables)} tables of this unit follow neither contract, so no release of the "
        "service may run; a run that stopped goes on, or goes back, file by file"
    )

    if u.dependents:
        found.append(standing.window_off(u, subject, checks.before("window", ()), between))
    for place, group in enumerate(groups, 1):
        after = [*checks.before("window", group), *found[-1:]]
        found.append(_step(u, subject, "fkeys_off", place, group, after, f". {between}"))
    for t in u.tables:
        found.append(_table(u, t, found[-1:], between))
    for kind in ("fkeys_on", "analyze"):
        for place, group in enumerate(groups, 1):
            if not any(t.columns if kind == "analyze" else _converted_keys(t) for t in group):
                continue
            honest = f". {between}" if kind == "fkeys_on" else ""
            found.append(_step(u, subject, kind, place, group, found[-1:], honest))
    if u.dependents:
        found.append(standing.window_on(u, subject, found[-1:]))
    return found


def _converted_keys(t: TableChange) -> list[ForeignKeyChange]:
    return [k for k in t.foreign_keys if k.converted]


def _step(
    u: Unit,
    subject: str,
    kind: str,
    place: int,
    group: Sequence[TableChange],
    after: Sequence[File],
    between: str,
) -> File:
    old, new = ", ".join(t.old.name for t in group), ", ".join(t.new.name for t in group)
    referenced = "and on what they reference; gives up after 200 ms when it cannot have them"
    held = ""
    body: list[Paragraph]
    rollback: list[Paragraph]
    if kind == "fkeys_off":
        body, rollback = _keys_off(group), _keys_off_back(u, group)
        title = "Take foreign keys off, and keep the spellings that cannot be derived back."
        does = (
            f"drops the converted foreign keys of {old}; copies spellings to reversal "
            f"tables{between}"
        )
        held = f" {referenced}"
        cost = "reads each table once"
        undo = "adds and proves the foreign keys again: reads each table once"
        back = f"Gives {old} their foreign keys again, and drops their reversal tables."
    elif kind == "fkeys_on":
        body, rollback = _keys_on(group), _keys_on_back(group)
        title = "Let the converted columns reference their keys again."
        does = f"adds the foreign keys of {new}{between}"
        held = f" {referenced}"
        cost = "reads each table once for each foreign key"
        undo = "instant"
        back = f"Drops the foreign keys of {new}: instant."
    else:
        body, rollback = [in_place.analyzed(group)], []
        title = "Tell the planner about the new columns."
        does = "samples the tables anew"
        cost = "reads a sample"
        undo = "nothing to undo"
        back = "no-op: statistics are no part of a contract."
    return File(
        unlike=f"{kind} {place} {u.tables[0].new}",
        phase="window",
        subject=f"{subject}_{kind}_{place}",
        title=title,
        does=does,
        held=held,
        cost=cost,
        undo=undo,
        body=body,
        rollback=rollback,
        back=back,
        after=after,
    )


def _table(u: Unit, t: TableChange, after: Sequence[File], between: str) -> File:
    old, new = t.old.name, t.new.name
    return File(
        unlike=f"table {t.new}",
        phase="window",
        subject=t.stem,
        title=f"Turn {old} into {new} in one go.",
        does="converts every column in one ALTER TABLE; refuses rows that were written "
        f"since their spelling was kept. {between}",
        held=" until it is done; gives up after 200 ms when it cannot have it",
        cost="reads the table once, rewrites it and its indexes once",
        undo="the same again in the other direction, byte for byte",
        body=_convert(u, t),
        rollback=_convert_back(u, t),
        back=f"Turns {new} back into {old}, byte for byte.",
        after=after,
    )


def _keys_off(group: Sequence[TableChange]) -> list[Paragraph]:
    listed_tables = ", ".join(quote_name(t.old) for t in group)
    mode = LockMode.ACCESS_EXCLUSIVE
    return [
        [BRIEFLY, *([reversal.IN_PARALLEL] * any(t.keeps_spellings for t in group))],
        [
            Statement(
                f"LOCK TABLE {listed_tables} IN {mode} MODE;",
                locks=tuple(lock(mode, t.old) for t in group),
            )
        ],
        [foreign_key.drop(t.old, k.old_name) for t in group for k in _converted_keys(t)],
        *(reversal.window(t) for t in group if t.keeps_spellings),
    ]


def _keys_off_back(u: Unit, group: Sequence[TableChange]) -> list[Paragraph]:
    keys = [k for t in group for k in _converted_keys(t)]
    return [
        [BRIEFLY],
        *(p for k in keys for p in old_foreign_key.window_back(u, k)),
        [reversal.drop(t) for t in group if t.keeps_spellings],
    ]


def _keys_on(group: Sequence[TableChange]) -> list[Paragraph]:
    locks = tuple(lock(LockMode.SHARE_ROW_EXCLUSIVE, t.new) for t in group)
    keys = [k for t in group for k in _converted_keys(t)]
    return [
        [Statement(BRIEFLY.sql, locks=locks)],
        *(foreign_key.with_comment(k, k.table, k.name, k.references) for k in keys),
    ]


def _keys_on_back(group: Sequence[TableChange]) -> list[Paragraph]:
    keys = [k for t in group for k in _converted_keys(t)]
    return [[BRIEFLY], [foreign_key.drop(k.table, k.name) for k in keys]]


def _convert(u: Unit, t: TableChange) -> list[Paragraph]:
    mode = LockMode.ACCESS_EXCLUSIVE
    refused = [reversal.refuse_later_rows(t)] if t.keeps_spellings else []
    first, *others = in_place.convert(t, keep=False)
    return [
        in_place.SETTINGS,
        [Statement(f"LOCK TABLE {quote_name(t.old)} IN {mode} MODE;", locks=(lock(mode, t.old),))],
        [same.require(t, At.OLD, but_keys=True, but=u.dependents)],
        [*refused, *first],
        *others,
    ]


def _convert_back(u: Unit, t: TableChange) -> list[Paragraph]:
    found: list[Paragraph] = [
        in_place.SETTINGS,
        foreign_key.check_at_once() if t.defers else [],
        plain(f"LOCK TABLE {quote_name(t.new)} IN ACCESS EXCLUSIVE MODE;"),
        [same.require(t, At.NEW, but_keys=True, but=u.dependents)],
        *in_place.convert_back(t),
        *in_place.spell_back(t),
        *([reversal.spell_references(*reference)] for reference in u.references_of(t)),
    ]
    if t.columns:
        found.append(in_place.put_back(t))
        found += in_place.unproven_checks(t)
    return found
