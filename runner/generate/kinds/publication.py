"""A publication: it follows the table; one that names converted columns is made to name the new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from runner.catalog import Publication, Relation
from runner.errors import StandardError
from runner.generate.kinds import check
from runner.generate.model import Obstacle, TableChange
from runner.generate.statement import Paragraph, Statement
from runner.generate.wording.predicates import restate, with_columns
from runner.quoting import Name, quote_ident, quote_name


def obstacles(change: TableChange, relation: Relation) -> Iterator[Obstacle]:
    """What of a table's publications cannot be brought through.

    Args:
        change: the table and its changes.
        relation: the table as the catalog has it.
    """
    yield from _publishes_updates(change, relation)
    for p in _naming(change):
        name = f"publication {quote_ident(p.name)} of {change.old}"
        hint = (
            f"Before: ALTER PUBLICATION {quote_ident(p.name)} DROP TABLE {quote_name(change.old)}; "
            "add it again afterwards."
        )
        named = ", ".join(c for c in p.uses if c in change.converted)
        if change.is_partitioned:
            yield Obstacle(name, f"names {named} of a table with partitions", hint)
        try:
            _listed(change, p, new=True)
        except StandardError as error:
            yield Obstacle(name, f"filters by {named}: {error.message}", hint)


def _naming(t: TableChange) -> list[Publication]:
    """The publications that list converted columns, or filter by them."""
    return [p for p in t.relation.publications if not t.converted.keys().isdisjoint(p.uses)]


def off(t: TableChange, table: Name) -> Paragraph:
    """Take a table out of those that name converted columns, for the rest of a transaction.

    Args:
        t: the table.
        table: what it is called now.
    """
    found = [
        Statement(f"ALTER PUBLICATION {quote_ident(p.name)} DROP TABLE {quote_name(table)};")
        for p in _naming(t)
    ]
    if found:
        note = "A publication holds the columns that it names; the table is back in it below."
        found[0] = replace(found[0], note=note)
    return found


def on(t: TableChange, table: Name, names: Mapping[str, str], *, new: bool) -> Paragraph:
    """Publish the table again.

    Args:
        t: the table.
        table: what it is called now.
        names: what its columns are called now, where that is another name than before.
        new: whether the new columns are published, in the words of the new contract.
    """
    return [
        Statement(
            f"ALTER PUBLICATION {quote_ident(p.name)} ADD TABLE {quote_name(table)}"
            f"{with_columns(_listed(t, p, new=new), names)};"
        )
        for p in _naming(t)
    ]


def _listed(t: TableChange, p: Publication, *, new: bool) -> str:
    """What follows the table's name: the columns, and the filter in the words of a contract."""
    listed = f" ({', '.join(map(quote_ident, p.columns))})" if p.columns else ""
    if p.where is None:
        return listed
    where = restate(p.where)
    if new:
        columns = [c.name for c in t.relation.columns if c.name in p.uses]
        what = f"the filter of publication {p.name}"
        where = check.reworded(what, p.where, columns, t.relation, t.converted)
    return f"{listed} WHERE {where}"


def _publishes_updates(change: TableChange, relation: Relation) -> Iterator[Obstacle]:
    levels = (relation, *(p.relation for p in change.partitions))
    if not any(level.publishes_updates for level in levels):
        return
    for level in levels:
        if level.kind == "p":
            continue
        identifies = identifies_rows(level)
        if level.hides_generated and (level.replica_identity == "f" or not identifies):
            yield Obstacle(
                str(level.qualified),
                "publishes its updates and has neither a key that identifies its rows nor a "
                "replica identity without generated columns, so PostgreSQL refuses to update it",
                "Before: take it out of the publication; add it again afterwards.",
            )
        elif not identifies:
            yield Obstacle(
                str(level.qualified),
                "publishes its updates and has no replica identity, so PostgreSQL would refuse the "
                "backfill",
                f"Before: ALTER TABLE {quote_name(level.qualified)} REPLICA IDENTITY FULL;",
                online_only=True,
            )


def identifies_rows(relation: Relation) -> bool:
    """Whether a subscriber could be told which of its rows was changed."""
    key = relation.primary_key
    return relation.replica_identity in ("i", "f") or (
        relation.replica_identity == "d"
        and key is not None
        # PostgreSQL takes no key that may be broken for a while.
        and " DEFERRABLE" not in key.definition
    )
