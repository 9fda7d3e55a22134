"""The server, the role that will run the migration, and the room on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row, tuple_row

from runner.generate.locks import most_locks
from runner.generate.model import TableChange
from runner.ledger.privileges import give_away
from runner.ledger.tables import (
    DEFAULT_SCHEMA,
    PUBLISHED_HINT,
    STRANGER_HINT,
    find_published,
    find_stranger,
    searched_schemas,
)
from runner.preflight.report import Finding, Severity
from runner.quoting import Name, quote_ident, quote_name
from runner.standard.model import Standard

OLDEST, NEWEST = 14, 18

_SERVER: LiteralString = """
SELECT current_user AS role, current_database() AS database,
    pg_is_in_recovery() AS standby,
    current_setting('default_transaction_read_only')::boolean AS read_only,
    has_database_privilege(current_database(), 'CREATE') AS may_create_schema,
    to_regnamespace('trueup') IS NOT NULL AS has_toolkit,
    CASE WHEN to_regnamespace('trueup') IS NOT NULL
        THEN has_schema_privilege(to_regnamespace('trueup'), 'CREATE') END AS may_use_toolkit,
    to_regnamespace(quote_ident(%(schema)s)) IS NOT NULL AS has_schema,
    CASE WHEN to_regnamespace(quote_ident(%(schema)s)) IS NOT NULL
        THEN has_schema_privilege(%(schema)s, 'USAGE') END AS may_use_schema,
    CASE WHEN to_regnamespace(quote_ident(%(schema)s)) IS NOT NULL
        THEN has_schema_privilege(%(schema)s, 'CREATE') END AS may_create_in_schema
"""

_TABLES: LiteralString = """
SELECT n.nspname AS schema, c.relname AS name, current_user AS role,
    pg_get_userbyid(c.relowner) AS owner,
    pg_has_role(c.relowner, 'USAGE') AS owned,
    pg_has_role(c.relowner, %(give)s) AS may_give,
    (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = current_user)
        AND NOT (SELECT r.rolsuper FROM pg_roles AS r WHERE r.oid = c.relowner) AS by_superuser,
    has_schema_privilege(c.relowner, c.relnamespace, 'CREATE') AS owner_may_create,
    has_schema_privilege(c.relowner, c.relnamespace, 'USAGE') AS owner_may_use,
    has_table_privilege(c.oid, 'SELECT') AS readable,
    row_security_active(c.oid) AS filtered,
    pg_table_size(c.oid) AS heap, pg_indexes_size(c.oid) AS indexes,
    (
        SELECT string_agg(DISTINCT p.gid, ', ') FROM pg_prepared_xacts AS p
        JOIN pg_locks AS own ON own.transactionid = p.transaction AND own.pid IS NULL
        JOIN pg_locks AS l ON l.virtualtransaction = own.virtualtransaction AND l.pid IS NULL
        WHERE l.relation = c.oid AND p.database = current_database()
    ) AS prepared,
    EXISTS (
        SELECT FROM pg_subscription_rel AS s
        WHERE s.srrelid = c.oid OR s.srrelid IN (SELECT p.relid FROM pg_partition_tree(c.oid) AS p)
    ) AS subscribed
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE (n.nspname, c.relname) IN (SELECT * FROM unnest(%(schemas)s::text[], %(names)s::text[]))
"""


def check_server(connection: Connection[Any], standard: Standard) -> Iterator[Finding]:
    """What the server and the role would stop, whatever the tables are.

    Args:
        connection: in a read-only transaction.
        standard: names the schema.
    """
    version = connection.info.server_version // 10000
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_SERVER, {"schema": standard.schema}).fetchone()
    assert found is not None
    role, database, schema = found["role"], found["database"], standard.schema
    if version < OLDEST:
        yield Finding(
            Severity.STOPS,
            f"server {version}",
            f"is older than PostgreSQL {OLDEST}, the oldest version that trueup supports",
        )
    elif version > NEWEST:
        yield Finding(
            Severity.KNOW,
            f"server {version}",
            f"is newer than PostgreSQL {NEWEST}, the newest version that trueup was tested with",
        )
    if found["standby"]:
        yield Finding(
            Severity.KNOW,
            f"database {database}",
            "is on a standby: you can check it here, but only migrate it on the primary",
        )
    elif found["read_only"]:
        yield Finding(
            Severity.STOPS,
            f"database {database}",
            "is read-only by default (default_transaction_read_only)",
        )
    if not found["has_schema"]:
        yield Finding(Severity.STOPS, f"schema {schema}", "does not exist")
        return
    missing = [
        word
        for word, has in (
            ("USAGE", found["may_use_schema"]),
            ("CREATE", found["may_create_in_schema"]),
        )
        if not has
    ]
    if missing:
        words, quoted = ", ".join(missing), quote_ident(schema)
        yield Finding(
            Severity.STOPS,
            f"schema {schema}",
            f"gives the role {role} no {words}, which renaming tables and building indexes need",
            hint=f"GRANT {words} ON SCHEMA {quoted} TO {quote_ident(role)};",
        )
    # yoyo finds its tables by name; a run of trueup looks where they are.
    looked_at = {DEFAULT_SCHEMA, *searched_schemas(connection)}
    if stranger := find_stranger(connection, sorted(looked_at)):
        yield Finding(
            Severity.STOPS,
            "schema trueup",
            f"is not safe: {stranger}, and could run code of its own with the privileges of the "
            f"role {role}",
            hint=STRANGER_HINT[0].upper() + STRANGER_HINT[1:] + ".",
        )
    if published := find_published(connection):
        yield Finding(
            Severity.STOPS,
            f"database {database}",
            published,
            hint=PUBLISHED_HINT[0].upper() + PUBLISHED_HINT[1:] + ".",
        )
    for name in _bypassing(connection):
        yield Finding(
            Severity.STOPS,
            name,
            "sets session_replication_role = replica: what its sessions write fires no trigger, "
            "and would not be converted",
            hint="RESET it until contract is done.",
        )
    if found["has_toolkit"] and not found["may_use_toolkit"]:
        yield Finding(
            Severity.STOPS,
            "schema trueup",
            f"exists, and the role {role} has no CREATE on it",
            hint=f"GRANT CREATE ON SCHEMA trueup TO {quote_ident(role)};",
        )
    elif not found["has_toolkit"] and not found["may_create_schema"]:
        yield Finding(
            Severity.STOPS,
            f"database {database}",
            f"gives the role {role} no CREATE, which the schema trueup needs",
            hint=f"GRANT CREATE ON DATABASE {quote_ident(database)} TO {quote_ident(role)};",
        )


_BYPASSING: LiteralString = """
SELECT coalesce('role ' || r.rolname, 'database ' || current_database()) AS place
FROM pg_db_role_setting AS s
LEFT JOIN pg_roles AS r ON r.oid = s.setrole
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND 'session_replication_role=replica' = ANY (s.setconfig)
ORDER BY 1
"""


def _bypassing(connection: Connection[Any]) -> list[str]:
    """The roles whose sessions, or the database all of whose, fire no triggers."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return [row[0] for row in cursor.execute(_BYPASSING).fetchall()]


