"""NOT NULL: proven by a CHECK first, so that setting it scans nothing; and its constraint's name.

From PostgreSQL 18 on a NOT NULL is a constraint with a name, which follows its table's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runner.catalog import Constraint
from runner.generate.files import File
from runner.generate.kinds.naming import follow
from runner.generate.locks import brief, locked
from runner.generate.model import Obstacle, TableChange
from runner.generate.statement import BRIEFLY, Statement, alter, between
from runner.generate.unit import listed
from runner.quoting import Name, quote_ident, quote_literal, quote_name, shorten

# A column, the name of its NOT NULL, the comment on it.
Named = tuple[str, str, str | None]

_SPARES = "The validated CHECK spares the scan, so it must still be there."


def obstacles(t: TableChange, constraint: Constraint) -> Iterator[Obstacle]:
    """A NOT NULL that rows may break."""
    if constraint.kind == "n" and not constraint.validated:
        yield Obstacle(
            f"constraint {constraint.name} on {t.old}",
            "was never validated: a row that breaks it could not be written",
            f"Before: ALTER TABLE {quote_name(t.old)} VALIDATE CONSTRAINT"
            f" {quote_ident(constraint.name)};",
        )


def filled(table: str) -> str:
    """The name of the CHECK that stands for the NOT NULLs of a table's columns until they are set.

    One CHECK is enough: PostgreSQL looks for each column among the parts that AND joins.
    """
    return shorten(table, "_filled")


def are_filled(columns: Iterable[str]) -> str:
    """The condition of that CHECK."""
    return " AND ".join(f"{quote_ident(name)} IS NOT NULL" for name in columns)


def checks(t: TableChange) -> list[tuple[str, str]]:
    """The CHECK that stands for NOT NULL on the new columns; none if all may be null."""
    columns = [c.name for c in t.columns if c.not_null]
    return [(filled(t.new.name), are_filled(columns))] if columns else []


def enforce(
    t: TableChange, stem: str, others: Sequence[tuple[str, str]], after: Sequence[File]
) -> Iterator[File]:
    """NOT NULL on the new columns, if any has it; the end of what proved it.

    Args:
        t: the table as it is while its new columns are filled.
        stem: the new name of the table, which the names of its NOT NULLs follow.
        others: names and conditions of other CHECKs that have proven what they were for.
        after: the files that must have run.
    """
    columns = [c for c in t.columns if c.not_null]
    if not columns:
        return
    new, names = t.new.name, [quote_ident(c.name) for c in columns]
    proofs = [*checks(t), *others]
    dropped = [f"DROP CONSTRAINT {quote_ident(n)}" for n, _ in proofs]
    added = [f"ADD CONSTRAINT {quote_ident(n)} CHECK ({c}) NOT VALID" for n, c in proofs]
    yield File(
        unlike=f"enforce not_null {t.new}",
        phase="enforce",
        subject=f"{t.stem}_not_null",
        title=f"Set NOT NULL on the new columns of {new}.",
        does=f"sets NOT NULL, which the CHECK {filled(new)} proves; then drops it"
        + (
            f" and {listed(name for name, _ in others)}, as the trigger keeps both sides equal"
            if others
            else ""
        ),
        held=brief(t),
        cost="no scan, because the CHECK is dropped in a second statement",
        undo="instant",
        body=[
            [BRIEFLY],
            [
                Statement(
                    alter(t.new, (f"ALTER COLUMN {name} SET NOT NULL" for name in names)),
                    locks=(locked(t, t.new),),
                    note=_SPARES,
                )
            ],
            [Statement(alter(t.new, dropped))],
            _named(t.new, stem, [], [c.name for c in columns], "__new"),
        ],
        rollback=[
            [BRIEFLY],
            [
                Statement(
                    alter(t.new, [*(f"ALTER COLUMN {n} DROP NOT NULL" for n in names), *added])
                )
            ],
        ],
        back="Takes NOT NULL away: instant.",
        after=after,
    )


def old_side(t: TableChange) -> list[Statement]:
    """NOT NULL on the old columns again, which the validated CHECK proves; then this goes."""
    columns = [c for c in t.columns if c.not_null]
    if not columns:
        return []
    own = {column: (name, comment) for column, name, comment in _old(t)}
    # Of two sides that want one name, the other one's must go out of the way.
    own |= {c: (default_name(t.old.name, c), None) for c in crowded(t) if c not in own}
    named = [(c.old_name, *own[c.name]) for c in columns if c.name in own]
    names = _named(t.new, t.old.name, named, [c.old_name for c in columns], "__old")
    return [
        Statement(
            alter(t.new, (f"ALTER COLUMN {quote_ident(c.old_name)} SET NOT NULL" for c in columns)),
            note=_SPARES,
        ),
        Statement(alter(t.new, [f"DROP CONSTRAINT {quote_ident(filled(t.new.name))}"])),
        *names,
    ]


def not_null_columns(t: TableChange) -> list[str]:
    """The columns that are NOT NULL, by their old names."""
    return [c.name for c in t.relation.columns if c.not_null]


def crowded(t: TableChange) -> list[str]:
    """The converted NOT NULL columns of whose two sides each wants the constraint's one name.

    The table keeps its own, or PostgreSQL must cut the constraint's.
    """
    return [
        name
        for name in not_null_columns(t)
        if name in t.converted and (t.keeps_name or len(f"{t.old.name}{name}".encode()) > 53)
    ]


def old_names(t: TableChange, table: Name, columns: Iterable[str]) -> list[Statement]:
    """The names that they had under the old contract."""
    return _named(table, t.old.name, _old(t), columns)


def new_names(t: TableChange, table: Name, columns: Iterable[str]) -> list[Statement]:
    """The names that they get under the new contract; the columns by their old names."""
    kept = _old(t)
    own = {column for column, _, _ in kept}
    # PostgreSQL keeps the name when it renames a column, so those have one of their own.
    kept += [
        (c, default_name(t.old.name, c), None)
        for c in not_null_columns(t)
        if c in t.renamed and c not in own
    ]
    named = [(t.renamed.get(c, c), follow(n, t.old.name, t.new.name), note) for c, n, note in kept]
    return _named(table, t.new.name, named, [t.renamed.get(c, c) for c in columns])


def _old(t: TableChange) -> list[Named]:
    """The NOT NULL constraints with a name or a comment of their own."""
    return [
        (k.columns[0], k.name, k.comment)
        for k in t.relation.constraints
        if k.kind == "n"
        and (k.comment is not None or k.name != default_name(t.old.name, k.columns[0]))
    ]


def _named(
    table: Name, stem: str, named: Sequence[Named], columns: Iterable[str], ending: str = ""
) -> list[Statement]:
    wanted, on = list(columns), quote_literal(quote_name(table))
    found = [
        Statement(
            f"CALL trueup.name_not_null({on}, {quote_literal(column)}, {quote_literal(own)}, "
            f"{quote_literal(comment) if comment is not None else 'NULL'});"
        )
        for column, own, comment in named
        if column in wanted
    ]
    own = {column for column, _, _ in named}
    without = f", ending => {quote_literal(ending)}" if ending else ""
    if others := [c for c in wanted if c not in own]:
        call = f"CALL trueup.rename_not_nulls({on}, {quote_literal(stem)}, ARRAY["
        found.append(Statement(between(call, map(quote_literal, others), f"]::name[]{without});")))
    return found


def default_name(table: str, column: str) -> str:
    """The name that PostgreSQL gives a NOT NULL constraint, without looking at other ones."""
    table_part, column_part = table, column
    while len(table_part.encode()) + len(column_part.encode()) > 53:
        if len(table_part.encode()) > len(column_part.encode()):
            table_part = table_part[:-1]
        else:
            column_part = column_part[:-1]
    return f"{table_part}_{column_part}_not_null"
