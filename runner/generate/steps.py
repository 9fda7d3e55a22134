"""The steps of the online strategy that a table and a single partition share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runner.generate.locks import is_large
from runner.generate.model import ForeignKeyChange, IndexChange
from runner.generate.render import Draft
from runner.generate.unit import UnitView
from runner.generate.view import TableView
from runner.quoting import Name

BRIEF = "for a few ms; gives up after 200 ms and can be run again"


def briefly(t: TableView, name: str) -> str:
    """What a short lock on a table under one of its names holds, and for how long."""
    brief = BRIEF.replace("ms;", "ms a partition;", 1) if t.partitions.is_partitioned else BRIEF
    return f"{t.whole(name)} {brief}"


def build_index(
    t: TableView,
    table: Name,
    i: IndexChange,
    name: str,
    after: Sequence[str],
    *,
    key: str,
    phase: str = "enforce",
    folder: str = "online",
) -> Draft:
    """The build of an index while reads and writes go on."""
    return Draft(
        key=key,
        folder=folder,
        phase=phase,
        subject=t.prefix + name,
        template="enforce_index.sql",
        title=f"Build the index {name} on the new columns of {table.name}.",
        header={
            "does": f"builds what {i.old_name} is for the old columns",
            "locks": f"SHARE UPDATE EXCLUSIVE on {table.name}: reads and writes go on",
            "cost": f"reads {table.name} twice and waits for transactions that are older; if it "
            f"fails it leaves an invalid index: DROP INDEX {name}, then run it again",
            "undo": "drops the index; reads and writes go on",
        },
        rollback_title="Drops the index; reads and writes go on.",
        after=after,
        transactional=False,
        context={"table": table, "i": i, "name": name},
    )


def foreign_key(
    t: TableView, k: ForeignKeyChange, table: Name, after: Sequence[str], add: str, proof: str
) -> Iterator[Draft]:
    """The two files that add a foreign key to a table, or to one partition of it."""
    name = k.build_name
    yield Draft(
        key=add,
        folder="online",
        phase="enforce",
        subject=t.prefix + (name if table == k.table else f"{table.name}_{name}"),
        template="enforce_fkey.sql",
        title=f"Let the new columns of {table.name} reference {k.references.name}.",
        header={
            "does": f"adds what {k.old_name} is for the old columns, as NOT VALID",
            "locks": f"SHARE ROW EXCLUSIVE on {table.name} and {k.references.name} {BRIEF}",
            "cost": "no scan",
            "undo": "instant",
        },
        rollback_title="Drops the foreign key: instant.",
        after=after,
        context={"t": t, "k": k, "table": table},
    )
    if k.validated:
        yield prove(t, k, table, name, [add], key=proof)


def prove(
    t: TableView,
    k: ForeignKeyChange,
    table: Name,
    name: str,
    after: Sequence[str],
    *,
    key: str,
    phase: str = "enforce",
    folder: str = "online",
) -> Draft:
    """The proof of a foreign key for the rows that were there before it."""
    return Draft(
        key=key,
        folder=folder,
        phase=phase,
        subject=f"{t.prefix}{name if table == k.table else f'{table.name}_{name}'}_validate",
        template="enforce_fkey_validate.sql",
        title=f"Prove {name} for every row that was there before.",
        header={
            "does": "validates the foreign key",
            "locks": f"SHARE UPDATE EXCLUSIVE on {table.name}, ROW SHARE on "
            f"{k.references.name}: reads and writes go on",
            "cost": f"reads {table.name} once",
            "undo": "nothing to undo: the foreign key goes with the file that made it",
        },
        rollback_title="no-op: the foreign key goes with the file that made it.",
        after=after,
        context={"k": k, "table": table, "name": name},
    )


def listed(names: Iterable[str]) -> str:
    """Names as a header lists them."""
    return ", ".join(dict.fromkeys(names))


def one_by_one(u: UnitView, others: list[str], step: str, place: int) -> list[str]:
    """What a step of a table comes after: the same of all tables, or in a large unit a chain."""
    if place and is_large(u):
        return [f"{step} {u.tables[place - 1].new}"]
    return others


def last_of_enforce(t: TableView) -> str:
    """The key of the last file of a table's enforce phase."""
    if any(c.not_null for c in t.columns):
        return f"enforce not_null {t.new}"
    if t.proven_checks:
        return f"enforce validate {t.new}"
    if t.checks:
        return f"enforce constraints {t.new}"
    if t.converted_indexes:
        return f"index {t.converted_indexes[-1].build_name} {t.new}"
    return f"enforce check {t.new}" if t.is_checked else f"expand {t.new}"


def last_of_key(k: ForeignKeyChange) -> str:
    """The key of the last file that adds a foreign key: the one that proves it, if any does."""
    return f"{'validate' if k.validated else 'fkey'} {k.build_name} {k.table}"