def check_tables(
    connection: Connection[Any], changes: Sequence[TableChange]
) -> tuple[frozenset[Name], list[Finding]]:
    """What the role may not do with the tables, and which of them it can read in full.

    Args:
        connection: in a read-only transaction.
        changes: the tables to convert.

    Returns:
        The old names of the tables that can be read, and the findings.
    """
    readable: set[Name] = set()
    findings: list[Finding] = []
    names = [name for c in changes for name in (c.old, *(p.name for p in c.partitions))]
    wanted = {
        "schemas": [n.schema for n in names],
        "names": [n.name for n in names],
        "give": give_away(connection),
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_TABLES, wanted).fetchall()
    for row in rows:
        name = Name(row["schema"], row["name"])
        findings += _table_findings(name, row)
        if row["readable"] and not row["filtered"]:
            readable.add(name)
    if owners := sorted({row["owner"] for row in rows if row["by_superuser"]}):
        role = rows[0]["role"]
        findings.append(
            Finding(
                Severity.KNOW,
                f"role {role}",
                f"is a superuser, and tables belong to {', '.join(owners)}: what these wrote in"
                " CHECKs and functions runs with its privileges while rows are converted",
                hint="Migrate as the owner, or as a member: `trueup grants` prints what it needs.",
            )
        )
    if rows:
        findings.append(_room(connection, rows))
    return frozenset(readable), findings


