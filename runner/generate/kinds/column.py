"""A column: converted beside the old one or in place, or only renamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from runner.catalog import Catalog, Column, Relation
from runner.errors import StandardError
from runner.generate.column_change import ColumnChange
from runner.generate.kinds import enum, json_path, settings, uuid
from runner.generate.model import Obstacle, TableChange
from runner.generate.statement import Paragraph, Statement, alter, plain
from runner.quoting import Name, quote_ident, quote_name, shorten
from runner.standard.checks import listed_values
from runner.standard.evidence import is_text
from runner.standard.model import TableStandard

_TEXTS = ("text", "character varying", "character", "bpchar", "citext")
_INTEGERS = ("smallint", "integer", "bigint")


def require_fitting_types(table: TableStandard, relation: Relation, catalog: Catalog) -> None:
    """Refuse columns that the standard wants something of which their type cannot give.

    Args:
        table: its paragraph of the standard.
        relation: the table; it has every column that the standard names.
        catalog: the database.

    Raises:
        StandardError: the first of them.
    """
    for column, problem, hint in _misfits(table, relation, catalog):
        raise StandardError(f"{relation.qualified}.{column.name} is {problem}", hint=hint)


def _misfits(
    table: TableStandard, relation: Relation, catalog: Catalog
) -> Iterator[tuple[Column, str, str]]:
    columns = {column.name: column for column in relation.columns}
    for column in (columns[name] for name in table.uuids):
        if column.type != "uuid" and (column.is_array or not _is_text(column, catalog)):
            hint = "Only a column of one text can: take it out of uuids."
            yield column, f"{column.type}, which cannot become uuid", hint
    for column in (columns[name] for name in table.enums):
        if not _is_text(column, catalog) and not _is_enum(column, catalog):
            hint = "Numbers that have a meaning get a CHECK by integers, and keep their type."
            yield column, f"{column.type}, which holds no words of an enum", hint
    for column in (columns[name] for name in table.integers):
        if column.is_array or not _is(column, catalog, _INTEGERS):
            hint = "Name a column of texts under enums, or take it out."
            yield column, f"{column.type}, and integers are wanted", hint


def _is_text(column: Column, catalog: Catalog) -> bool:
    return is_text(column) or _is(column, catalog, _TEXTS)


def _is_enum(column: Column, catalog: Catalog) -> bool:
    native = catalog.types.get(column.type_name) if column.type_name else None
    return native is not None and native.definition is None


def _is(column: Column, catalog: Catalog, kinds: tuple[str, ...]) -> bool:
    """Whether a column is of one of these types, or of a domain over one, however deep."""
    shown = catalog.beneath_domains(column)
    return any(shown == kind or shown.startswith((f"{kind} ", f"{kind}(")) for kind in kinds)


def change(table: TableStandard, relation: Relation, catalog: Catalog) -> tuple[ColumnChange, ...]:
    """The columns of a table that are converted, in its order.

    Raises:
        StandardError: one of them cannot be.
    """
    changes = []
    for column in relation.columns:
        if column.name in table.json:
            paths = table.json[column.name]
            changes.append(json_path.change(column, relation.qualified, table.name, paths))
        elif column.name in table.uuids and column.type != "uuid":
            changes.append(uuid.change(column, relation))
        elif column.name in table.enums:
            check = table.checks.get(column.name) or shorten(
                f"{table.name}_{column.name}", "_check"
            )
            native = catalog.types.get(column.type_name) if column.type_name else None
            labels = native.labels if native else ()
            try:
                converted = enum.change(column, table.enums[column.name], check, labels)
            except StandardError as error:
                if not error.message.startswith(f"{column.name} "):
                    raise
                said = f"{relation.qualified}.{error.message}"
                raise StandardError(said, hint=error.hint) from None
            lists = (
                listed_values(k.definition, column.name)
                for k in relation.constraints
                if k.kind == "c" and k.validated and k.columns == (column.name,)
            )
            converted = replace(converted, listed=labels or next(filter(None, lists), ()))
            kept = table.keep_original.get(column.name)
            if kept is not None and relation.column(kept) is not None:
                raise StandardError(
                    f"{relation.qualified} has a column {kept} already, which is to keep the old "
                    f"values of {column.name}"
                )
            changes.append(replace(converted, kept=kept))
    folding = {
        c.name
        for c in relation.columns
        if not c.deterministic or _is(c, catalog, ("citext",)) or c.type.endswith("citext")
    }
    given = {c.name: c.type_default for c in relation.columns}
    return tuple(
        replace(c, folds=c.name in folding and not c.paths, type_default=given.get(c.name))
        for c in changes
    )


def obstacles(t: TableChange) -> Iterator[Obstacle]:
    """What keeps a column from having two sides: its type, its default, or another one's name."""
    made = (c for c in t.columns if c.old_default or c.new_default or c.type_default)
    if t.anchor is None and (found := next(made, None)):
        yield Obstacle(
            f"{t.old}.{found.name}",
            "has a default, and each converted column of the table may be null: a row that the "
            "other contract writes with nothing but NULL in them would get the default",
            "Before: SET NOT NULL on one of them, or DROP DEFAULT and let the service write the "
            "value; or convert the table by the window strategy.",
            online_only=True,
        )
    for column in t.relation.columns:
        if column.name in t.converted and any("VALUE IS NOT NULL" in r for _, r in column.rules):
            yield Obstacle(
                f"{t.old}.{column.name}",
                f"is of the domain {column.type}, which takes no null, and the new contract "
                "leaves the old column empty for a moment",
                f"Before: SET NOT NULL on the column, and ALTER DOMAIN {column.type} DROP NOT "
                "NULL; or convert the table by the window strategy.",
                online_only=True,
            )
    columns = {c.name for c in t.relation.columns}
    sides = [(c.old_name, f"the old side of {c.name}") for c in t.columns]
    sides += [(shorten(c.name, "__new"), f"the new side of {c.name}") for c in t.columns]
    for name, what in sides:
        if name in columns:
            yield Obstacle(
                f"{t.old}.{name}",
                f"has the name that {what} gets",
                "Rename it before, or convert the table by the window strategy.",
                online_only=True,
            )


