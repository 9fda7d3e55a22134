"""A CHECK: the enum's own, and those over several columns in the words of the new contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from runner.catalog import Relation
from runner.errors import StandardError
from runner.generate.files import File
from runner.generate.kinds import not_null
from runner.generate.kinds.naming import follow
from runner.generate.locks import brief, locked
from runner.generate.model import CheckChange, ColumnChange, Obstacle, TableChange
from runner.generate.statement import (
    BRIEFLY,
    Statement,
    alter,
    comment_on_constraint,
    lock,
    setting,
)
from runner.generate.wording.predicates import Wording, check_condition
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, shorten, unused
from runner.standard.model import TableStandard

NEVER_VALIDATED = (
    "trueup: ignore not-valid-never-validated because the old CHECK was never validated either"
)


def change(
    relation: Relation, new: Name, changes: Sequence[ColumnChange], renamed: Mapping[str, str]
) -> Iterator[CheckChange]:
    """The CHECKs of a table that name a converted column and another one.

    A CHECK of one column alone gives way to the enum's, or to what uuid takes.

    Args:
        relation: the table.
        new: its new name.
        changes: its converted columns.
        renamed: its columns that only get another name.

    Raises:
        StandardError: it cannot be told what a CHECK would mean afterwards.
    """
    converted = {c.name: c for c in changes}
    taken = {k.name for k in relation.constraints}
    for constraint in relation.constraints:
        mentioned = [converted[c] for c in constraint.columns if c in converted]
        if constraint.kind != "c" or not mentioned or len(constraint.columns) == 1:
            continue
        what = f"the CHECK {constraint.name} of {relation.qualified}"
        if any(c.paths for c in mentioned) or not renamed.keys().isdisjoint(constraint.columns):
            raise StandardError(
                f"{what} names a column that gets another name, or a JSON document that is "
                f"converted: {constraint.definition}",
                hint="Drop it before, and make it again for the new contract afterwards.",
            )
        name = follow(constraint.name, relation.name, new.name)
        if name != constraint.name and name in taken:
            name = constraint.name
        enums = [c for c in mentioned if c.check]
        types = {c.name: c.type for c in relation.columns}
        wording = Wording(
            what,
            values={v for c in enums for v in c.values},
            mapping={old: target for c in enums for old, target in c.mapping.items()},
            native_types={types[c.name] for c in enums} - {"text", "character varying"},
            enum_columns={c.name for c in enums},
            text_columns={
                c
                for c in constraint.columns
                if c not in converted and types[c].startswith(("char", "text"))
            },
            uuid_columns={c.name for c in mentioned if c.new_type == "uuid"},
        )
        yield CheckChange(
            old_name=constraint.name,
            build_name=unused(name, "__new", taken) if name == constraint.name else name,
            name=name,
            condition=wording.converted(check_condition(constraint.definition)),
            columns=constraint.columns,
            validated=constraint.validated,
            comment=constraint.comment,
        )


def of_integers(table: TableStandard, relation: Relation) -> Iterable[tuple[str, str, str]]:
    """The CHECKs of integer columns that have none yet."""
    for column, values in table.integers.items():
        if not any(k.kind == "c" and k.columns == (column,) for k in relation.constraints):
            name = table.checks.get(column) or shorten(f"{table.name}_{column}", "_check")
            yield column, name, f"{quote_ident(column)} IN ({', '.join(map(str, values))})"


def obstacles(t: TableChange) -> Iterator[Obstacle]:
    """The constraints that have the name of a CHECK to come."""
    constraints = {k.name: k for k in t.relation.constraints}
    for column in t.columns:
        filled = not_null.filled(t, column)
        made = [column.check_name, filled if column.not_null else None]
        for name in (n for n in made if n is not None and n in constraints):
            goes = constraints[name].kind == "c" and not t.converted.keys().isdisjoint(
                constraints[name].columns
            )
            yield Obstacle(
                f"constraint {name} on {t.old}",
                f"has the name that a CHECK of {column.name} gets",
                "Rename it before, or name the CHECK in standard.toml.",
                online_only=goes or name == filled,
            )
    for column_name, name, _ in t.integer_checks:
        if name in constraints:
            yield Obstacle(
                f"constraint {name} on {t.old}",
                f"has the name that the CHECK of {column_name} gets",
                "Rename it before, or name the CHECK in standard.toml.",
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