def _table_findings(name: Name, row: dict[str, Any]) -> Iterator[Finding]:
    role = row["role"]

    def stop(problem: str, hint: str | None = None, sql: str | None = None) -> Finding:
        return Finding(Severity.STOPS, str(name), problem, sql=sql, hint=hint)

    owner, quoted = quote_ident(row["owner"]), quote_ident(role)
    if not row["owned"]:
        yield stop(
            f"belongs to {row['owner']}, and the role {role} is not a member of that role",
            f"GRANT {owner} TO {quoted};",
        )
    elif not row["may_give"]:
        yield stop(
            f"belongs to {row['owner']}, and the role {role} may not SET ROLE to it, and so cannot "
            "give it the functions of triggers",
            f"GRANT {owner} TO {quoted} WITH SET TRUE;",
        )
    elif not row["owner_may_create"]:
        yield stop(
            f"belongs to {row['owner']}, who has no CREATE on the schema, as the compat view's "
            "owner must",
            f"GRANT CREATE ON SCHEMA {quote_ident(name.schema)} TO {owner};",
        )
    if not row["owner_may_use"]:
        yield stop(
            f"belongs to {row['owner']}, who may not use the schema: triggers run with the rights "
            "of the table's owner",
            f"GRANT USAGE ON SCHEMA {quote_ident(name.schema)} TO {owner};",
        )
    if not row["readable"]:
        yield stop(
            f"cannot be read by the role {role}: its rows were not checked",
            f"GRANT SELECT ON {quote_name(name)} TO {quoted};",
        )
    elif row["filtered"]:
        yield stop(
            f"hides rows from the role {role} by row security: its rows were not checked, and the "
            "backfill would not see them all",
            f"Migrate as a role with BYPASSRLS: ALTER ROLE {quoted} BYPASSRLS;",
        )
    if row["subscribed"]:
        yield stop(
            "is filled by a subscription, and what arrives fires no trigger: it would not be "
            "converted",
            "Convert the publisher alone and copy anew from there, or end the subscription first: "
            "DROP SUBSCRIPTION.",
        )
    if row["prepared"]:
        yield stop(
            f"is locked by a prepared transaction, which does not end by itself: {row['prepared']}",
            "COMMIT PREPARED or ROLLBACK PREPARED it.",
            "SELECT * FROM pg_prepared_xacts;",
        )


# Measured on full pages with three indexes: a plain backfill grows a table 2.4 times.
_BACKFILL_GROWTH = 1.4


def _room(connection: Connection[Any], rows: Sequence[dict[str, Any]]) -> Finding:
    """The room that the conversion takes, and whether this machine's disk has it."""
    heap = sum(row["heap"] for row in rows)
    indexes = sum(row["indexes"] for row in rows)
    online, window = int(heap * _BACKFILL_GROWTH) + indexes, heap + indexes
    need = f"online takes up to {show_size(online)} more, window {show_size(window)} while it runs"
    free = _free_bytes(connection)
    database = f"database {connection.info.dbname}"
    if free is None:
        return Finding(
            Severity.KNOW,
            database,
            f"needs room: {need}",
            hint="The server does not say how much is free: look at its disk and its WAL's.",
        )
    severity = Severity.STOPS if free < min(online, window) else Severity.KNOW
    return Finding(severity, database, f"needs room: {need}; {show_size(free)} are free")


def _free_bytes(connection: Connection[Any]) -> int | None:
    """What is free where the server's data is; only a socket says that it is on this machine."""
    if not connection.info.host.startswith("/"):
        return None
    with connection.cursor(row_factory=tuple_row) as cursor:
        query: LiteralString = "SELECT setting FROM pg_settings WHERE name = 'data_directory'"
        row = cursor.execute(query).fetchone()
    path = row[0] if row else None  # shown to a superuser only
    try:
        return shutil.disk_usage(Path(path)).free if path else None
    except OSError:
        return None


def show_size(size: float) -> str:
    """Bytes as people read them: 5.2 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def check_locks(connection: Connection[Any], changes: Sequence[TableChange]) -> Iterator[Finding]:
    """Whether the server's lock table has room for the largest transaction."""
    needed = most_locks(changes)
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "SELECT current_setting('max_locks_per_transaction')::integer, "
            "current_setting('max_connections')::integer"
            " + current_setting('max_prepared_transactions')::integer"
        ).fetchone()
    assert row is not None
    each, sessions = row
    if needed > each * sessions:
        yield Finding(
            Severity.KNOW,
            f"database {connection.info.dbname}",
            f"has room for {each * sessions:,} locks, and the window strategy or rolling back "
            f"contract takes up to {needed:,} in one transaction",
            hint=f"Set max_locks_per_transaction = {-(-needed // sessions)} and restart the server "
            "before you use them; else they may fail with `out of shared memory`, and change "
            "nothing.",
        )
