"""The contract phase of the online strategy: the old contract goes, once nobody uses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate.locks import is_large, old_foreign_keys
from runner.generate.model import DependentChange, ForeignKeyChange
from runner.generate.online_partitions import key_indexes
from runner.generate.remake import Remake
from runner.generate.render import Draft
from runner.generate.steps import (
    BRIEF,
    briefly,
    last_of_enforce,
    last_of_key,
    listed,
    one_by_one,
    prove,
)
from runner.generate.unit import Reference, UnitView
from runner.generate.view import TableView

_CONTRACT = "online/contract"


def drafts(u: UnitView) -> Iterator[Draft]:
    """The files that leave a unit with its new contract alone, in their order."""
    enforced = [last_of_enforce(t) for t in u.tables]
    enforced += [last_of_key(k) for k in u.foreign_keys]
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
            after=one_by_one(u, enforced, "close", position),
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
        key, r = f"finish {t.new}", Remake(t, u)
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
            for k in (k for k in t.resting_on_key if k.validated):
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
