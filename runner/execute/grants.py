"""The SQL that gives a migration role what it needs, and nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from runner.errors import UsageError
from runner.ledger.privileges import Need, needs, owned_tables
from runner.ledger.records import read_ledger
from runner.postgres.connect import OURS, connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from runner.ledger.files import Migration

_SILENCES = "'session_replication_role', 'replica'"
_SET_ON_PARAMETER = 150000


def role_needs(
    dsn: str, migrations: Sequence[Migration], role: str, *, schema: str | None = None
) -> list[Need]:
    """List what a role needs on a live database; reads only.

    Args:
        dsn: the database.
        migrations: all that it is to run, forward or back.
        role: the migration role.
        schema: the schema of yoyo's tables, None to look for them.

    Returns:
        The needs; those it has already are marked.

    Raises:
        UsageError: when there is no such role.
    """
    with connect(dsn, application_name="trueup grants", settings=OURS) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", [role]
        ).fetchone()
        if found is None:
            raise UsageError(f"there is no role {role!r}", hint="create it: CREATE ROLE ... LOGIN")
        home = read_ledger(connection, schema=schema).schema
        listed = needs(connection, migrations, role=role, schema=home)
        return [*listed, *_silence(connection, migrations, role)]


def _silence(connection: Connection, migrations: Sequence[Migration], role: str) -> list[Need]:
    """What a backfill needs where clients' triggers would fire for what it writes."""
    texts = [s.text for m in migrations for s in (*m.statements, *m.rollback_statements)]
    if connection.info.server_version < _SET_ON_PARAMETER or not any(_SILENCES in t for t in texts):
        return []
    row = connection.execute(
        """
        SELECT min(format('%%I.%%I', n.nspname, c.relname) COLLATE "C"),
            has_parameter_privilege(%(role)s, 'session_replication_role', 'SET')
        -- to_regclass() would fail where the schema is closed to this role.
        FROM (SELECT parse_ident(t)::name[] AS name FROM unnest(%(tables)s::text[]) t) o
        JOIN pg_catalog.pg_class c ON c.relname = o.name[cardinality(o.name)]
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            AND CASE cardinality(o.name)
                WHEN 1 THEN pg_catalog.pg_table_is_visible(c.oid)
                ELSE n.nspname = o.name[1]
            END
        JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
        -- Those that a plain UPDATE fires: one UPDATE OF other columns is not.
        WHERE NOT t.tgisinternal AND t.tgenabled = 'O' AND t.tgtype & 16 <> 0
            AND cardinality(t.tgattr::int2[]) = 0 AND t.tgname NOT LIKE 'zz_trueup_%%'
        """,
        {"role": role, "tables": sorted(owned_tables(migrations))},
    ).fetchone()
    assert row is not None
    table, held = row
    grant = sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {};")
    statement = grant.format(sql.Identifier(role)).as_string()
    return [Need(statement, f"keeps triggers of {table} silent in the backfill", held)] * bool(
        table
    )
