"""A column: converted beside the old one or in place, or only renamed."""

from __future__ import annotations

from collections.abc import Iterator

from runner.generate.model import ColumnChange, TableChange
from runner.generate.statement import Paragraph, Statement, alter, plain
from runner.quoting import Name, quote_ident, quote_literal, quote_name, shorten


def rename(t: TableChange, *, back: bool = False) -> list[Statement]:
    """The columns of the table under its new name that only get another one."""
    pairs = [(new, old) if back else (old, new) for old, new in t.renamed.items()]
    return plain(*(_rename(t.new, old, new) for old, new in pairs))


def _rename(table: Name, old: str, new: str) -> str:
    return (
        f"ALTER TABLE {quote_name(table)} RENAME COLUMN {quote_ident(old)} TO {quote_ident(new)};"
    )


def swap(table: Name, renames: list[tuple[str, str]]) -> list[Statement]:
    """Several columns of a table get another name, one after the other."""
    return plain(*(_rename(table, old, new) for old, new in renames))


def _default(table: Name, column: str, default: str | None) -> str:
    to = "DROP DEFAULT" if default is None else f"SET DEFAULT {default}"
    return f"ALTER TABLE {quote_name(table)} ALTER COLUMN {quote_ident(column)} {to};"


def expand(t: TableChange) -> list[Paragraph]:
    """The new columns beside the old ones, which make room for their names."""
    added = []
    for c in t.columns:
        added += [f"ADD COLUMN {quote_ident(c.kept)} varchar"] if c.kept else []
        added.append(f"ADD COLUMN {quote_ident(c.name)} {c.new_type}")
    return [
        swap(t.new, [(c.name, c.old_name) for c in t.columns]),
        [
            Statement(
                _default(t.new, c.old_name, None),
                note="A value on the old side is to say that the old contract wrote the row.",
            )
            for c in t.columns
            if c.old_default is not None
        ],
        [
            Statement(alter(t.new, added)),
            *plain(
                *(
                    _default(t.new, c.name, c.new_default)
                    for c in t.columns
                    if c.new_default is not None
                )
            ),
        ],
        copy_settings(t, "__old"),
    ]


def expand_back(t: TableChange) -> list[Paragraph]:
    """The end of the new columns; the old ones have their names and defaults again."""
    dropped = []
    for c in t.columns:
        dropped += [f"DROP COLUMN {quote_ident(c.kept)}"] if c.kept else []
        dropped.append(f"DROP COLUMN {quote_ident(c.name)}")
    defaults = [
        _default(t.new, c.name, c.old_default) for c in t.columns if c.old_default is not None
    ]
    return [
        plain(alter(t.new, dropped)),
        [*swap(t.new, [(c.old_name, c.name) for c in t.columns]), *plain(*defaults)],
    ]


def copy_settings(t: TableChange, suffix: str) -> list[Statement]:
    """What each column has beside its type, from its namesake with a suffix."""
    table = quote_literal(quote_name(t.new))
    names = ((shorten(c.name, suffix), c.name) for c in t.relation.columns)
    return plain(
        f"CALL trueup.copy_columns({table}, {quote_literal(suffix)});",
        *(
            f"CALL trueup.copy_column({table}, {quote_literal(cut)}, {table},"
            f" {quote_literal(name)});"
            for cut, name in names
            if cut != name + suffix
        ),
    )


def drop_old(t: TableChange) -> Statement:
    """The end of the old columns."""
    return Statement(alter(t.new, (f"DROP COLUMN {quote_ident(c.old_name)}" for c in t.columns)))


def window(t: TableChange) -> Iterator[str]:
    """The clauses of the one rewrite from old to new."""
    for c in t.columns:
        yield from _in_place(c, to_new=True)
    for c in t.keeping:
        kept, name = quote_ident(c.kept or ""), quote_ident(c.name)
        yield f"ALTER COLUMN {kept} TYPE varchar USING {name}::text"


def window_back(t: TableChange) -> Iterator[str]:
    """The clauses of the one rewrite from new to old."""
    for c in t.columns:
        yield from _in_place(c, to_new=False)


def _in_place(column: ColumnChange, *, to_new: bool) -> list[str]:
    name = quote_ident(column.name)
    type_name = column.new_type if to_new else column.old_definition
    kept = quote_ident(column.kept) if column.kept else None
    value = column.new_from(name) if to_new else column.old_from(name, kept)
    default = column.new_default if to_new else column.old_default
    clauses = [f"ALTER COLUMN {name} TYPE {type_name} USING {value}"]
    if type_name != "uuid":
        clauses += [f"ALTER COLUMN {name} {storage}" for storage in column.storage]
    if column.new_default is not None or column.old_default is not None:
        clauses.insert(0, f"ALTER COLUMN {name} DROP DEFAULT")
    if default is not None:
        clauses.append(f"ALTER COLUMN {name} SET DEFAULT {default}")
    return clauses
