"""Tries one statement on a scratch database: plans it, or runs it, and undoes it in any case."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection, errors, sql
from psycopg.pq import ExecStatus

from runner.workload.model import Sent

if TYPE_CHECKING:
    from psycopg.errors import Diagnostic

SETTINGS = {
    "statement_timeout": "5s",
    "lock_timeout": "1s",
    "plan_cache_mode": "force_generic_plan",
    "client_min_messages": "warning",
}
_START = r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*"
_PLANNED = re.compile(
    _START + r"(?:SELECT|WITH|INSERT|UPDATE|DELETE|MERGE|VALUES|TABLE)\b", re.IGNORECASE | re.DOTALL
)
_READS = re.compile(_START + r"(?:SELECT|WITH|VALUES|TABLE)\b", re.IGNORECASE | re.DOTALL)
# What says nothing about a table.
_OF_SESSIONS = re.compile(
    _START + r"(?:BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|SET|RESET|SHOW|DISCARD"
    r"|DEALLOCATE|LISTEN|UNLISTEN|NOTIFY|CHECKPOINT|LOAD|FETCH|MOVE|CLOSE|EXPLAIN|EXECUTE"
    r"|(?:CREATE|ALTER|DROP)\s+(?:ROLE|USER|GROUP|DATABASE|TABLESPACE|EXTENSION|SYSTEM"
    r"|PUBLICATION|SUBSCRIPTION|EVENT\s+TRIGGER|SERVER|FOREIGN\s+DATA))\b",
    re.IGNORECASE | re.DOTALL,
)
_WITHIN = re.compile(
    r"\s*(?:PREPARE\s+(?:\w+|\"[^\"]+\")(?:\s*\([^)]*\))?\s+AS"
    r"|DECLARE\s+(?:\w+|\"[^\"]+\")[\w\s]*?\sCURSOR(?:\s+WITH(?:OUT)?\s+HOLD)?\s+FOR)\s+",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"\s*COPY\s+(?P<table>(?:\"(?:[^\"]|\"\")+\"|[\w.$])+)\s*(?P<columns>\([^)]*\))?\s*"
    r"(?P<way>FROM|TO)\s+(?:PROGRAM\s+)?(?:STDIN|STDOUT|E?'(?:[^']|'')*'|\$\d+)",
    re.IGNORECASE,
)
_CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)
_PARAMETER = re.compile(r"\$(\d+)\b")
# pg_stat_statements also takes for a value what the grammar wants as a literal.
_TYPED = re.compile(
    r"\b(interval|date|time|timetz|timestamp|timestamptz|numeric|uuid|jsonb?|inet|bytea)"
    r"\s+(\$\d+)\b",
    re.IGNORECASE,
)
_FIELD = re.compile(r"\bEXTRACT\s*\(\s*\$\d+\s+FROM\b", re.IGNORECASE)
_SYSTEM = ("pg_catalog", "information_schema")
_MOST_ROWS = 10_000
_SKIPPED = "skipping "
# These say that the constraints of a table are in the way, so the statement itself is right.
_OF_ROWS = (psycopg.IntegrityError, errors.QueryCanceled)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answers to a statement.

    Args:
        message: its error, or its warning that it did nothing; empty when it takes it.
        sqlstate: of the error.
        columns: the names of the columns that it returns.
        relations: the tables and views that its plan reads and writes, as schema and name.
        rows: what it returned, where it was run and reads the catalog alone; None else.
    """

    message: str = ""
    sqlstate: str = ""
    columns: tuple[str, ...] = ()
    relations: frozenset[tuple[str, str]] = frozenset()
    rows: tuple[tuple[str | None, ...], ...] | None = None

    @property
    def reads_catalog(self) -> bool:
        """Whether it reads the catalog and no table of a user's."""
        return bool(self.relations) and all(schema in _SYSTEM for schema, _ in self.relations)


def is_of_sessions(text: str) -> bool:
    """Whether a statement is about a session, a transaction or a server, and no table."""
    return bool(_OF_SESSIONS.match(text))


def wordings(sent: Sent) -> Iterator[str]:
    """The texts under which a server may take a statement, the closest to what was sent first."""
    text = sent.text.strip().rstrip(";").rstrip()
    if within := _WITHIN.match(text):
        text = text[within.end() :]
    yield text
    if not _PARAMETER.search(text):
        return
    mended = _TYPED.sub(r"CAST(\2 AS \1)", _FIELD.sub("EXTRACT('epoch' FROM", text))
    if mended != text:
        yield mended
    if sent.values:
        yield _PARAMETER.sub(lambda m: _value(sent.values, int(m[1])), text)
    yield _PARAMETER.sub("NULL", mended)


def _value(values: Sequence[str | None], number: int) -> str:
    value = values[number - 1] if number <= len(values) else None
    return "NULL" if value is None else sql.Literal(value).as_string(None)


