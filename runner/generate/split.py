"""The window strategy for a unit of more tables than one transaction can hold the locks of."""

from __future__ import annotations

from collections.abc import Iterator

from runner.generate.locks import batches
from runner.generate.model import ForeignKeyChange
from runner.generate.render import Draft
from runner.generate.steps import listed
from runner.generate.unit import UnitView
from runner.generate.view import TableView


def drafts(u: UnitView, subject: str) -> Iterator[Draft]:
    """The files of a large unit: foreign keys off, each table, foreign keys on, statistics.

    Args:
        u: the unit.
        subject: what the files of all its tables are named after.
    """
    groups = batches(u.tables)
    previous = ""
    between = (
        f"Between the first file {subject}_fkeys_off and the last file {subject}_fkeys_on the "
        f"{len(u.tables)} tables of this unit follow neither contract, so no release of the "
        "service may run; a run that stopped goes on, or goes back, file by file"
    )

    def after(*others: str) -> list[str]:
        return [*others, *([previous] if previous else [])]

    if u.dependents:
        checks = [f"check dependents {u.tables[0].new}"] if u.can_be_tried else ["toolkit"]
        draft = _standing(u, subject, "off", checks, between)
        yield draft
        previous = draft.key
    for place, group in enumerate(groups, 1):
        checks = [f"check {t.new}" for t in group if t.is_checked] or ["toolkit"]
        draft = _step(u, subject, "fkeys_off", place, group, after(*checks), f". {between}")
        yield draft
        previous = draft.key
    for t in u.tables:
        draft = _table(u, t, after(), between)
        yield draft
        previous = draft.key
    for kind in ("fkeys_on", "analyze"):
        for place, group in enumerate(groups, 1):
            if not any(t.columns if kind == "analyze" else _converted_keys(t) for t in group):
                continue
            honest = f". {between}" if kind == "fkeys_on" else ""
            draft = _step(u, subject, kind, place, group, after(), honest)
            yield draft
            previous = draft.key
    if u.dependents:
        yield _standing(u, subject, "on", after(), "")


def _standing(u: UnitView, subject: str, way: str, after: list[str], between: str) -> Draft:
    labels = listed(d.label for d in u.dependents)
    is_off = way == "off"
    return Draft(
        key=f"standing {way} {u.tables[0].new}",
        folder="window",
        phase="window",
        subject=f"{subject}_standing_{way}",
        template=f"window_standing_{way}.sql",
        title="Take off what stands on converted columns."
        if is_off
        else "Let stand on the new columns what stood on the old ones.",
        header={
            "does": f"drops {labels}. {between}" if is_off else f"makes {labels} again",
            "locks": f"ACCESS EXCLUSIVE on {listed(t.old.name for t in u.beneath(u.dependents))} "
            "for a few ms; gives up after 200 ms when it cannot have them",
            "cost": "none" if is_off else "fills materialized views, if there are any",
            "undo": "makes it again on the old columns" if is_off else "drops it",
        },
        rollback_title="Makes again on the old columns what stood there."
        if is_off
        else "Takes off what stands on the new columns.",
        after=after,
        context={"u": u},
    )


def _converted_keys(t: TableView) -> list[ForeignKeyChange]:
    return [k for k in t.change.foreign_keys if k.converted]


def _step(
    u: UnitView,
    subject: str,
    kind: str,
    place: int,
    group: tuple[TableView, ...],
    after: list[str],
    between: str,
) -> Draft:
    old, new = ", ".join(t.old.name for t in group), ", ".join(t.new.name for t in group)
    if kind == "fkeys_off":
        title = "Take foreign keys off, and keep the spellings that cannot be derived back."
        header = {
            "does": f"drops the converted foreign keys of {old}; copies spellings to reversal "
            f"tables{between}",
            "locks": f"ACCESS EXCLUSIVE on {old} and on what they reference; gives up after 200 ms "
            "when it cannot have them",
            "cost": "reads each table once",
            "undo": "adds and proves the foreign keys again: reads each table once",
        }
        back = f"Gives {old} their foreign keys again, and drops their reversal tables."
    elif kind == "fkeys_on":
        title = "Let the converted columns reference their keys again."
        header = {
            "does": f"adds the foreign keys of {new}{between}",
            "locks": f"SHARE ROW EXCLUSIVE on {new} and on what they reference; gives up after "
            "200 ms when it cannot have them",
            "cost": "reads each table once for each foreign key",
            "undo": "instant",
        }
        back = f"Drops the foreign keys of {new}: instant."
    else:
        title = "Tell the planner about the new columns."
        header = {
            "does": "samples the tables anew",
            "locks": f"SHARE UPDATE EXCLUSIVE on {new}: reads and writes go on",
            "cost": "reads a sample",
            "undo": "nothing to undo",
        }
        back = "no-op: statistics are no part of a contract."
    return Draft(
        key=f"{kind} {place} {u.tables[0].new}",
        folder="window",
        phase="window",
        subject=f"{subject}_{kind}_{place}",
        template=f"window_{kind}.sql",
        title=title,
        header=header,
        rollback_title=back,
        after=after,
        context={"u": u, "tables": group},
    )


def _table(u: UnitView, t: TableView, after: list[str], between: str) -> Draft:
    old, new = t.old.name, t.new.name
    return Draft(
        key=f"table {t.new}",
        folder="window",
        phase="window",
        subject=t.stem,
        template="window_table.sql",
        title=f"Turn {old} into {new} in one go.",
        header={
            "does": "converts every column in one ALTER TABLE; refuses rows that were written "
            f"since their spelling was kept. {between}",
            "locks": f"ACCESS EXCLUSIVE on {old} until it is done; gives up after 200 ms when it "
            "cannot have it",
            "cost": "reads the table once, rewrites it and its indexes once",
            "undo": "the same again in the other direction, byte for byte",
        },
        rollback_title=f"Turns {new} back into {old}, byte for byte.",
        after=after,
        context={"t": t, "references": u.references_of(t)},
    )
