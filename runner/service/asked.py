"""What stands on converted columns, as questions to a server: it reads them and runs none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.pq import ExecStatus

from runner.generate.dependent import DependentChange, Reword, Standing
from runner.generate.kinds import function, policy, statistics, trigger, twins, view
from runner.generate.kinds.trial import moved
from runner.generate.model import Obstacle, TableChange
from runner.quoting import quote_ident, quote_name

_QUERIES: dict[str, Callable[[Standing, Reword], str]] = {
    "view": view.query,
    "materialized view": view.query,
    "policy": policy.query,
    "function": function.query,
    "statistics": statistics.query,
    "trigger": trigger.query,
}
# What a role that may not see all rows is told of any query: it says nothing of the new columns.
_FORBIDDEN = "not for this role"
_TOGETHER = 50  # questions of tables that one statement asks; one by one when it is refused


@dataclass(frozen=True, slots=True)
class _Question:
    """A query on what tables and views show, which are part of it: nothing has to be made.

    Args:
        object: what it is of, for people.
        old: it in the words of the old contract; only where a server reads that does its answer
            to the other one count.
        new: it in the words of the new contract.
    """

    object: str
    old: str
    new: str


def misfits(
    connection: Connection[Any],
    tables: Sequence[TableChange],
    dependents: Sequence[DependentChange],
) -> Iterator[Obstacle]:
    """What a server would not take on the new columns, such as a UNION of ids with texts.

    Args:
        connection: to a database at the old contract; nothing is changed in it.
        tables: those that are converted.
        dependents: what is made again on their new columns, in the order in which it can be made.

    Raises:
        psycopg.OperationalError: the connection was lost, or the time ran out.
    """
    for d in dependents:
        if d.of.can_be_tried and d.of.kind in _QUERIES:
            yield from _misfits(connection, _of_dependent(d, tables, dependents))
    asked = [question for t in tables for question in _of_table(t)]
    for place in range(0, len(asked), _TOGETHER):
        few = asked[place : place + _TOGETHER]
        if _refusal(connection, f"SELECT {', '.join(f'EXISTS ({q.new})' for q in few)}"):
            yield from _misfits(connection, few)


def _misfits(connection: Connection[Any], questions: Iterable[_Question]) -> Iterator[Obstacle]:
    for question in questions:
        said = _refusal(connection, question.new)
        if said and said != _FORBIDDEN and not _refusal(connection, question.old):
            yield Obstacle(
                question.object,
                f"cannot be made on the new columns: {said}",
                "Cast its ids to text in its definition before; or drop it first, and create it "
                "again for the new contract afterwards.",
            )


def _refusal(connection: Connection[Any], query: str) -> str:
    """What a server says against a query; empty when it reads it."""
    try:
        with connection.transaction():
            read = connection.pgconn.prepare(b"", query.encode())
            if read.status != ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(read)
    except psycopg.OperationalError:
        raise
    except psycopg.errors.InsufficientPrivilege:
        return _FORBIDDEN
    except psycopg.Error as error:
        return error.diag.message_primary or str(error)
    return ""


def _of_table(t: TableChange) -> Iterator[_Question]:
    name = quote_name(t.old)
    queries = [(f"CHECK {k.name}", f"SELECT FROM {name} WHERE {k.condition}") for k in t.checks]
    for i in t.converted_indexes:
        keys, tail = twins.keys_of(i.new_method)
        _, where, predicate = tail.partition(" WHERE ")
        query = f"SELECT {', '.join(keys)} FROM {name}{where}{predicate}"
        queries.append((f"index {i.old_name}", query))
    for label, query in queries:
        yield _Question(
            f"{label} on {t.old}",
            _given([t], [], new=False) + "SELECT",
            _given([t], [], new=True) + moved([t.old], "")(query),
        )


def _of_dependent(
    d: DependentChange, tables: Sequence[TableChange], dependents: Sequence[DependentChange]
) -> Iterator[_Question]:
    read = [t for t in tables if t.old in d.of.tables]
    views: list[DependentChange] = []
    needed = {name for name, _ in d.of.uses}
    for v in reversed(dependents):
        if v is not d and v.of.is_view and v.of.name in needed:
            needed |= {name for name, _ in v.of.uses}
            views.insert(0, v)
    names = [*(t.old for t in read), *(v.of.name for v in views)]
    ask, alone = _QUERIES[d.of.kind], moved(names, "")
    if ask(d.of, d.of.new) and len({n.name for n in names}) == len(names):
        yield _Question(
            d.label,
            _given(read, views, new=False) + alone(ask(d.of, d.of.old)),
            _given(read, views, new=True) + alone(ask(d.of, d.of.new)),
        )


def _given(tables: Iterable[TableChange], views: Sequence[DependentChange], *, new: bool) -> str:
    """The tables and views as one contract shows them, each under its name alone."""
    shown = [(t.old, _shown(t) if new else "*", f"FROM {quote_name(t.old)}") for t in tables]
    given = [f"{quote_ident(n.name)} AS (SELECT {what} {where})" for n, what, where in shown]
    alone = moved([*(n for n, _, _ in shown), *(v.of.name for v in views)], "")
    for v in views:
        query = alone(view.query(v.of, v.of.new if new else v.of.old))
        given.append(f"{quote_ident(v.of.name.name)} AS ({query})")
    return f"WITH {', '.join(given)} " if given else ""


def _shown(t: TableChange) -> str:
    """Its columns as the new contract has them."""
    names = ((quote_ident(c.name), t.converted.get(c.name)) for c in t.relation.columns)
    return ", ".join(
        f"({change.new_from(name)})::{change.new_type} AS {name}" if change else name
        for name, change in names
    )
