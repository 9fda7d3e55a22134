"""What a table and its columns have beside their types: comments, settings of columns, grants.

All of it stands in the file but owners and grants, which differ from server to server: these are
copied by one procedure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runner.catalog import Column
from runner.generate.column_change import ColumnChange
from runner.generate.model import TableChange
from runner.generate.statement import Statement, if_there
from runner.generate.wording.types import storage_clauses
from runner.quoting import Name, quote_ident, quote_literal, quote_name

# A column, and the one whose grants it gets.
Pair = tuple[str, str]


def copy_grants(
    target: Name, source: Name, pairs: Iterable[Pair] = (), *, note: str = ""
) -> list[Statement]:
    """The call that gives a relation the owner and the grants of another one.

    Args:
        target: what gets them; the same as the source where only columns get them.
        source: what has them.
        pairs: the columns that do not get those of their namesake.
        note: the comment above it.
    """
    listed = _listed(pairs)
    if target == source and not listed:
        return []
    return [Statement(f"CALL trueup.give_grants({_of(target)}, {_of(source)}{listed});", note=note)]


def carry_grants(table: Name, view: Name, pairs: Iterable[Pair] = ()) -> list[Statement]:
    """The call that gives a table what was granted on a view of it, before the view goes.

    Args:
        table: the table.
        view: the view; the table itself where one side of columns gets those of the other.
        pairs: the table's columns that the view calls otherwise.
    """
    listed = _listed(pairs)
    if table == view and not listed:
        return []
    sql = f"CALL trueup.give_grants({_of(table)}, {_of(view)}{listed}, since => true);"
    note = "Carries over what was granted or revoked on one side alone." if table == view else ""
    return [Statement(sql, note=note)]


def _of(name: Name) -> str:
    return quote_literal(quote_name(name))


def _listed(pairs: Iterable[Pair]) -> str:
    listed = ", ".join(
        f"[{quote_literal(here)}, {quote_literal(there)}]" for here, there in pairs if here != there
    )
    return f", ARRAY[{listed}]" if listed else ""


def of_columns(t: TableChange, names: Mapping[str, str]) -> list[Statement]:
    """What columns have that were made for the converted ones, and those of the partitions.

    Args:
        t: the table; `t.new` is what it is called now.
        names: what they are called, by the name of the column that was there before.
    """
    found = []
    for part in (t.relation, *(p.relation for p in reversed(t.partitions))):
        is_root = part is t.relation
        table = t.new if is_root else part.qualified
        for c in t.columns:
            name = c.old_name if c.old_name in names else c.name
            column = part.column(name)
            if column is None:
                continue
            sql = [
                *_settings(t, column, c, table, names[name]),
                *_comment(column, table, names[name]),
            ]
            found += [Statement(s) if is_root else if_there(table, s) for s in sql]
    return found


def _settings(
    t: TableChange, column: Column, c: ColumnChange, table: Name, name: str
) -> Iterator[str]:
    clauses = []
    if column.statistics_target is not None:
        clauses.append(f"SET STATISTICS {column.statistics_target}")
    if column.options:
        clauses.append(f"SET ({', '.join(column.options)})")
    # A uuid is stored in one way.
    if not (name in (c.name, c.build_name) and c.new_type == "uuid"):
        clauses += storage_clauses(column, is_text=True)
    # A partition has its own.
    only = "ONLY " if t.is_partitioned else ""
    on = f"ALTER TABLE {only}{quote_name(table)} ALTER COLUMN {quote_ident(name)}"
    yield from (f"{on} {clause};" for clause in clauses)


def _comment(column: Column, table: Name, name: str) -> Iterator[str]:
    if column.comment is not None:
        on = f"{quote_name(table)}.{quote_ident(name)}"
        yield f"COMMENT ON COLUMN {on} IS {quote_literal(column.comment)};"


def of_view(t: TableChange, view: Name, names: Mapping[str, str]) -> list[Statement]:
    """What a view has of the table that it shows: comments, and row security.

    Args:
        t: the table.
        view: the view.
        names: what it calls columns that have another name than in the old contract.
    """
    found = []
    on = quote_name(view)
    if t.relation.row_security:
        found.append(
            Statement(
                f"ALTER VIEW {on} SET (security_invoker = true);",
                note="A view reads its table as its owner, whom row security may not hold.",
            )
        )
    if t.relation.comment is not None:
        found.append(Statement(f"COMMENT ON VIEW {on} IS {quote_literal(t.relation.comment)};"))
    for column in t.relation.columns:
        name = names.get(column.name, column.name)
        found += [Statement(s) for s in _comment(column, view, name)]
    return found
