"""A proposal from a database that SQL made, loaded and given to the generator as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg

from runner.catalog import read_catalog
from runner.generate import generate
from runner.propose.source import Wishes, propose_from_database
from runner.standard import Standard, TableStandard, load_standard


class Proposed:
    """A proposal from a database that SQL made.

    Args:
        dsn: the database, empty.
        folder: where the standard.toml goes.
        sql: what the database is to hold.
    """

    def __init__(
        self,
        dsn: str,
        folder: Path,
        sql: str,
        *,
        schemas: Sequence[str] = ("public",),
        scan: bool = True,
        **wishes: object,
    ) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(sql.encode())
        found = propose_from_database(dsn, Wishes("s", schemas, **wishes), scan=scan)  # type: ignore[arg-type]
        self.text, self.warnings = found.text, found.warnings
        path = folder / "standard.toml"
        path.write_text(self.text, encoding="utf-8")
        self.standard: Standard = load_standard(path)
        with psycopg.connect(dsn) as connection:
            catalog = read_catalog(connection, schemas)
        # Whatever was proposed, no edit is needed.
        self.files = generate(self.standard, catalog, baseline=None).files

    def table(self, old: str) -> TableStandard:
        """The table of that old name; one that stays as it is has no paragraph."""
        stays = TableStandard("public", old, old)
        return next((t for t in self.standard.tables if t.old == old), stays)


def propose(dsn: str, folder: Path, sql: str, **more: object) -> Proposed:
    return Proposed(dsn, folder, sql, **more)  # type: ignore[arg-type]
