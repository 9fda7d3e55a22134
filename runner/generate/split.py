"""The window strategy for a unit of more tables than one transaction can hold the locks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.generate.files import File
from runner.generate.kinds import standing
from runner.generate.locks import batches
from runner.generate.model import ForeignKeyChange
from runner.generate.statement import lock
from runner.generate.templates import template
from runner.generate.unit import UnitView
from runner.generate.view import TableView
from runner.postgres.locks import LockMode
from runner.quoting import Name


def files(
    u: UnitView, subject: str, first: File, checked: Mapping[Name, File], trial: File | None
) -> list[File]:
    """The files of a large unit: foreign keys off, each table, foreign keys on, statistics.

    Args:
        u: the unit.
        subject: what the files of all its tables are named after.
        first: the toolkit's.
        checked: the file that each table's first one comes after.
        trial: the one that tries what stands on the tables, if any does.
    """
    groups = batches(u.tables)
    found: list[File] = []
    between = (
        f"Between the first file {subject}_fkeys_off and the last file {subject}_fkeys_on the "
        f"{len(u.tables)} tables of this unit follow neither contract, so no release of the "
        "service may run; a run that stopped goes on, or goes back, file by file"
    )

    if u.dependents:
        found.append(standing.window_off(u, subject, [trial or first], between))
    for place, group in enumerate(groups, 1):
        checks = [checked[t.new] for t in group if t.is_checked] or [first]
        after = [*checks, *found[-1:]]
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


def _converted_keys(t: TableView) -> list[ForeignKeyChange]:
    return [k for k in t.change.foreign_keys if k.converted]


def _step(
    u: UnitView,
    subject: str,
    kind: str,
    place: int,
    group: Sequence[TableView],
    after: Sequence[File],
    between: str,
) -> File:
    olds, news = [t.old for t in group], [t.new for t in group]
    old, new = ", ".join(n.name for n in olds), ", ".join(n.name for n in news)
    referenced = "and on what they reference; gives up after 200 ms when it cannot have them"
    mode, names, held = LockMode.SHARE_UPDATE_EXCLUSIVE, news, ""
    if kind == "fkeys_off":
        title = "Take foreign keys off, and keep the spellings that cannot be derived back."
        does = (
            f"drops the converted foreign keys of {old}; copies spellings to reversal "
            f"tables{between}"
        )
        mode, names, held = LockMode.ACCESS_EXCLUSIVE, olds, f" {referenced}"
        cost = "reads each table once"
        undo = "adds and proves the foreign keys again: reads each table once"
        back = f"Gives {old} their foreign keys again, and drops their reversal tables."
    elif kind == "fkeys_on":
        title = "Let the converted columns reference their keys again."
        does = f"adds the foreign keys of {new}{between}"
        mode, held = LockMode.SHARE_ROW_EXCLUSIVE, f" {referenced}"
        cost = "reads each table once for each foreign key"
        undo = "instant"
        back = f"Drops the foreign keys of {new}: instant."
    else:
        title = "Tell the planner about the new columns."
        does = "samples the tables anew"
        cost = "reads a sample"
        undo = "nothing to undo"
        back = "no-op: statistics are no part of a contract."
    return File(
        unlike=f"{kind} {place} {u.tables[0].new}",
        folder="window",
        phase="window",
        subject=f"{subject}_{kind}_{place}",
        title=title,
        does=does,
        held=held,
        cost=cost,
        undo=undo,
        body=template(
            f"window_{kind}.sql", [lock(mode, name) for name in names], u=u, tables=group
        ),
        rollback=template(f"window_{kind}.rollback.sql", u=u, tables=group),
        back=back,
        after=after,
    )


def _table(u: UnitView, t: TableView, after: Sequence[File], between: str) -> File:
    old, new = t.old.name, t.new.name
    return File(
        unlike=f"table {t.new}",
        folder="window",
        phase="window",
        subject=t.stem,
        title=f"Turn {old} into {new} in one go.",
        does="converts every column in one ALTER TABLE; refuses rows that were written "
        f"since their spelling was kept. {between}",
        held=" until it is done; gives up after 200 ms when it cannot have it",
        cost="reads the table once, rewrites it and its indexes once",
        undo="the same again in the other direction, byte for byte",
        body=template("window_table.sql", [lock(LockMode.ACCESS_EXCLUSIVE, t.old)], t=t),
        rollback=template("window_table.rollback.sql", t=t, references=u.references_of(t)),
        back=f"Turns {new} back into {old}, byte for byte.",
        after=after,
    )