def rename(t: TableChange) -> list[Statement]:
    """The columns of the table under its new name that only get another one."""
    return [_rename(t.new, old, new) for old, new in t.renamed.items()]


def _rename(table: Name, old: str, new: str) -> Statement:
    there, back = (
        f"ALTER TABLE {quote_name(table)} RENAME COLUMN {quote_ident(a)} TO {quote_ident(b)};"
        for a, b in ((old, new), (new, old))
    )
    return Statement(there, undo=(Statement(back),))


def _default(table: Name, column: str, default: str | None) -> str:
    return _altered(table, column, f"SET DEFAULT {default}" if default else "DROP DEFAULT")


def _altered(table: Name, column: str, change: str) -> str:
    return f"ALTER TABLE {quote_name(table)} ALTER COLUMN {quote_ident(column)} {change};"


def expand(
    t: TableChange, checks: Sequence[str], checks_back: Sequence[str], note: str
) -> list[Paragraph]:
    """The new columns beside the old ones, at the end of the table.

    Args:
        t: the table as it is until the switch.
        checks: the clauses that guard them.
        checks_back: those that drop the CHECKs which do not go with the columns.
        note: the comment above them.
    """
    added, dropped = [], []
    names = [(c.name, c.old_name) for c in t.columns]
    for c in t.columns:
        for name, type_name in ((c.kept, "varchar"), (c.name, c.new_type)):
            if name:
                added.append(f"ADD COLUMN {quote_ident(name)} {type_name}")
                dropped.append(f"DROP COLUMN {quote_ident(name)}")
    return [
        [
            Statement(
                alter(t.new, [*added, *checks]),
                undo=(Statement(alter(t.new, [*checks_back, *dropped])),),
                note=note,
            )
        ],
        [
            *settings.of_columns(t, {c.old_name: c.name for c in t.columns}),
            *(
                []
                if t.at_expand
                else settings.copy_grants(
                    t.new, t.new, names, note="Each new column gets the grants of its old one."
                )
            ),
        ],
    ]


def switch(t: TableChange) -> list[Paragraph]:
    """The names `c__old` and `c` in place of `c` and `c__new`; defaults belong to the new side."""
    table = t.new
    names = [pair for c in t.columns for pair in ((c.name, c.old_name), (c.build_name, c.name))]
    renamed = [_rename(table, old, new) for old, new in names]
    taken = [
        Statement(
            _altered(table, c.old_name, c.no_default),
            undo=(Statement(_default(table, c.old_name, c.old_default)),),
            note="A value on the old side is to say that the old contract wrote the row.",
        )
        for c in t.columns
        if (c.old_default or c.type_default) is not None
    ]
    given = [
        Statement(
            _default(table, c.name, c.new_default),
            undo=(Statement(_default(table, c.name, None)),),
        )
        for c in t.columns
        if c.new_default is not None
    ]
    return [renamed, [*taken, *given]]


def drop_old(t: TableChange) -> Statement:
    """The end of the old columns."""
    return Statement(alter(t.new, (f"DROP COLUMN {quote_ident(c.old_name)}" for c in t.columns)))


def add_old(t: TableChange) -> list[Statement]:
    """The old columns again, empty, at the end; with what the new ones have beside their type."""
    added = [
        f"ADD COLUMN {quote_ident(c.old_name)} {c.old_definition}"
        + (" DEFAULT NULL" if c.type_default is not None else "")
        for c in t.columns
    ]
    return [
        *plain(alter(t.new, added)),
        *settings.of_columns(t, {c.name: c.old_name for c in t.columns}),
        *settings.copy_grants(t.new, t.new, [(c.old_name, c.name) for c in t.columns]),
    ]


def window(t: TableChange, *, to_new: bool) -> Iterator[str]:
    """The clauses of the one rewrite from old to new, or back."""
    for c in t.columns:
        yield from _in_place(c, to_new=to_new)
    for c in t.keeping if to_new else ():
        kept, name = quote_ident(c.kept or ""), quote_ident(c.name)
        yield f"ALTER COLUMN {kept} TYPE varchar USING {name}::text"


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
