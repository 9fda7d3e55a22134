"""The database at rest: how it is prepared, read, and made ready to go on."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from psycopg import sql
from support.processes import eventually
from support.runs import query
from support.sides import NEW, OLD, Side

from chaos.book import Found
from chaos.statements import Target

FILLERS = 1500  # requests that nobody writes, so that a backfill has its batches


def table_side(phase: str) -> Side:
    """The contract that has the tables in a phase."""
    return NEW if phase in ("switch", "contract") else OLD


def prepare(dsn: str, keys: int) -> None:
    """Add the rows that clients share, and others that make the tables larger."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for n in range(keys):
            connection.execute(
                "INSERT INTO public.models (id, model_id, provider, capabilities, description)"
                " VALUES (%s, %s, 'openai', '{chat}', '')",
                [Target("model", n).id, f"chaos model {n}"],
            )
            connection.execute(
                "INSERT INTO public.provider_quotas (id, provider, daily_tokens_used,"
                " monthly_tokens_used, daily_cost_used, monthly_cost_used)"
                " VALUES (%s, 'openai', 0, 0, 0, 0)",
                [Target("quota", n).id],
            )
        connection.execute(
            "INSERT INTO public.requests (id, request_id, request_type, model_id, provider,"
            " request_data, success, error_code)"
            " SELECT gen_random_uuid()::text, 'filler ' || n, 'chat', %s, 'openai', '{}', true,"
            " repeat('x', 50) FROM generate_series(1, %s) AS n",
            [Target("model", 0).id, FILLERS],
        )


def until_up(dsn: str) -> None:
    """Wait until the server answers, and no client's transaction is open any more."""
    eventually(lambda: _is_quiet(dsn), seconds=120)


def _is_up(dsn: str) -> bool:
    try:
        return bool(query(dsn, "SELECT 1"))
    except psycopg.OperationalError:
        return False


def _is_quiet(dsn: str) -> bool:
    try:
        return not query(
            dsn,
            "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'chaos %'"
            " AND state IS DISTINCT FROM 'idle' AND pid <> pg_backend_pid()",
        )
    except psycopg.OperationalError:
        return False


def _run(dsn: str, side: Side, statement: LiteralString, *values: object) -> list[Any]:
    names = {
        name: sql.Identifier("public", getattr(side, name))
        for name in ("models", "requests", "quotas")
    }
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(sql.SQL(statement).format(**names), values or None)
        return cursor.fetchall() if cursor.description is not None else []


def read(dsn: str, phase: str) -> Found:
    """What the tables hold."""
    side = table_side(phase)
    lists = _run(
        dsn,
        side,
        "SELECT request_id, error_message, upper(provider) FROM {requests}"
        " WHERE request_id LIKE 'chaos %%'"
        " UNION ALL SELECT model_id, description, upper(provider) FROM {models}"
        " WHERE model_id LIKE 'chaos %%'",
    )
    return Found(lists, _counts(dsn, side))


def _counts(dsn: str, side: Side) -> dict[str, int]:
    found = dict(_run(dsn, side, "SELECT id::text, daily_tokens_used FROM {quotas}"))
    named = {Target("quota", n).id: f"quota {n}" for n in range(len(found))}
    return {named[id_]: count for id_, count in found.items() if id_ in named}


def begin_anew(dsn: str, phase: str) -> dict[str, int]:
    """Empty the lists and drop what was copied; returns what the counters hold."""
    side = table_side(phase)
    _run(
        dsn,
        side,
        "DELETE FROM {requests} WHERE request_id LIKE 'chaos %%' AND error_code IS NULL"
        " AND success AND request_id ~ '[0-9][.][0-9]' AND id::text <> ALL (%s)",
        [Target("by_id", n).id for n in range(1000)],
    )
    _run(
        dsn,
        side,
        "UPDATE {requests} SET error_message = '' WHERE request_id LIKE 'chaos %%'"
        " AND error_message <> ''",
    )
    _run(dsn, side, "UPDATE {models} SET description = '' WHERE description LIKE '%%;'")
    return _counts(dsn, side)


def sides_differ(dsn: str, phase: str) -> list[str]:
    """Rows whose two sides do not mean the same, by table and column."""
    wrong = []
    pairs = query(
        dsn,
        "SELECT relname, attname, format_type(atttypid, NULL) FROM pg_attribute AS a"
        " JOIN pg_class AS c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace"
        " AND relkind = 'r' AND attname ~ '__(new|old)$' AND NOT attisdropped",
    )
    for table, column, _ in pairs:
        base, suffix = column.rsplit("__", 1)
        old, new = (base, column) if suffix == "new" else (column, base)
        given: sql.Composable = sql.Identifier(old)
        if base in ("id", "model_id"):
            given = sql.SQL("{}::text::uuid").format(given)
        elif base == "capabilities":
            given = sql.SQL("upper({}::text)::varchar[]").format(given)
        else:
            given = sql.SQL("upper({})").format(given)
        # Before the backfill, rows are converted as they are written.
        where = sql.SQL("id__new IS NOT NULL AND") if phase == "expand" else sql.SQL("")
        statement = sql.SQL(
            "SELECT count(*) FROM public.{table} WHERE {where} {given} IS DISTINCT FROM {new}"
        ).format(table=sql.Identifier(table), where=where, given=given, new=sql.Identifier(new))
        with psycopg.connect(dsn, autocommit=True) as connection:
            row = connection.execute(statement).fetchone()
        if row and row[0]:
            wrong.append(f"{phase}: {row[0]} rows of {table} differ in {base}")
    return wrong


def after_yoyo(dsn: str) -> None:
    """What a person does after a run of yoyo that failed: its session, its lock, its index."""
    eventually(lambda: _is_up(dsn), seconds=120)
    query(
        dsn,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE application_name = 'yoyo of chaos'",
    )
    if query(dsn, "SELECT to_regclass('public.yoyo_lock') IS NOT NULL") == [(True,)]:
        query(dsn, "DELETE FROM public.yoyo_lock")
    for (name,) in query(
        dsn,
        "SELECT relname FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid"
        " WHERE NOT indisvalid AND relnamespace = 'public'::regnamespace",
    ):
        with psycopg.connect(dsn, autocommit=True) as connection:
            drop = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS public.{}")
            connection.execute(drop.format(sql.Identifier(name)))
