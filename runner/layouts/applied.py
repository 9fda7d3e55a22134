"""What a live database holds already, as the team's own tool has written it down."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import Connection, sql

from runner.errors import LedgerError
from runner.ledger.records import read_ledger
from runner.ledger.tables import hold_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runner.ledger.files import Migration

# The table of each tool, and what it says of a migration that is applied: its id or its version.
_TABLES: tuple[tuple[str, LiteralString], ...] = (
    (
        "goose_db_version",  # a row for each time up and down
        "SELECT version_id::text FROM (SELECT DISTINCT ON (version_id) version_id, is_applied"
        " FROM {} ORDER BY version_id, id DESC) AS newest WHERE is_applied",
    ),
    ("flyway_schema_history", "SELECT script FROM {} WHERE success"),
    (
        "_prisma_migrations",
        "SELECT migration_name FROM {} WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL",
    ),
    ("__diesel_schema_migrations", "SELECT version::text FROM {}"),
    ("sqitch.changes", "SELECT change FROM {}"),
    ("pgmigrations", "SELECT name FROM {}"),
    ("supabase_migrations.schema_migrations", "SELECT version FROM {}"),
    ("databasechangelog", "SELECT author || ':' || id FROM {}"),
    ("gorp_migrations", "SELECT id FROM {}"),
    ("_sqlx_migrations", "SELECT version::text FROM {} WHERE success"),
    ("schema_migrations", "SELECT version::text FROM {}"),
)
_DIGITS = re.compile(r"\d+")


def read_applied(connection: Connection[Any], migrations: Sequence[Migration]) -> set[str]:
    """The ids of the migrations that a database has, in yoyo's ledger or another tool's table.

    Args:
        connection: to the live database; only read.
        migrations: in the order of their tool.

    Returns:
        The ids. golang-migrate writes down the last version alone: all before it are applied.

    Raises:
        LedgerError: when golang-migrate says that its last version failed.
    """
    applied = set(read_ledger(connection).applied)
    if not any(migration.of_another_tool for migration in migrations):
        return applied
    for name, query in _TABLES:
        with connection.transaction():
            applied |= _read(connection, name, query, migrations, applied)
    return applied


def _read(
    connection: Connection[Any],
    name: str,
    query: LiteralString,
    migrations: Sequence[Migration],
    known: set[str],
) -> set[str]:
    """The ids that one tool's table tells; none where it is not there."""
    table = _find(connection, name)
    if table is None:
        return set()
    rows = connection.execute(sql.SQL(query).format(table)).fetchall()
    applied = _known(migrations, [str(value) for (value,) in rows])
    if name == "schema_migrations" and _of_golang_migrate(connection, table):
        failed = connection.execute(sql.SQL("SELECT version FROM {} WHERE dirty").format(table))
        if row := failed.fetchone():
            raise LedgerError(
                f"golang-migrate says that version {row[0]} failed: what the database has is"
                " not known",
                hint="put it right, then run `migrate force`",
            )
        applied |= _up_to(migrations, known | applied)
    return applied


def _find(connection: Connection[Any], name: str) -> sql.Identifier | None:
    """A tool's table by its own name: the session's search_path is pg_catalog."""
    schema, _, table = name.rpartition(".")
    row = connection.execute(
        """
        SELECT n.nspname
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner
        JOIN pg_catalog.pg_database AS d ON d.datname = current_database()
        WHERE c.relname = %(table)s AND c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'
            AND %(schema)s::text IN ('', n.nspname::text)
            -- A schema of that name is a tool's own, and has its own entry.
            AND (%(schema)s::text <> '' OR n.nspname NOT IN ('supabase_migrations'))
        -- Anybody may have one of that name in a schema of his own.
        ORDER BY NOT (r.rolsuper OR r.rolname = current_user OR r.oid = d.datdba),
            n.nspname <> 'public', n.nspname
        LIMIT 1
        """,
        {"schema": schema, "table": table},
    ).fetchone()
    if row is None:
        return None
    hold_table(connection, row[0], table)
    return sql.Identifier(row[0], table)


def _of_golang_migrate(connection: Connection[Any], table: sql.Identifier) -> bool:
    """Whether the table has a column that says whether the last version failed."""
    row = connection.execute(
        "SELECT count(*) FROM pg_catalog.pg_attribute WHERE attname = 'dirty'"
        " AND attrelid = pg_catalog.to_regclass(%s) AND NOT attisdropped",
        [table.as_string(connection)],
    ).fetchone()
    return row is not None and row[0] == 1


def _up_to(migrations: Sequence[Migration], applied: Iterable[str]) -> set[str]:
    known = set(applied)
    last = max((n for n, m in enumerate(migrations) if m.id in known), default=-1)
    return {migration.id for migration in migrations[: last + 1]}


def _known(migrations: Sequence[Migration], told: Iterable[str]) -> set[str]:
    """Those that a table speaks of: by id, by file name, or by the digits that begin the id."""
    names = set(told)
    versions = {name.lstrip("0") for name in names if name.isdigit()}
    found = set()
    for migration in migrations:
        digits = "".join(_DIGITS.findall(migration.id.partition("_")[0]))
        by_name = {migration.id, migration.path.name, migration.path.stem} & names
        if by_name or (digits and digits.lstrip("0") in versions):
            found.add(migration.id)
    return found
