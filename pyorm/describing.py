"""What a statement would return, asked before it is sent: the names of its columns."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import Any

import psycopg
from psycopg import errors, generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus

from pyorm.loading import column_names

MARK = re.compile(rb"%(?:\(([^)]+)\))?[sbt]|%%")


def describe(
    connection: psycopg.BaseConnection[Any], statement: bytes, parameters: Any
) -> Generator[Any, Any, tuple[str, ...]]:
    """Let the server parse a statement and tell its columns, without running it.

    Args:
        connection: in a transaction, so that both questions reach one server behind a pooler.
        statement: with psycopg's marks.
        parameters: of the marks.

    Returns:
        A generator for `connection.wait`; it returns the names, none for no result.
    """
    text, values = numbered(statement, parameters)
    transformer = Transformer(connection)
    types = [
        0 if value is None else transformer.get_dumper(value, PyFormat.AUTO).oid for value in values
    ]
    pgconn = connection.pgconn
    pgconn.send_prepare(b"", text, types)
    (prepared,) = yield from generators.execute(pgconn)
    if prepared.status != ExecStatus.COMMAND_OK:
        raise errors.error_from_result(prepared)
    pgconn.send_describe_prepared(b"")
    (described,) = yield from generators.execute(pgconn)
    if described.status != ExecStatus.COMMAND_OK:
        raise errors.error_from_result(described)
    return column_names(described)


def numbered(statement: bytes, parameters: Any) -> tuple[bytes, list[Any]]:
    """A statement with `$1` for psycopg's marks, and the parameters in their order."""
    if parameters is None:
        return statement, []
    names: dict[bytes, int] = {}
    count = 0

    def number(found: re.Match[bytes]) -> bytes:
        nonlocal count
        if found[0] == b"%%":
            return b"%"
        if found[1] is None:
            count += 1
            return b"$%d" % count
        return b"$%d" % names.setdefault(found[1], len(names) + 1)

    text = MARK.sub(number, statement)
    if isinstance(parameters, Mapping):
        return text, [parameters.get(name.decode()) for name in names]
    return text, list(parameters)[:count]
