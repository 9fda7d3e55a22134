"""`make real`: applications from PyPI with their own schemas and clients, there and back.

Each application makes its schema on the embedded server. Its client works before, while the
online files are applied, after the switch, and after a rollback of all; each round has to see the
same, and all rows have to be the same at the end. What only a window converts goes there, and
back, afterwards. Names of applications run these alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from real.application import Application, RealError
from runner.catalog import read_catalog
from runner.generate import plan_units
from runner.postgres.embedded import FAST, EmbeddedServer, start_server
from runner.standard import load_standard

_RUN_SECONDS = 900
APPLICATIONS = (
    Application("adk", "asyncpg", makes_indexes=True),
    Application("apscheduler", "psycopg"),
    Application("django", "django", stamps="django_celery_beat_periodictasks"),
    Application("jupyterhub", "psycopg2"),
    Application("octavia", "psycopg2"),
    Application("procrastinate"),
)


@dataclass
class Figures:
    """One line of the table in docs/what-comes-through.md; each table counts once."""

    name: str
    tables: int = 0
    online: int = 0
    window: int = 0
    left: int = 0
    unchanged: int = 0
    rounds: int = 0
    failed: int = 0

    def row(self) -> str:
        """It as a line of Markdown."""
        cells = (self.name, self.tables, self.online, self.window, self.left, self.unchanged)
        return f"| {' | '.join(map(str, (*cells, self.rounds, self.failed)))} |"


def main(names: Sequence[str]) -> int:
    """Bring each application there and back, and print the figures."""
    chosen = [a for a in APPLICATIONS if not names or a.name in names]
    found = []
    for application in chosen:
        print(f"{application.name}: installing, once", flush=True)
        application.install()
    with start_server(settings=FAST) as server:
        for application in chosen:
            found.append(_Journey(application, server).there_and_back())
    print("\n| application | tables | online | window | left | unchanged | rounds | failed |")
    print(f"| --- |{' ---: |' * 7}")
    for figures in found:
        print(figures.row())
    changed = sum(f.online + f.window for f in found)
    print(f"\n{sum(f.online for f in found)} of {changed} tables that change go online")
    return int(any(f.failed for f in found))


class _Journey:
    """One application on its way."""

    def __init__(self, application: Application, server: EmbeddedServer) -> None:
        self.application, self.host = application, server.host
        self.database = application.name
        self.dsn = make_conninfo(server.dsn(), dbname=self.database)
        self.figures = Figures(application.name)
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.database)))

    def there_and_back(self) -> Figures:
        """All steps."""
        application, host, database = self.application, self.host, self.database
        application.make(host, database)
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("ANALYZE")
        with tempfile.TemporaryDirectory() as folder:
            service = Path(folder) / "sql" / application.name
            self._run("propose", application.name, "--output", str(service / "standard.toml"))
            self._count(service / "standard.toml")
            self._run("generate", "--service", str(service), "--dsn", self.dsn)
            before = application.once(host, database)
            rows = self._rows()
            if self.figures.online:
                self._online(service, before)
                self._require_same(before, rows, "after the online strategy and back")
            if self.figures.window:
                self._window(service)
                self._require_same(before, rows, "after the window strategy and back")
        return self.figures

    def _online(self, service: Path, before: list[str]) -> None:
        where = ("--service", str(service))
        leaves = self.figures.window > 0  # and says so by its exit code
        with self.application.looping(self.host, self.database) as rounds:
            self._run("apply", *where, may_leave=leaves)
            self._run("apply", *where, "--to", "switch", may_leave=leaves)
        self._tell(rounds.seen, rounds.errors, before, "while the files were applied")
        contract = ("--to", "contract", "--waiting-period", "0s")
        self._run("apply", *where, *contract, may_leave=leaves)
        if not leaves:
            self._run("verify", *where)
        start = "enforce" if self.application.makes_indexes else "switch"
        self._run("rollback", *where, "--to", start)
        with self.application.looping(self.host, self.database) as rounds:
            self._run("rollback", *where, "--all")
        self._tell(rounds.seen, rounds.errors, before, "while the files were rolled back")

    def _window(self, service: Path) -> None:
        where = ("--service", str(service), "--strategy", "window")
        self._run("apply", *where)
        self._run("verify", "--service", str(service))
        self._run("rollback", *where, "--all")

    def _tell(self, seen: list[list[str]], errors: list[str], before: list[str], when: str) -> None:
        self.figures.rounds += len(seen) + len(errors)
        self.figures.failed += len(errors)
        for error in errors[:3]:
            print(f"{self.application.name}: {when}: {error}", file=sys.stderr)
        for other in (s for s in seen if s != before):
            raise RealError(f"{self.application.name} saw {when}:\n{other}\nand before:\n{before}")
        print(
            f"{self.application.name}: {len(seen)} rounds {when}, {len(errors)} failed", flush=True
        )

    def _require_same(self, seen: list[str], rows: dict[str, list[Any]], when: str) -> None:
        now = self.application.once(self.host, self.database)
        if now != seen:
            raise RealError(f"{self.application.name} sees {when}:\n{now}\nand before:\n{seen}")
        found = self._rows()
        if rows.keys() != found.keys():
            raise RealError(f"{self.application.name} has other tables {when}: {[*found]}")
        for table in rows.keys() - {self.application.stamps}:
            # What the client added and its application does not remove may be there, too.
            if {*rows[table]} - {*found[table]}:
                raise RealError(f"{self.application.name}: {table} has other rows {when}")
        print(f"{self.application.name}: the same rows and answers {when}", flush=True)

    def _rows(self) -> dict[str, list[Any]]:
        """All rows of all tables, whatever the order of their columns."""
        with psycopg.connect(self.dsn) as connection:
            catalog = read_catalog(connection, ["public"])
            query = sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t ORDER BY 1")
            return {
                t.name: connection.execute(query.format(sql.Identifier(t.name))).fetchall()
                for t in catalog.tables
                if not t.name.startswith(("_yoyo", "yoyo"))
            }

    def _count(self, standard: Path) -> None:
        """Each table once: by what becomes of it."""
        with psycopg.connect(self.dsn) as connection:
            catalog = read_catalog(connection, ["public"])
        wanted = load_standard(standard)
        figures = self.figures
        figures.tables = sum(1 for _ in catalog.tables)
        changing = 0
        for unit in plan_units(wanted, catalog):
            for table in unit.tables:
                if table.old == table.new and not (
                    table.columns or table.renamed or table.integer_checks
                ):
                    continue
                changing += 1
                for reason in unit.only_window:
                    print(f"{self.application.name}: {table.new} in a window: {reason}", flush=True)
                if unit.only_window:
                    figures.window += 1
                else:
                    figures.online += 1
        text = standard.read_text(encoding="utf-8")
        listed = sum(1 for line in text.splitlines() if line.startswith(("[table.", "[schema.")))
        figures.left = listed - changing
        figures.unchanged = figures.tables - listed

    def _run(self, *arguments: str, may_leave: bool = False) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "runner", *arguments],
            env=os.environ | {"TRUEUP_DSN": self.dsn},
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )
        if done.returncode > (1 if may_leave else 0):
            raise RealError(
                f"{self.application.name}: trueup {' '.join(arguments)} ended with"
                f" {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (RealError, subprocess.SubprocessError) as error:
        sys.exit(f"error: {error}")
