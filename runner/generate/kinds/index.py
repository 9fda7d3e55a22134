"""An index: built anew on converted columns beside the old one, or only renamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate.files import File
from runner.generate.model import IndexChange, TableChange
from runner.generate.statement import Statement, comment_on_constraint, lock
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_literal, quote_name


def settings(i: IndexChange, name: str, table: Name) -> Iterator[Statement]:
    """What an index under a name has beside its definition."""
    qualified = quote_name(Name(table.schema, name))
    if i.constraint_comment is not None:
        yield comment_on_constraint(table, name, i.constraint_comment)
    for place, target in i.statistics_targets:
        yield Statement(f"ALTER INDEX {qualified} ALTER COLUMN {place} SET STATISTICS {target};")
    if i.comment is not None:
        yield Statement(f"COMMENT ON INDEX {qualified} IS {quote_literal(i.comment)};")
    on = f"ALTER TABLE {quote_name(table)}"
    if i.clustered:
        yield Statement(f"{on} CLUSTER ON {quote_ident(name)};")
    if i.replica_identity:
        yield Statement(f"{on} REPLICA IDENTITY USING INDEX {quote_ident(name)};")


def create(i: IndexChange, name: str, table: Name, *, new: bool) -> Statement:
    """The index under a name, on a table, for the old or the new contract's values."""
    unique, method = "UNIQUE " if i.unique else "", i.new_method if new else i.method
    if i.constraint == "EXCLUDE":
        return Statement(
            f"ALTER TABLE {quote_name(table)} ADD CONSTRAINT {quote_ident(name)} {method};"
        )
    return Statement(
        f"CREATE {unique}INDEX {quote_ident(name)} ON {quote_name(table)} {method};",
        undo=(Statement(f"DROP INDEX {quote_name(Name(table.schema, name))};"),),
    )


def drop(i: IndexChange, table: Name) -> Statement:
    """The end of an index under its old name, or of its constraint."""
    if i.constraint:
        return Statement(
            f"ALTER TABLE {quote_name(table)} DROP CONSTRAINT {quote_ident(i.old_name)};"
        )
    return Statement(f"DROP INDEX {quote_name(Name(table.schema, i.old_name))};")


def rename(table: Name, old: str, new: str) -> Statement:
    """Another name for an index of a table."""
    return Statement(
        f"ALTER INDEX {quote_name(Name(table.schema, old))} RENAME TO {quote_ident(new)};"
    )


def build(
    t: TableChange,
    table: Name,
    i: IndexChange,
    name: str,
    after: Sequence[File],
    *,
    phase: str = "enforce",
    folder: str = "online",
) -> File:
    """The build of an index on the new columns while reads and writes go on."""
    unique, qualified = "UNIQUE " if i.unique else "", quote_name(Name(table.schema, name))
    built = Statement(
        f"CREATE {unique}INDEX CONCURRENTLY {quote_ident(name)} ON {quote_name(table)}"
        f" {i.new_method};",
        undo=(Statement(f"DROP INDEX CONCURRENTLY IF EXISTS {qualified};", alone=True),),
        locks=(lock(LockMode.SHARE_UPDATE_EXCLUSIVE, table),),
        alone=True,
    )
    return File(
        unlike=f"index {name} {table}",
        folder=folder,
        phase=phase,
        subject=t.prefix + name,
        title=f"Build the index {name} on the new columns of {table.name}.",
        does=f"builds what {i.old_name} is for the old columns",
        cost=f"reads {table.name} twice and waits for transactions that are older; if it "
        f"fails it leaves an invalid index: DROP INDEX {name}, then run it again",
        undo="drops the index; reads and writes go on",
        body=[[built]],
        back="Drops the index; reads and writes go on.",
        after=after,
    )
