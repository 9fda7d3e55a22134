"""The online strategy: both contracts live while the table is converted in place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runner.catalog import Name
from runner.generate import rules
from runner.generate.locks import is_large, old_foreign_keys
from runner.generate.model import DependentChange, ForeignKeyChange
from runner.generate.online_partitions import (
    key_indexes,
    partitioned_foreign_key,
    partitioned_index,
)
from runner.generate.remake import Remake
from runner.generate.render import Draft
from runner.generate.steps import BRIEF, briefly, build_index, foreign_key, prove
from runner.generate.view import Reference, TableView, UnitView

_CONTRACT = "online/contract"


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
    labels = listed(d.label for d in u.dependents)
    return Draft(
        key=f"check dependents {u.tables[0].new}",
        folder=folder,
        phase=phase,
        subject=f"{u.tables[0].stem}_dependents_check",
        template="dependents_check.sql",
        title="Stop here when what stands on converted columns would not stand on the new ones.",
        header={
            "does": "makes views of the tables as both contracts show them, and on these, in the "
            f"words of each: {labels}; compares how many rows views show; drops it all again",
            "locks": f"ACCESS SHARE on {listed(t.old.name for t in u.beneath(u.dependents))}, as "
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
        if t.columns:
            yield check(t, "online", "expand")
    for u in units:
        if u.can_be_tried:
            yield dependents_check(u, "online", "expand")
    for u in units:
        checks = [f"check {t.new}" for t in u.tables if t.columns] or ["toolkit"]
        checks += [f"check dependents {u.tables[0].new}"] if u.can_be_tried else []
        for place, t in enumerate(u.tables):
            yield _expand(t, _one_by_one(u, checks, "expand", place))
    for u in units:
        expanded = [f"expand {t.new}" for t in u.tables]
        for place, t in enumerate(u.tables):
            if t.columns:
                after = expanded[-1:] if place and is_large(u) else expanded
                for table in t.with_rows:
                    yield _backfill(t, table, after)
    for t in tables:
        if t.columns:
            yield from _enforce(t)
    for u in units:
        yield from _foreign_keys(u)
    for u in units:
        yield from _contract(u)


def _one_by_one(u: UnitView, others: list[str], step: str, place: int) -> list[str]:
    """What a step of a table comes after: the same of all tables, or in a large unit a chain."""
    if place and is_large(u):
        return [f"{step} {u.tables[place - 1].new}"]
    return others


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
            "locks": "the rows of one batch for some ms; never waits for one for more than 200 ms",
            "cost": "writes each row once; the table grows until VACUUM",
            "undo": "nothing to undo: the columns go with expand",
        },
        rollback_title="Forgets the progress; the columns go with expand.",
        after=after,
        transactional=False,
        context={"t": t, "table": table},
    )


def _enforce(t: TableView) -> Iterator[Draft]:
    new = t.new.name
    previous = [f"backfill {table}" for table in t.with_rows] or [f"expand {t.new}"]

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


def _enforced(t: TableView) -> str:
    """The key of the last file of a table's enforce phase."""
    if any(c.not_null for c in t.columns):
        return f"enforce not_null {t.new}"
    if t.proven_checks:
        return f"enforce validate {t.new}"
    if t.checks:
        return f"enforce constraints {t.new}"
    if t.converted_indexes:
        return f"index {t.converted_indexes[-1].build_name} {t.new}"
    return f"enforce check {t.new}" if t.columns else f"expand {t.new}"


def _foreign_keys(u: UnitView) -> Iterator[Draft]:
    for k in u.foreign_keys:
        t = u.table(k.table)
        after = list(dict.fromkeys([_enforced(t), _enforced(u.table(k.references))]))
        if t.partitions.is_partitioned:
            yield from partitioned_foreign_key(t, k, after)
        else:
            yield from foreign_key(t, k, t.new, after, f"fkey {k.build_name} {t.new}", _added(k))


def _added(k: ForeignKeyChange) -> str:
    """The key of the last file that adds a foreign key: the one that proves it, if any does."""
    return f"{'validate' if k.validated else 'fkey'} {k.build_name} {k.table}"


