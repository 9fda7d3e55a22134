"""Records files anew, those that the user names, after showing what changed since."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from runner.errors import UsageError
from runner.ledger.audit import audit
from runner.ledger.records import read_ledger
from runner.ledger.tables import hold_table, in_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from runner.ledger.audit import Finding
    from runner.ledger.files import Migration
    from runner.ledger.records import Recorder


@dataclass(frozen=True)
class Repair:
    """What recording one migration anew would mean.

    Args:
        finding: what is wrong with it.
        effect: what will be written, in words.
        diff: what changed between record and file, in unified format; may be empty.
    """

    finding: Finding
    effect: str
    diff: str


def plan_repairs(
    connection: Connection,
    migrations: Sequence[Migration],
    ids: Sequence[str],
    *,
    schema: str | None = None,
) -> list[Repair]:
    """Find out what recording the named migrations anew would mean; writes nothing.

    Args:
        connection: to the database.
        migrations: all that the sources hold, in the order of read_migrations.
        ids: migrations that the user names.
        schema: the schema of yoyo's tables, None to look for them.

    Returns:
        One repair for each id, in their order.

    Raises:
        UsageError: when there is nothing to repair about one of them.
    """
    findings = audit(migrations, read_ledger(connection, schema=schema))
    by_id = {f.migration: f for f in findings if f.kind != "out-of-order"}
    files = {migration.id: migration for migration in migrations}
    repairs = []
    for id_ in ids:
        if id_ not in by_id:
            named = ", ".join(by_id) or "none"
            raise UsageError(
                f"{id_}: its file and its record agree, or neither is there",
                hint=f"migrations that can be repaired: {named}",
            )
        finding = by_id[id_]
        recorded = _recorded_sql(connection, id_) if finding.kind != "by-yoyo" else ("", "")
        now = files.get(finding.now or id_)
        texts = (now.text, now.rollback_text) if now else ("", "")
        names = (f"{id_}.sql", f"{id_}.rollback.sql")
        diff = "".join(map(_diff, names, recorded, texts))
        repairs.append(Repair(finding, _effect(finding), diff))
    return repairs


def record_repairs(
    connection: Connection,
    recorder: Recorder,
    migrations: Sequence[Migration],
    repairs: Sequence[Repair],
) -> None:
    """Write the repairs, all in one transaction.

    Args:
        connection: the session that holds the migration lock, in autocommit mode.
        recorder: writes the records.
        migrations: all that the sources hold.
        repairs: of plan_repairs, as shown to the user.
    """
    files = {migration.id: migration for migration in migrations}
    with connection.transaction():
        for repair in repairs:
            finding = repair.finding
            if finding.kind in ("renamed", "deleted"):
                connection.execute(
                    sql.SQL("DELETE FROM {} WHERE migration_id = %s").format(
                        in_schema(recorder.schema, "_yoyo_migration")
                    ),
                    [finding.migration],
                )
            if finding.kind != "deleted":
                recorder.applied(files[finding.now or finding.migration], "REPAIR")


def _recorded_sql(connection: Connection, migration: str) -> tuple[str, str]:
    with connection.transaction():
        hold_table(connection, "trueup", "ledger")
        row = connection.execute(
            "SELECT forward_sql, rollback_sql FROM trueup.ledger WHERE migration_id = %s"
            " ORDER BY id DESC LIMIT 1",
            [migration],
        ).fetchone()
    return row if row else ("", "")


def _effect(finding: Finding) -> str:
    match finding.kind:
        case "renamed":
            return f"{finding.now} is recorded as applied in place of {finding.migration}"
        case "deleted":
            return f"{finding.migration} is no longer recorded as applied; nothing is undone"
        case _:
            return f"{finding.migration} is recorded as applied with the content of its files now"


def _diff(name: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(),
        after.splitlines(),
        f"recorded/{name}",
        f"now/{name}",
        lineterm="",
    )
    return "".join(f"{line}\n" for line in lines)
