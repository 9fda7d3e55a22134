"""The online strategy: both contracts live while the table is converted in place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate import contract, rules
from runner.generate.locks import is_large
from runner.generate.online_partitions import partitioned_foreign_key, partitioned_index
from runner.generate.render import Draft
from runner.generate.steps import (
    briefly,
    build_index,
    foreign_key,
    last_of_enforce,
    last_of_key,
    listed,
    one_by_one,
)
from runner.generate.unit import UnitView
from runner.generate.view import TableView
from runner.quoting import Name


def toolkit(folder: str, phase: str) -> Draft:
    """The schema `trueup` with the functions that the other files call."""
    return Draft(
        key="toolkit",
        folder=folder,
        phase=phase,
        subject="toolkit",
        template="toolkit.sql",
        title="Make the schema trueup and the functions that the other files call.",
        header={
            "does": "creates what the migration needs beside the service; touches no table of it",
            "locks": "only what it creates",
            "cost": "none",
            "undo": "drops it all, unless another unit of tables still needs it",
        },
        rollback_title="Drops the functions, and the schema when nothing else lives in it.",
    )


def check(table: TableView, folder: str, phase: str) -> Draft:
    """The refusal of data that cannot be converted, before anything changes."""
    old, is_online = table.old.name, folder == "online"
    return Draft(
        key=f"check {table.new}",
        folder=folder,
        phase=phase,
        subject=f"{table.stem}_check",
        template="online_check.sql",
        title=f"Stop here when {old} holds a row that cannot be converted.",
        header={
            "does": f"reads {old} and names the column, the values, how many rows, and the query "
            "that shows them; changes nothing"
            + ("; refuses triggers that the backfill cannot silence" if is_online else ""),
            "locks": f"ACCESS SHARE on {old}, as any SELECT",
            "cost": f"reads {old} once; once more when something is wrong, to say which rows",
            "undo": "nothing to undo",
        },
        rollback_title="no-op: the file changed nothing.",
        after=["toolkit"],
        context={"t": table, "is_online": is_online, "rules": rules.before(table)},
    )


def dependents_check(u: UnitView, folder: str, phase: str) -> Draft:
    """The refusal of what could not be made on the new columns, before anything changes."""
    labels = listed(d.label for d in u.trial)
    untried = listed(d.label for d in u.dependents if d.is_untried)
    return Draft(
        key=f"check dependents {u.tables[0].new}",
        folder=folder,
        phase=phase,
        subject=f"{u.tables[0].stem}_dependents_check",
        template="dependents_check.sql",
        title="Stop here when what stands on converted columns would not stand on the new ones.",
        header={
            "does": "makes views of the tables as both contracts show them, and on these, in the "
            f"words of each: {labels}; compares how many rows views show; drops it all again"
            + (f"; cannot try what groups by a table's key: {untried}" if untried else ""),
            "locks": f"ACCESS SHARE on {listed(t.old.name for t in u.beneath(u.trial))}, as "
            "any SELECT",
            "cost": "runs the query of each view twice",
            "undo": "nothing to undo",
        },
        rollback_title="no-op: the file changed nothing.",
        after=["toolkit"],
        context={"u": u},
    )


def drafts(units: Sequence[UnitView]) -> Iterator[Draft]:
    """The files of the online strategy, in their order."""
    if not units:
        return
    yield toolkit("online", "expand")
    tables = [t for u in units for t in u.tables]
    for t in tables:
        if t.is_checked:
            yield check(t, "online", "expand")
    for u in units:
        if u.can_be_tried:
            yield dependents_check(u, "online", "expand")
    for u in units:
        checks = [f"check {t.new}" for t in u.tables if t.is_checked] or ["toolkit"]
        checks += [f"check dependents {u.tables[0].new}"] if u.can_be_tried else []
        for place, t in enumerate(u.tables):
            yield _expand(t, one_by_one(u, checks, "expand", place))
    for u in units:
        expanded = [f"expand {t.new}" for t in u.tables]
        for place, t in enumerate(u.tables):
            if t.columns:
                after = expanded[-1:] if place and is_large(u) else expanded
                for table in t.with_rows:
                    yield _backfill(t, table, after)
    for t in tables:
        if t.is_checked:
            yield from _enforce(t)
    for u in units:
        yield from _foreign_keys(u)
    for u in units:
        yield from contract.drafts(u)


def _expand(t: TableView, after: Sequence[str]) -> Draft:
    old, new = t.old.name, t.new.name
    columns = ", ".join(f"{c.name} {c.new_type}" for c in t.columns)
    adds = f"adds {columns}; " if columns else ""
    return Draft(
        key=f"expand {t.new}",
        folder="online",
        phase="expand",
        subject=t.stem,
        template="online_expand.sql",
        title=f"Give {old} its new contract beside the old one.",
        header={
            "does": f"renames {old} to {new}; {adds}keeps the old name alive as a view with the "
            "same owner and grants"
            + ("; a trigger keeps both sides of each row equal" if columns else ""),
            "locks": f"ACCESS EXCLUSIVE on {briefly(t, old)}",
            "cost": "no rewrite, no scan",
            "undo": "instant, loses nothing",
        },
        rollback_title=f"Takes the new contract of {old} away again: instant, loses nothing.",
        after=after,
        context={"t": t},
    )


def _backfill(t: TableView, table: Name, after: Sequence[str]) -> Draft:
    return Draft(
        key=f"backfill {table}",
        folder="online",
        phase="backfill",
        subject=t.prefix + table.name,
        template="online_backfill.sql",
        title=f"Fill the new columns of {table.name} for the rows that were there before.",
        header={
            "does": "converts all columns of a row in one UPDATE, in batches of pages, and commits "
            "each; fires no trigger of the service; can be stopped and run again at any point",
            "locks": "the rows of one batch for some ms, never waits for one for more than 200 ms; "
            "at the end SHARE UPDATE EXCLUSIVE, for which it waits 5 s at most: reads and writes "
            "go on",
            "cost": "writes each row once, and samples the table; the table grows until VACUUM",
            "undo": "nothing to undo: the columns go with expand",
        },
        rollback_title="Forgets the progress; the columns go with expand.",
        after=after,
        transactional=False,
        context={"t": t, "table": table},
    )


def _enforce(t: TableView) -> Iterator[Draft]:
    new = t.new.name
    filled = t.with_rows if t.columns else []
    previous = [f"backfill {table}" for table in filled] or [f"expand {t.new}"]

    def step(subject: str, template: str, title: str, **parts: str) -> Draft:
        nonlocal previous
        rollback = parts.pop("rollback")
        draft = Draft(
            key=f"enforce {subject} {t.new}",
            folder="online",
            phase="enforce",
            subject=f"{t.stem}_{subject}",
            template=template,
            title=title,
            header=parts,
            rollback_title=rollback,
            after=previous,
            context={"t": t, "rules": rules.after(t)},
        )
        previous = [draft.key]
        return draft

    yield step(
        "check",
        "enforce_check.sql",
        f"Stop here when a row of {new} is not as the new contract wants it.",
        does="reads the table and names the column, the values, how many rows, and the query that "
        "shows them; changes nothing",
        locks=f"ACCESS SHARE on {new}, as any SELECT",
        cost=f"reads {new} once; once more when something is wrong, to say which rows",
        undo="nothing to undo",
        rollback="no-op: the file changed nothing.",
    )
    for i in t.converted_indexes:
        key = f"index {i.build_name} {t.new}"
        if t.partitions.is_partitioned:
            yield from partitioned_index(t, i, previous)
        else:
            yield build_index(t, t.new, i, i.build_name, previous, key=key)
        previous = [key]
    if t.checks:
        yield step(
            "constraints",
            "enforce_constraints.sql",
            f"Guard every new row of {new} by the CHECKs of the new contract.",
            does="adds the CHECKs as NOT VALID: new and changed rows are held to them",
            locks=f"ACCESS EXCLUSIVE on {briefly(t, new)}",
            cost="no scan",
            undo="instant",
            rollback="Drops the CHECKs: instant.",
        )
    if t.proven_checks:
        yield step(
            "validate",
            "enforce_validate.sql",
            f"Prove the CHECKs for every row of {new} that was there before.",
            does="validates the CHECKs in one scan",
            locks=f"SHARE UPDATE EXCLUSIVE on {new}: reads and writes go on",
            cost=f"reads {new} once",
            undo="nothing to undo: the CHECKs go with the file that made them",
            rollback="no-op: the CHECKs go with the file that made them.",
        )
    if any(c.not_null for c in t.columns):
        yield step(
            "not_null",
            "enforce_not_null.sql",
            f"Set NOT NULL on the new columns of {new}.",
            does="sets NOT NULL, which the validated CHECKs prove, then drops these CHECKs",
            locks=f"ACCESS EXCLUSIVE on {briefly(t, new)}",
            cost="no scan, because the CHECKs are dropped in a second statement",
            undo="instant",
            rollback="Takes NOT NULL away: instant.",
        )


def _foreign_keys(u: UnitView) -> Iterator[Draft]:
    for k in u.foreign_keys:
        t = u.table(k.table)
        after = list(dict.fromkeys([last_of_enforce(t), last_of_enforce(u.table(k.references))]))
        if t.partitions.is_partitioned:
            yield from partitioned_foreign_key(t, k, after)
        else:
            yield from foreign_key(
                t, k, t.new, after, f"fkey {k.build_name} {t.new}", last_of_key(k)
            )
