"""A CHECK: the enum's own, and those over several columns in the words of the new contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate.files import File
from runner.generate.kinds import table as tables
from runner.generate.statement import lock
from runner.generate.templates import template
from runner.generate.view import TableView
from runner.postgres.locks import LockMode


def enforce(t: TableView, after: Sequence[File]) -> Iterator[File]:
    """The CHECKs, for new rows first and then for all."""
    new = t.new.name
    if t.checks:
        file = File(
            unlike=f"enforce constraints {t.new}",
            folder="online",
            phase="enforce",
            subject=f"{t.stem}_constraints",
            title=f"Guard every new row of {new} by the CHECKs of the new contract.",
            does="adds the CHECKs as NOT VALID: new and changed rows are held to them",
            held=tables.held(t),
            cost="no scan",
            undo="instant",
            body=template("enforce_constraints.sql", [tables.exclusive(t, t.new)], t=t),
            rollback=template("enforce_constraints.rollback.sql", t=t),
            back="Drops the CHECKs: instant.",
            after=after,
        )
        yield file
        after = [file]
    if t.proven_checks:
        yield File(
            unlike=f"enforce validate {t.new}",
            folder="online",
            phase="enforce",
            subject=f"{t.stem}_validate",
            title=f"Prove the CHECKs for every row of {new} that was there before.",
            does="validates the CHECKs in one scan",
            cost=f"reads {new} once",
            undo="nothing to undo: the CHECKs go with the file that made them",
            body=template(
                "enforce_validate.sql", [lock(LockMode.SHARE_UPDATE_EXCLUSIVE, t.new)], t=t
            ),
            back="no-op: the CHECKs go with the file that made them.",
            after=after,
        )
