"""A CHECK: the enum's own, and those over several columns in the words of the new contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate.files import File
from runner.generate.kinds import not_null
from runner.generate.locks import brief, locked
from runner.generate.model import TableChange
from runner.generate.statement import (
    BRIEFLY,
    Statement,
    alter,
    comment_on_constraint,
    lock,
    setting,
)
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident

NEVER_VALIDATED = (
    "trueup: ignore not-valid-never-validated because the old CHECK was never validated either"
)


def own(t: TableChange) -> list[tuple[str, str]]:
    """The CHECKs that the standard asks for: of integer enums, then of the converted ones."""
    found = [(name, check) for _, name, check in t.integer_checks]
    return found + [check for c in t.columns for check in c.checks]


def are_proven(t: TableChange) -> bool:
    """Whether each row is held to all of them."""
    return all(k.validated for k in t.checks)


def comments(t: TableChange, table: Name, *, built: bool) -> list[Statement]:
    """The comments of the CHECKs over several columns, while they are built or afterwards."""
    return [
        comment_on_constraint(table, k.build_name if built else k.name, k.comment)
        for k in t.checks
        if k.comment is not None
    ]


def _added(t: TableChange) -> list[tuple[str, str]]:
    """The CHECKs of enforce: those that stay, then those that stand for NOT NULL."""
    carried = [(k.build_name, k.condition[1:-1]) for k in t.checks]
    return own(t) + carried + not_null.checks(t)


def enforce(t: TableChange, after: Sequence[File]) -> Iterator[File]:
    """The CHECKs, for new rows first and then for all."""
    added = _added(t)
    if added:
        file = _guard(t, added, after)
        yield file
        after = [file]
    unproven = {k.build_name for k in t.checks if not k.validated}
    if proven := [name for name, _ in added if name not in unproven]:
        yield _prove(t, proven, after)


def _guard(t: TableChange, added: Sequence[tuple[str, str]], after: Sequence[File]) -> File:
    new = t.new.name
    add = Statement(
        alter(t.new, (f"ADD CONSTRAINT {quote_ident(n)} CHECK ({c}) NOT VALID" for n, c in added)),
        undo=(Statement(alter(t.new, (f"DROP CONSTRAINT {quote_ident(n)}" for n, _ in added))),),
        locks=(locked(t, t.new),),
        note="" if are_proven(t) else NEVER_VALIDATED,
    )
    return File(
        unlike=f"enforce constraints {t.new}",
        folder="online",
        phase="enforce",
        subject=f"{t.stem}_constraints",
        title=f"Guard every new row of {new} by the CHECKs of the new contract.",
        does="adds the CHECKs as NOT VALID: new and changed rows are held to them",
        held=brief(t),
        cost="no scan",
        undo="instant",
        body=[[BRIEFLY], [add, *comments(t, t.new, built=True)]],
        back="Drops the CHECKs: instant.",
        after=after,
    )


def _prove(t: TableChange, names: Sequence[str], after: Sequence[File]) -> File:
    new = t.new.name
    prove = Statement(
        alter(t.new, (f"VALIDATE CONSTRAINT {quote_ident(name)}" for name in names)),
        locks=(lock(LockMode.SHARE_UPDATE_EXCLUSIVE, t.new),),
    )
    return File(
        unlike=f"enforce validate {t.new}",
        folder="online",
        phase="enforce",
        subject=f"{t.stem}_validate",
        title=f"Prove the CHECKs for every row of {new} that was there before.",
        does="validates the CHECKs in one scan",
        cost=f"reads {new} once",
        undo="nothing to undo: the CHECKs go with the file that made them",
        body=[[setting("lock_timeout", "5s")], [prove]],
        back="no-op: the CHECKs go with the file that made them.",
        after=after,
    )