def attempt(connection: Connection[Any], text: str, sent: Sent) -> Answer:
    """Try one wording of a statement; none of it remains.

    Args:
        connection: to a scratch database, in autocommit, with SETTINGS.
        text: the wording.
        sent: where names are looked up.
    """
    warnings: list[str] = []

    def hear(diagnostic: Diagnostic) -> None:
        if (message := diagnostic.message_primary or "").startswith(_SKIPPED):
            warnings.append(message)

    connection.add_notice_handler(hear)
    try:
        if re.match(r"\s*VACUUM\b", text, re.IGNORECASE):
            _look_up_in(connection, sent, local=False)
            connection.execute(text.encode())
            answer = Answer()
        else:
            answer = _within(connection, text, sent)
    except _OF_ROWS:
        answer = Answer()
    except psycopg.Error as error:
        answer = Answer(error.diag.message_primary or str(error), error.sqlstate or "")
    finally:
        connection.remove_notice_handler(hear)
    return Answer(warnings[0]) if warnings and not answer.message else answer


def _within(connection: Connection[Any], text: str, sent: Sent) -> Answer:
    with connection.transaction(force_rollback=True):
        _look_up_in(connection, sent, local=True)
        if copied := _COPY.match(text):
            return _copy(connection, copied)
        if re.match(r"\s*COPY\b.*\bTO\s+STDOUT\b", text, re.IGNORECASE | re.DOTALL):
            with connection.cursor() as cursor, cursor.copy(text.encode()) as rows:
                for _ in rows:
                    pass
            return Answer()
        if _PLANNED.match(text):
            return _plan(connection, text)
        connection.execute(_CONCURRENTLY.sub("", text).encode())
    return Answer()


def _look_up_in(connection: Connection[Any], sent: Sent, *, local: bool) -> None:
    if sent.search_path:
        connection.execute(
            "SELECT pg_catalog.set_config('search_path', %s, %s)", [sent.search_path, local]
        )


def _plan(connection: Connection[Any], text: str) -> Answer:
    """Plan a statement for any values; run it where it reads nothing but the catalog."""
    connection.execute("DEALLOCATE ALL")
    made = connection.pgconn.prepare(b"tried", text.encode())
    if made.status != ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(made)
    described = connection.pgconn.describe_prepared(b"tried")
    columns = tuple((described.fname(i) or b"").decode() for i in range(described.nfields))
    # EXPLAIN (GENERIC_PLAN) does the same from PostgreSQL 16 on; this also tells the columns.
    nulls = sql.SQL(", ").join([sql.SQL("NULL")] * described.nparams)
    run = sql.SQL("tried({})").format(nulls) if described.nparams else sql.SQL("tried")
    row = connection.execute(
        sql.SQL("EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE {}").format(run)
    ).fetchone()
    plan = row[0] if row else []
    relations = frozenset(_relations(json.loads(plan) if isinstance(plan, str) else plan))
    catalog_only = all(schema in _SYSTEM for schema, _ in relations)
    rows = None
    if catalog_only and described.nparams == 0 and columns and _READS.match(text):
        rows = _answer(connection, text)
    return Answer("", "", columns, relations, rows)


def _answer(connection: Connection[Any], text: str) -> tuple[tuple[str | None, ...], ...]:
    found = connection.execute(text.encode()).fetchmany(_MOST_ROWS)
    return tuple(tuple(None if v is None else str(v) for v in row) for row in found)


def _relations(plan: object) -> Iterator[tuple[str, str]]:
    if isinstance(plan, list):
        for part in plan:
            yield from _relations(part)
    elif isinstance(plan, dict):
        if "Relation Name" in plan:
            yield plan.get("Schema", ""), plan["Relation Name"]
        for part in plan.values():
            if isinstance(part, list | dict):
                yield from _relations(part)


def _copy(connection: Connection[Any], copied: re.Match[str]) -> Answer:
    """COPY from and to the client, with a row of what the table has columns for."""
    reads = copied["way"].upper() == "TO"
    columns = copied["columns"] or ""
    name = sql.SQL(copied["table"]), sql.SQL(columns)  # as the client spelled them
    with connection.cursor() as cursor:
        if reads:
            with cursor.copy(
                sql.SQL("COPY {} {} TO STDOUT (FORMAT csv, HEADER)").format(*name)
            ) as c:
                head = b"".join(bytes(part) for part in c).decode()
            return Answer(columns=tuple(head.strip().split(",")))
        with cursor.copy(sql.SQL("COPY {} {} FROM STDIN").format(*name)):
            pass
    return Answer(columns=(columns,) if columns else _columns(connection, copied["table"]))


def _columns(connection: Connection[Any], table: str) -> tuple[str, ...]:
    rows = connection.execute(
        "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        [table],
    ).fetchall()
    return tuple(row[0] for row in rows)
