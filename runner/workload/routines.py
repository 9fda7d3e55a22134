"""The SQL that functions, triggers and views of a database hold, as statements to try.

What is in a PL/pgSQL body is no statement of its own: its variables have values there. So each of
its statements becomes the body of an SQL function whose arguments are the variables, NEW and OLD
among them; PostgreSQL itself then looks each name up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from psycopg import Connection, sql

from runner.workload.model import Sent

_ROUTINES = """
SELECT p.oid::bigint, p.oid::regprocedure::text, l.lanname, p.prosrc,
    (
        SELECT coalesce(array_agg(a.name || ' ' || pg_catalog.format_type(a.type, NULL)), '{}')
        FROM unnest(
            p.proargnames, coalesce(p.proallargtypes, p.proargtypes::oid[])
        ) AS a (name, type)
        WHERE a.name <> '' AND a.type IS NOT NULL
    ),
    (
        SELECT coalesce(array_agg(DISTINCT t.tgrelid::regclass::text), '{}')
        FROM pg_catalog.pg_trigger AS t WHERE t.tgfoid = p.oid AND NOT t.tgisinternal
    ),
    p.prosqlbody IS NOT NULL
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'trueup')
    AND l.lanname IN ('sql', 'plpgsql') AND p.prokind IN ('f', 'p')
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
ORDER BY 2
"""
_VIEWS = """
SELECT c.oid::regclass::text
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND n.nspname !~ '^pg_'
    AND n.nspname NOT IN ('information_schema', 'trueup')
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY 1
"""
_OF_TRIGGERS = (
    *("tg_name name", "tg_when text", "tg_level text", "tg_op text", "tg_relid oid"),
    *("tg_table_name name", "tg_table_schema name", "tg_nargs integer", "tg_argv text[]"),
)
_HIDDEN = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$", re.DOTALL
)
_VERB = r"(?:SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|PERFORM)\b"
_BEGUN = re.compile(
    rf"(?:^\s*|\b(?:BEGIN|THEN|ELSE|LOOP|QUERY)\s+|>>\s*|\b(?P<loop>IN|FOR)\s+)(?P<sql>{_VERB})",
    re.IGNORECASE,
)
_INTO = re.compile(
    r"(?<!\bINSERT)(?<!\bMERGE)\s+\bINTO\s+(?:STRICT\s+)?[\w.\"]+(?:\s*,\s*[\w.\"]+)*",
    re.IGNORECASE,
)
_DECLARED = re.compile(
    r"^\s*(?P<name>\w+)\s+(?:CONSTANT\s+)?(?P<type>[\w.\"]+(?:\s+(?:varying|precision))?"
    r"(?:\s*\([\d, ]+\))?(?:%(?:ROW)?TYPE)?(?:\[\])*(?:\s+with(?:out)?\s+time\s+zone)?)",
    re.IGNORECASE,
)


def read_routines(connection: Connection[Any]) -> tuple[list[Sent], int]:
    """Read what functions, procedures and triggers hold.

    Args:
        connection: to the database, which stands at one stage.

    Returns:
        The statements, each with what only checks it; and how many routines also put SQL
        together as they run, of which nothing can be said.
    """
    found: list[Sent] = []
    dynamic = 0
    for oid, name, language, body, arguments, tables, parsed in connection.execute(_ROUTINES):
        if parsed:
            continue  # PostgreSQL knows what it uses, and so do the files
        if language == "sql":
            found.append(_validated(oid, name, body))
            continue
        hidden = _HIDDEN.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), body)
        dynamic += bool(re.search(r"\bEXECUTE\s+(?!FUNCTION|PROCEDURE)", hidden, re.IGNORECASE))
        variables = [*arguments, "found boolean", *_declared(hidden)]
        for table in tables or [None]:
            given = [*_OF_TRIGGERS, f"new {table}", f"old {table}"] if table else []
            what = f"trigger function {name} on {table}" if table else f"function {name}"
            for number, text in enumerate(_statements(body, hidden), start=1):
                key = f"{name} {number} {len(tables) and tables.index(table)}"
                found.append(_as_function(text, [*given, *variables], what, key))
    return found, dynamic


def read_views(connection: Connection[Any]) -> list[Sent]:
    """Read the views of a database, each as the query of all of it."""
    return [
        Sent(f"TABLE {name}", f"view {name}", routine=f"view {name}")
        for (name,) in connection.execute(_VIEWS)
    ]


def _validated(oid: int, name: str, body: str) -> Sent:
    trial = f"DO $trueup$ BEGIN PERFORM pg_catalog.fmgr_sql_validator({oid}::oid); END $trueup$"
    return Sent(body.strip(), f"function {name}", routine=name, trial=trial)


def _as_function(text: str, variables: list[str], what: str, key: str) -> Sent:
    names: dict[str, str] = {}
    for variable in variables:
        names.setdefault(variable.split(" ", 1)[0].lower(), variable)
    body = sql.Literal(text).as_string(None)
    trial = (
        f"CREATE FUNCTION pg_temp.trueup_tried({', '.join(names.values())}) RETURNS void"
        f" LANGUAGE sql AS {body}"
    )
    return Sent(text, what, routine=key, trial=trial)


def _declared(hidden: str) -> Iterator[str]:
    for section in re.findall(r"\bDECLARE\b(.*?)\bBEGIN\b", hidden, re.IGNORECASE | re.DOTALL):
        for line in section.split(";"):
            match = _DECLARED.match(line)
            if match and match["type"].lower() not in ("record", "cursor", "alias", "refcursor"):
                yield f"{match['name']} {re.sub('%ROWTYPE', '', match['type'], flags=re.I)}"


def _statements(body: str, hidden: str) -> Iterator[str]:
    """The SQL statements of a PL/pgSQL body, found where the language lets one begin."""
    begun = 0
    for end in [m.start() for m in re.finditer(";", hidden)] + [len(hidden)]:
        piece = hidden[begun:end]
        starts = list(_BEGUN.finditer(piece))
        for index, match in enumerate(starts):
            start = match.start("sql")
            stop = starts[index + 1].start() if index + 1 < len(starts) else len(piece)
            if match["loop"]:
                loop = re.search(r"\bLOOP\b", piece[start:], re.IGNORECASE)
                stop = start + loop.start() if loop else len(piece)
            text = body[begun + start : begun + stop]
            yield _plain(text, hidden[begun + start : begun + stop])
        begun = end + 1


def _plain(text: str, hidden: str) -> str:
    """A statement without what only PL/pgSQL knows."""
    for match in reversed(list(_INTO.finditer(hidden))):
        text = text[: match.start()] + text[match.end() :]
    return re.sub(r"^PERFORM\b", "SELECT", text, flags=re.IGNORECASE).strip()