def _old_fkeys(
    u: UnitView,
    key: str,
    keys: Sequence[ForeignKeyChange],
    references: Sequence[Reference],
    after: Sequence[str],
    place: int,
) -> Draft:
    names = " and ".join(dict.fromkeys(k.old_name for k in keys))
    tables = dict.fromkeys(n.name for k in keys for n in (k.table, k.references))
    header = {
        "does": "drops them; the foreign keys of the new columns stay",
        "locks": f"ACCESS EXCLUSIVE on {', '.join(tables)} {BRIEF}",
        "cost": "none",
        "undo": "adds and proves them again: reads the tables under the lock",
    }
    rollback_title = "Adds the foreign keys of the old columns again: reads the tables."
    if not keys:
        children = ", ".join(dict.fromkeys(child.old.name for child, *_ in references))
        header = {
            "does": "changes nothing; its rollback gives the references their old spelling",
            "locks": "none",
            "cost": "none",
            "undo": f"writes the rows of {children} whose references are spelled unusually",
        }
        rollback_title = f"Spells the references of {children} as the keys that they refer to."
    return Draft(
        key=key,
        folder=_CONTRACT,
        phase="contract",
        subject=f"{u.tables[0].stem}_old_fkeys" + (f"_{place}" if place else ""),
        template="contract_fkeys.sql",
        title=f"Drop the foreign keys of the old columns: {names}."
        if keys
        else "Before the old foreign keys come back, their columns must be spelled alike.",
        header=header,
        rollback_title=rollback_title,
        after=after,
        context={"u": u, "keys": keys, "references": references},
    )


def _contract(u: UnitView) -> Iterator[Draft]:
    enforced = [_enforced(t) for t in u.tables]
    enforced += [_added(k) for k in u.foreign_keys]
    closed, kept = [], []
    for position, t in enumerate(u.tables):
        # The first file of a large unit proves it for all of its tables.
        still_open = u.tables[position : position + 1 if position and is_large(u) else None]
        names = ", ".join(x.old.name for x in still_open)
        closed.append(f"close {t.new}")
        yield Draft(
            key=closed[-1],
            folder=_CONTRACT,
            phase="contract",
            subject=f"{t.stem}_close",
            template="contract_close.sql",
            title=f"Take the old name {t.old.name} away, once nobody uses it.",
            header={
                "does": "drops the compat view; refuses while the odometers do not prove that "
                f"{names} {'were' if len(still_open) > 1 else 'was'} unused for the waiting period "
                "(trueup.waiting_period, 24 hours)",
                "locks": f"ACCESS EXCLUSIVE on the view {t.old.name} {BRIEF}",
                "cost": "none",
                "undo": "instant",
            },
            rollback_title=f"Brings the old name {t.old.name} back: instant.",
            after=_one_by_one(u, enforced, "close", position),
            context={"t": t, "still_open": still_open},
        )
    for t in u.tables:
        if not t.keeps_spellings:
            continue
        kept.append(f"reversal {t.new}")
        yield Draft(
            key=kept[-1],
            folder=_CONTRACT,
            phase="contract",
            subject=f"{t.stem}_reversal",
            template="contract_reversal.sql",
            title=f"Keep the old spellings of {t.new.name} that the new contract cannot give back.",
            header={
                "does": f"copies them to {t.reversal}, so that a rollback restores them byte for "
                "byte",
                "locks": f"ACCESS SHARE on {t.new.name}, as any SELECT",
                "cost": f"reads {t.new.name} once, writes the rows that differ",
                "undo": "drops the copy",
            },
            rollback_title="Drops the copy, which has been put back by then.",
            after=kept[-2:-1] if kept[1:] and is_large(u) else closed,
            context={"t": t},
        )
    previous = kept or closed
    for d in u.stored:
        yield from _stored(u, d, previous)
    if u.dependents:
        after = [f"{'fill' if d.is_filled else 'build'} {d.name}" for d in u.stored] or previous
        yield _dependents(u, after)
        previous = [f"dependents {u.tables[0].new}"]
    for place, (keys, references) in enumerate(old_foreign_keys(u)):
        key = f"fkeys {u.tables[0].new}" + (f" {place}" if place else "")
        yield _old_fkeys(u, key, keys, references, previous, place)
        previous = [key]
    for t in reversed(u.tables):
        if not t.columns and t.old == t.new:
            continue
        for draft in key_indexes(t, _CONTRACT, previous):
            yield draft
            previous = [draft.key]
        key, r = f"finish {t.new}", Remake(t)
        yield Draft(
            key=key,
            folder=_CONTRACT,
            phase="contract",
            subject=t.stem,
            template="contract_finish.sql",
            title=f"Leave {t.new.name} with its new contract alone.",
            header={
                "does": "drops the trigger and the old columns, makes the unique index the primary "
                "key, gives indexes and constraints their names under the standard",
                "locks": f"ACCESS EXCLUSIVE on {_with_resting(t)}",
                "cost": "no rewrite, no scan",
                "undo": f"makes the old columns again {_place(r)}: one rewrite of the table "
                "under ACCESS EXCLUSIVE, and the foreign keys to it are proven again, so plan a "
                "window",
            },
            rollback_title=f"Makes the old side of {t.new.name} again: one rewrite under the lock.",
            after=previous,
            context={"t": t, "r": r, "u": u},
        )
        previous = [key]
        if t.partitions.is_partitioned:
            for k in t.resting_on_key:
                proof = f"validate {k.name} on the key of {t.new}"
                yield prove(
                    t, k, k.table, k.name, previous, key=proof, phase="contract", folder=_CONTRACT
                )
                previous = [proof]


