"""The wait for transactions older than the backfill, where no index is built that waits for them.

Such a transaction sees the rows as they were, without the values of the columns that came later. A
unit that converts no index builds one that nobody needs, on a small table of ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.files import File
from runner.generate.model import TableChange
from runner.generate.statement import Statement, lock
from runner.generate.unit import Unit
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_name, shorten

_TABLE = Name("trueup", "progress")
_COST = "waits for transactions that are older"


def is_needed(u: Unit) -> bool:
    """Whether a unit has rows that are filled, and no index that is built after them."""
    return any(t.columns for t in u.tables) and not any(t.converted_indexes for t in u.tables)


def enforce(u: Unit, after: Sequence[File]) -> File:
    """The wait before the new contract is used."""
    t = u.tables[0]
    built, gone = _built(t), _gone(t)
    return File(
        unlike=f"settled {t.new}",
        phase="enforce",
        subject=f"{t.own_stem}_settled",
        title=f"Wait for transactions that began before {_names(u)} had the new values.",
        does="builds an index that nobody needs, which waits for them: they would find NULLs",
        cost=_cost(t),
        undo="drops the index",
        body=[[Statement(built.sql, undo=(gone,), locks=built.locks, alone=True)]],
        back="Drops the index that was built to wait for transactions.",
        after=after,
    )


def contract(u: Unit, after: Sequence[File]) -> File:
    """The end of that index; on the way back, the wait before the old contract is used."""
    t = u.tables[0]
    return File(
        unlike=f"not settled {t.new}",
        phase="contract",
        subject=f"{t.own_stem}_settled",
        title=f"Drop the index that was built to wait until {_names(u)} had the new values.",
        does="drops it",
        cost=_COST,
        undo="builds it again, which waits for transactions older than the old values",
        body=[[_gone(t)]],
        rollback=[[_built(t)]],
        back=f"Waits for transactions that began before {_names(u)} had the old values.",
        back_cost=_cost(t),
        after=after,
    )


def _names(u: Unit) -> str:
    return ", ".join(t.new.name for t in u.tables if t.columns)


def _index(t: TableChange) -> Name:
    return Name("trueup", shorten(t.own_stem, "_settled"))


def _cost(t: TableChange) -> str:
    return (
        f"{_COST}; if it fails it leaves an invalid index: DROP INDEX CONCURRENTLY"
        f" {quote_name(_index(t))}, then run it again"
    )


def _built(t: TableChange) -> Statement:
    return Statement(
        f"CREATE INDEX CONCURRENTLY {quote_ident(_index(t).name)} ON {quote_name(_TABLE)}"
        " USING btree (table_name);",
        locks=(lock(LockMode.SHARE_UPDATE_EXCLUSIVE, _TABLE),),
        alone=True,
    )


def _gone(t: TableChange) -> Statement:
    return Statement(
        f"DROP INDEX CONCURRENTLY IF EXISTS {quote_name(_index(t))};",
        locks=(lock(LockMode.SHARE_UPDATE_EXCLUSIVE, _TABLE),),
        alone=True,
    )
