"""The old spellings that reversal tables keep, and from when on they may go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from runner.ledger.tables import hold_table, may_read
from runner.quoting import quote_literal

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection


@dataclass(frozen=True)
class KeptSpellings:
    """What a reversal table keeps, for a rollback of contract or of the window.

    Args:
        reversal: the table, qualified and quoted.
        since: when they were copied.
        may_go_from: when trueup.forget_spellings stops refusing.
    """

    reversal: str
    since: datetime
    may_go_from: datetime

    def __str__(self) -> str:
        since = self.since.astimezone(UTC)
        return (
            f"{self.reversal}: keeps old spellings since {since:%Y-%m-%d %H:%M} UTC, for a"
            f" rollback; from {self.may_go_from:%Y-%m-%d} on they may go: CALL"
            f" trueup.forget_spellings({quote_literal(self.reversal)});"
        )


def read_spellings(connection: Connection[Any]) -> list[KeptSpellings]:
    """Read which reversal tables keep old spellings; none where the role may not.

    Args:
        connection: to the database.

    Returns:
        One entry a table, by name; none before contract, and once they are forgotten.
    """
    with (
        connection.transaction(),
        connection.cursor(row_factory=class_row(KeptSpellings)) as cursor,
    ):
        # Within a transaction, as verify asks: it goes on where the role may not see them.
        if not may_read(connection, "kept"):
            return []
        hold_table(connection, "trueup", "kept")
        return cursor.execute(
            """
            SELECT k.name AS reversal, k.since, k.since + coalesce(
                nullif(current_setting('trueup.keep_for', true), ''), '30 days'
            )::interval AS may_go_from
            FROM trueup.kept AS k
            WHERE k.forgotten_at IS NULL AND pg_catalog.to_regclass(k.name) IS NOT NULL
            ORDER BY k.name
            """
        ).fetchall()
