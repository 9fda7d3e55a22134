"""What a live server knows of the statements it has run: pg_stat_statements."""

from __future__ import annotations

from typing import Any

from psycopg import Connection, Error, sql

from runner.workload.model import Sent

# Its view of itself came with PostgreSQL 14; where it is of an older server, anybody may have put
# one there.
_EXTENSION = """
SELECT n.nspname, EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_class AS c ON c.oid = d.objid AND c.relname = 'pg_stat_statements_info'
    WHERE d.deptype = 'e' AND d.refobjid = e.oid
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
        AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
) FROM pg_catalog.pg_extension AS e
JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""
# A setting of a role in this database wins over one of the role, and that over the database's.
_STATEMENTS = """
SELECT s.query, sum(s.calls)::bigint, min(path.value),
    bool_or(s.query = '<insufficient privilege>')
FROM {view} AS s
LEFT JOIN LATERAL (
    SELECT substring(c.setting from '^search_path=(.*)$') AS value
    FROM pg_catalog.pg_db_role_setting AS r
    CROSS JOIN LATERAL unnest(r.setconfig) AS c (setting)
    WHERE c.setting LIKE 'search_path=%' AND r.setrole IN (0, s.userid)
        AND r.setdatabase IN (0, s.dbid)
    ORDER BY r.setrole <> 0 DESC, r.setdatabase <> 0 DESC
    LIMIT 1
) AS path ON true
WHERE s.dbid = (
    SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()
)
GROUP BY s.query
ORDER BY sum(s.calls) DESC
"""
_HOW = (
    "what clients send: {why}. Put pg_stat_statements into"
    " shared_preload_libraries, restart the server, and CREATE EXTENSION pg_stat_statements; or"
    " log statements for a while and name the log: trueup check --statements FILE"
)
_OWN = "trueup."
_INFO = "pg_stat_statements_info"


def read_recorded(connection: Connection[Any]) -> tuple[list[Sent], list[str]]:
    """Read what pg_stat_statements has recorded of this database.

    Args:
        connection: to it, in autocommit.

    Returns:
        The statements, and what could not be looked at, each with the way to it.
    """
    row = connection.execute(_EXTENSION).fetchone()
    if row is None:
        return [], [_HOW.format(why="the extension pg_stat_statements is not in this database")]
    view = sql.Identifier(row[0], "pg_stat_statements")
    try:
        rows = connection.execute(sql.SQL(_STATEMENTS).format(view=view)).fetchall()
    except Error as error:
        return [], [_HOW.format(why=error.diag.message_primary or "it cannot be read")]
    sent = [
        Sent(text, "pg_stat_statements", calls, path or "")
        for text, calls, path, hidden in rows
        if text is not None and not hidden and _OWN not in text
    ]
    notes = []
    if hidden := sum(calls for _, calls, _, is_hidden in rows if is_hidden):
        notes.append(
            f"{hidden:,} statements of other roles are hidden from this role:"
            " GRANT pg_read_all_stats TO it"
        )
    notes += _left_out(connection, sql.Identifier(row[0], _INFO) if row[1] else None)
    return sent, notes


def _left_out(connection: Connection[Any], view: sql.Identifier | None) -> list[str]:
    """What the extension has thrown away or was told not to record."""
    notes = []
    row = None
    if view is not None:
        row = connection.execute(sql.SQL("SELECT dealloc FROM {}").format(view)).fetchone()
    if row and row[0]:
        notes.append(
            f"pg_stat_statements has discarded the rarest statements {row[0]:,} times: raise"
            " pg_stat_statements.max"
        )
    row = connection.execute(
        "SELECT current_setting('pg_stat_statements.track_utility', true)"
    ).fetchone()
    if row and row[0] == "off":
        notes.append(
            "COPY, TRUNCATE and the like are not recorded: pg_stat_statements.track_utility is off"
        )
    return notes