def _with_resting(t: TableView) -> str:
    resting = [k.table.name for k in t.resting_on_key] if t.partitions.is_partitioned else []
    return ", ".join(dict.fromkeys([*resting, briefly(t, t.new.name)]))


def _place(r: Remake) -> str:
    if r.keeps_order:
        return "in their old order"
    return "behind the others, as a partition key's column cannot be made again"


def _stored(u: UnitView, d: DependentChange, after: Sequence[str]) -> Iterator[Draft]:
    name = d.name.name
    yield Draft(
        key=f"build {d.name}",
        folder=_CONTRACT,
        phase="contract",
        subject=f"{d.stem}_build",
        template="contract_build.sql",
        title=f"Make the materialized view {name} for the new contract, empty, beside the old one.",
        header={
            "does": f"makes {d.build_name} with its indexes; for a moment the tables have their "
            "old names again, in which its query is written",
            "locks": f"ACCESS EXCLUSIVE on {listed(t.new.name for t in u.beneath([d]))} {BRIEF}",
            "cost": "none",
            "undo": "drops it",
        },
        rollback_title="Drops the new materialized view, if it does not serve yet.",
        after=after,
        context={"u": u, "d": d},
    )
    if not d.is_filled:
        return
    yield Draft(
        key=f"fill {d.name}",
        folder=_CONTRACT,
        phase="contract",
        subject=f"{d.stem}_fill",
        template="contract_fill.sql",
        title=f"Fill the new {name}.",
        header={
            "does": "runs its query; the old one goes on serving",
            "locks": "ACCESS SHARE on what it reads, as any SELECT",
            "cost": "that of REFRESH MATERIALIZED VIEW",
            "undo": "nothing to undo: it goes with the file that made it",
        },
        rollback_title="no-op: it goes with the file that made it.",
        after=[f"build {d.name}"],
        context={"d": d},
    )


def _dependents(u: UnitView, after: Sequence[str]) -> Draft:
    labels = listed(d.label for d in u.dependents)
    return Draft(
        key=f"dependents {u.tables[0].new}",
        folder=_CONTRACT,
        phase="contract",
        subject=f"{u.tables[0].stem}_dependents",
        template="contract_dependents.sql",
        title="Let what stands on the old columns stand on the new ones.",
        header={
            "does": f"makes again, with the same owner, grants and comments: {labels}; who uses "
            "them sees the new contract from now on",
            "locks": "ACCESS EXCLUSIVE on them and on "
            f"{listed(t.new.name for t in u.beneath(u.dependents))} {BRIEF}",
            "cost": "none",
            "undo": "makes them on the old columns again"
            + ("; fills the materialized views under the lock" if u.stored else ""),
        },
        rollback_title="Lets it all stand on the old columns again.",
        after=after,
        context={"u": u},
    )


def listed(names: Iterable[str]) -> str:
    """Names as a header lists them."""
    return ", ".join(dict.fromkeys(names))
