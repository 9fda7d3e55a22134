"""A sequence of a column: its name follows its table's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from runner.catalog import Relation
from runner.generate.kinds.naming import NamesInUse, follow
from runner.generate.model import TableChange
from runner.generate.statement import Statement, plain
from runner.quoting import Name, quote_ident, quote_name


def change(relation: Relation, new: Name, in_use: NamesInUse) -> Iterable[tuple[str, str]]:
    """The sequences of the table's columns that are named after the table."""
    for column in relation.columns:
        owner = f"{quote_name(relation.qualified)}.{column.name}"
        for sequence in in_use.sequences.get(owner, ()):
            name = follow(sequence.name, relation.name, new.name)
            if name != sequence.name and Name(sequence.schema, name) not in in_use.relations:
                yield sequence.name, name


def owned(relation: Relation, in_use: NamesInUse) -> Iterable[tuple[Name, str]]:
    """The sequences that columns own and are not the identity of, each with its column."""
    for column in relation.columns:
        owner = f"{quote_name(relation.qualified)}.{column.name}"
        if not column.identity:
            yield from ((s.qualified, column.name) for s in in_use.sequences.get(owner, ()))


def stay(t: TableChange) -> list[Statement]:
    """They stay where they are while their table goes to another schema."""
    found = [
        Statement(f"ALTER SEQUENCE {quote_name(s)} OWNED BY NONE;", undo=(back,))
        for (s, _), back in zip(t.owned, belong(t, {}), strict=True)
    ]
    note = "It would move with its table, and clients call it by its name."
    return [replace(first, note=note) for first in found[:1]] + found[1:]


def belong(t: TableChange, names: Mapping[str, str]) -> list[Statement]:
    """They belong to their columns again.

    Args:
        t: the table, back in its schema.
        names: what its columns are called now that had another name.
    """
    return plain(
        *(
            f"ALTER SEQUENCE {quote_name(s)} OWNED BY"
            f" {quote_name(t.old)}.{quote_ident(names.get(c, c))};"
            for s, c in t.owned
        )
    )
