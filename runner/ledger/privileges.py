"""What a role needs to run migrations: checked before the first change, printed as SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from runner.errors import LedgerError
from runner.ledger.tables import YOYO_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg import Connection

    from runner.ledger.files import Migration

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_TABLE = rf"({_NAME}(?:\s*\.\s*{_NAME})?)"
_NEEDS_OWNER = re.compile(
    rf"""\b(?:ALTER\s+TABLE|DROP\s+TABLE)\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{_TABLE}
       | \bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?
         {_NAME}\s+ON\s+(?:ONLY\s+)?{_TABLE}""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Need:
    """One privilege.

    Args:
        statement: the SQL that grants it.
        why: what fails without it.
        held: whether the role has it.
    """

    statement: str
    why: str
    held: bool

    def __str__(self) -> str:
        """A line of SQL, as a comment when there is nothing to grant."""
        mark = "-- has already: " if self.held else ""
        return f"{mark}{self.statement}  -- {self.why}"


def require_privileges(
    connection: Connection, migrations: Iterable[Migration], *, schema: str
) -> None:
    """Make sure that the role of a connection can run migrations, before it begins.

    Args:
        connection: to the database.
        migrations: those that are about to run.
        schema: the schema of yoyo's tables.

    Raises:
        LedgerError: naming each privilege that is missing, with the SQL that grants it.
    """
    row = connection.execute("SELECT current_user").fetchone()
    assert row is not None
    missing = [n for n in needs(connection, migrations, role=row[0], schema=schema) if not n.held]
    if missing:
        raise LedgerError(
            f"role {row[0]} lacks privileges:\n"
            + "\n".join(f"  {need.statement}  -- {need.why}" for need in missing),
            hint="have these run by an administrator; nothing was changed",
        )


def needs(
    connection: Connection, migrations: Iterable[Migration], *, role: str, schema: str
) -> list[Need]:
    """List the privileges that a role needs to run migrations.

    Args:
        connection: to the database.
        migrations: those that it is to run, forward or back.
        role: the migration role; it must exist.
        schema: the schema of yoyo's tables.

    Returns:
        The needs, each once, those of the ledger first.
    """
    found = [*_ledger_needs(connection, role, schema), *_table_needs(connection, migrations, role)]
    return list(dict.fromkeys(found))


def _ledger_needs(connection: Connection, role: str, schema: str) -> list[Need]:
    row = connection.execute(
        """
        SELECT current_database(),
               has_database_privilege(%(role)s, current_database(), 'CREATE'),
               has_schema_privilege(%(role)s, %(schema)s, 'USAGE'),
               has_schema_privilege(%(role)s, %(schema)s, 'CREATE')
        """,
        {"role": role, "schema": schema},
    ).fetchone()
    assert row is not None
    database, create_in_database, usage, create = row
    wanted = [
        Need(
            _grant("CREATE ON DATABASE {} TO {}", database, role),
            "creates schema trueup",
            create_in_database,
        ),
        Need(_grant("USAGE ON SCHEMA {} TO {}", schema, role), "reads the ledger", usage),
    ]
    tables = connection.execute(
        """
        SELECT n.nspname, c.relname,
               bool_and(has_table_privilege(%(role)s, c.oid, p))
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p
        WHERE c.relkind = 'r'
          AND ((n.nspname = %(schema)s AND c.relname = ANY (%(tables)s))
               OR (n.nspname = 'trueup'
                   AND c.relname IN ('ledger', 'progress', 'odometer', 'kept')))
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
        {"role": role, "schema": schema, "tables": list(YOYO_TABLES)},
    ).fetchall()
    if not {name for home, name, _ in tables if home == schema}.issuperset(YOYO_TABLES):
        statement = _grant("CREATE ON SCHEMA {} TO {}", schema, role)
        wanted.append(Need(statement, "creates yoyo's tables", create))
    for home, name, held in tables:
        table = sql.Identifier(home, name).as_string()
        statement = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {_quoted(role)};"
        wanted.append(Need(statement, "writes the ledger", held))
    return wanted


def _table_needs(connection: Connection, migrations: Iterable[Migration], role: str) -> list[Need]:
    rows = connection.execute(
        """
        SELECT n.nspname, o.rolname, min(c.relname),
               pg_has_role(%(role)s, o.oid, 'USAGE') AND pg_has_role(%(role)s, o.oid, %(give)s),
               pg_has_role(%(role)s, o.oid, 'USAGE'),
               has_schema_privilege(%(role)s, n.oid, 'USAGE'),
               has_schema_privilege(%(role)s, n.oid, 'CREATE'),
               has_schema_privilege(o.oid, n.oid, 'CREATE')
               OR (SELECT m.rolsuper FROM pg_catalog.pg_roles m WHERE m.rolname = %(role)s)
               -- Where tables stand for the while that keep their names, the files lend it.
               OR (pg_has_role(%(role)s, n.nspowner, 'USAGE') AND pg_catalog.obj_description(
                   n.oid, 'pg_namespace') LIKE 'trueup: the new contract of tables of %%')
        -- to_regclass() would fail where the schema is closed to this role.
        FROM (SELECT parse_ident(t)::name[] AS name FROM unnest(%(tables)s::text[]) t) t
        JOIN pg_catalog.pg_class c ON c.relname = t.name[cardinality(t.name)]
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            AND CASE cardinality(t.name)
                WHEN 1 THEN pg_catalog.pg_table_is_visible(c.oid)
                ELSE n.nspname = t.name[1]
            END
        JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
        GROUP BY n.oid, n.nspname, o.oid, o.rolname
        ORDER BY n.nspname, o.rolname
        """,
        {"role": role, "give": give_away(connection), "tables": sorted(owned_tables(migrations))},
    ).fetchall()
    wanted: list[Need] = []
    for home, owner, table, member, inherits, usage, create, owner_creates in rows:
        wanted += [
            Need(_grant("USAGE ON SCHEMA {} TO {}", home, role), f"uses {home}.{table}", usage),
            Need(
                _grant("CREATE ON SCHEMA {} TO {}", home, role), f"renames {home}.{table}", create
            ),
            # A view that takes the old name gets the table's owner, who must be allowed to own it;
            # of a superuser PostgreSQL does not ask that.
            Need(
                _grant("CREATE ON SCHEMA {} TO {}", home, owner),
                f"owns the view that keeps the old name of {home}.{table}",
                owner_creates,
            ),
        ]
        if owner != role:
            statement = _grant(
                "{} TO {}" + " WITH SET TRUE" * (inherits and not member), owner, role
            )
            wanted.append(Need(statement, f"alters {home}.{table}, which {owner} owns", member))
    return wanted


def give_away(connection: Connection[Any]) -> str:
    """The privilege on a role that lets a member give it objects: since PostgreSQL 16, SET."""
    return "SET" if connection.info.server_version >= 160000 else "USAGE"


def owned_tables(migrations: Iterable[Migration]) -> set[str]:
    """Names of the tables that only their owner may change as the files do.

    Args:
        migrations: forward and rollback files of each are searched, blocks included.

    Returns:
        The names as they are written; some may not exist yet.
    """
    texts = [text for m in migrations for text in _statement_texts(m)]
    found = [match for text in texts for match in _NEEDS_OWNER.finditer(text)]
    return {match[1] or match[2] for match in found}


def _statement_texts(migration: Migration) -> Sequence[str]:
    return [s.text for s in (*migration.statements, *migration.rollback_statements)]


def _grant(template: str, *names: str) -> str:
    return "GRANT " + template.format(*map(_quoted, names)) + ";"


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()
