"""What somebody else made and a run would use, with the rights of who migrates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

from psycopg import Connection, sql
from psycopg.rows import dict_row

from runner.generate.dependent import AFTER, BEFORE
from runner.generate.kinds import trial
from runner.generate.model import TableChange
from runner.generate.text import text
from runner.generate.unit import Unit
from runner.ledger.tables import searched_schemas
from runner.preflight.report import Finding, Severity
from runner.quoting import quote_ident, quote_name


def _strangers() -> str:
    """The query of trueup.require_own(), so that check tells what the files will refuse."""
    found = re.search(
        r"(WITH RECURSIVE shown.*)\n    INTO stranger\n(.*?)\n    LIMIT 1;",
        text("toolkit/rows", "rows"),
        re.S,
    )
    assert found is not None
    query = f"{found[1]}, current_user AS role\n{found[2]}".replace("%", "%%")
    query = re.sub(r"\b(unnest|ANY) ?\(tables\)", r"\1(%(tables)s::oid[]::regclass[])", query)
    return re.sub(r"ANY \(columns\)", "ANY(%(columns)s::name[])", query)


def check_strangers(
    connection: Connection[Any], changes: Sequence[TableChange]
) -> Iterator[Finding]:
    """What tables, their indexes, CHECKs and views come to that is somebody else's.

    Args:
        connection: in a read-only transaction, as the role that will migrate.
        changes: the tables that are at the old contract.
    """
    names = [quote_name(c.old) for c in changes]
    with connection.cursor(row_factory=dict_row) as cursor:
        there = "SELECT array_agg(to_regclass(t)::oid) AS tables FROM unnest(%s::text[]) AS t"
        tables = cursor.execute(there, [names]).fetchall()[0]["tables"]
        columns = sorted({name for c in changes for name in c.converted})
        wanted = {"tables": tables, "columns": columns}
        for row in cursor.execute(sql.SQL(_strangers()), wanted).fetchall():
            yield Finding(
                Severity.STOPS,
                row["what"],
                f"belongs to {row['owner']}, whose code would run with the privileges of the role"
                f" {row['role']}, so no rows were read",
                hint="Give it to the owner of the table (ALTER ... OWNER TO), or drop what uses it"
                " before, and make it again afterwards.",
            )


# As trueup.share() asks in the files.
_READERS: LiteralString = """
SELECT n.child, n.parent, pg_get_userbyid(c.relowner) AS reader,
    pg_get_userbyid(p.relowner) AS owner, current_user AS role
FROM unnest(%(children)s::text[], %(parents)s::text[]) AS n (child, parent)
JOIN pg_class AS c ON c.oid = to_regclass(n.child)
JOIN pg_class AS p ON p.oid = to_regclass(n.parent)
WHERE NOT pg_has_role(p.relowner, c.relowner, 'MEMBER')
    AND NOT (SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles AS r WHERE r.rolname = current_user)
ORDER BY n.child, n.parent
"""


def check_readers(connection: Connection[Any], changes: Sequence[TableChange]) -> Iterator[Finding]:
    """Whose triggers look up keys of a table whose owner could let policies run with their rights.

    Args:
        connection: in a read-only transaction, as the role that will migrate.
        changes: the tables that are at the old contract.
    """
    tables = {c.new: c.old for c in changes}
    pairs = {(c.old, tables.get(k.parent.table)) for c in changes for k in c.columns if k.parent}
    named = [(quote_name(child), quote_name(parent)) for child, parent in pairs if parent]
    wanted = {"children": [child for child, _ in named], "parents": [far for _, far in named]}
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_READERS, wanted).fetchall():
            yield Finding(
                Severity.STOPS,
                row["child"],
                f"belongs to {row['reader']} and looks up keys of {row['parent']}, whose owner "
                f"{row['owner']} could run policies with the privileges of {row['reader']}",
                hint="Migrate as a role that row security does not apply to: ALTER ROLE "
                f"{quote_ident(row['role'])} BYPASSRLS; or give both tables one owner.",
            )


# As trueup.require_settings() asks in the files.
_CREATORS: LiteralString = """
SELECT n.nspname AS schema, r.rolname AS role
FROM pg_namespace AS n
CROSS JOIN LATERAL aclexplode(n.nspacl) AS acl
LEFT JOIN pg_roles AS r ON r.oid = acl.grantee
JOIN pg_database AS d ON d.datname = current_database()
WHERE n.nspname = ANY (%(path)s)
    AND acl.privilege_type = 'CREATE'
    AND acl.grantee <> n.nspowner
    AND NOT coalesce(r.rolsuper OR r.rolname = current_user OR r.oid = d.datdba, false)
    AND acl.grantee NOT IN (
        SELECT c.relowner
        FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
        WHERE (s.nspname, c.relname) IN (
            SELECT * FROM unnest(%(schemas)s::text[], %(names)s::text[])
        )
    )
ORDER BY n.nspname, r.rolname
"""


def check_creators(
    connection: Connection[Any], changes: Sequence[TableChange]
) -> Iterator[Finding]:
    """Who could make operators and functions that an index would be built by.

    Args:
        connection: in a read-only transaction, as the role that will migrate.
        changes: the tables that are at the old contract.
    """
    if not any(c.names_operators for c in changes):
        return
    wanted = {
        "path": searched_schemas(connection),
        "schemas": [c.old.schema for c in changes],
        "names": [c.old.name for c in changes],
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_CREATORS, wanted).fetchall():
            role = "PUBLIC" if row["role"] is None else quote_ident(row["role"])
            yield Finding(
                Severity.STOPS,
                f"schema {row['schema']}",
                f"is in the search_path, and {role} may create in it: operators and functions of "
                "theirs would build an index with the privileges of who migrates",
                hint=f"REVOKE CREATE ON SCHEMA {quote_ident(row['schema'])} FROM {role};"
                " or leave the schema out of the search_path.",
            )


def check_places(connection: Connection[Any], units: Sequence[Unit]) -> Iterator[Finding]:
    """Who has made the schemas that a file is to make, and so would stop it.

    Args:
        connection: in a read-only transaction.
        units: what files are made for.
    """
    if not any(trial.is_possible(u) for u in units):
        return
    query = sql.SQL(
        "SELECT nspname AS name, pg_get_userbyid(nspowner) AS owner FROM pg_namespace"
        " WHERE nspname = ANY(%s) ORDER BY 1"
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(query, [[BEFORE, AFTER]]).fetchall():
            yield Finding(
                Severity.STOPS,
                f"schema {row['name']}",
                f"belongs to {row['owner']}, and a file is to make one of that name, to try in it"
                " what stands on the tables",
                hint="Rename or drop it. If somebody made it who should not: REVOKE CREATE ON"
                f" DATABASE {quote_ident(connection.info.dbname)} FROM ...;",
            )
