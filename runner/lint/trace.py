"""Runs migrations on an empty server of their own, and reads what PostgreSQL did.

It sees through DO, EXECUTE and functions, which no reading of the text does: which tables were
locked and how, which were rewritten, and whether a rollback brings the schema back.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from runner.catalog.diff import diff
from runner.catalog.read import read_catalog
from runner.errors import UsageError
from runner.ledger.files import read_text
from runner.lint.model import Finding
from runner.lint.steps import STRONG, steps
from runner.postgres.connect import connect
from runner.postgres.databases import create_database, drop_database
from runner.postgres.embedded import FAST, start_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from runner.catalog.diff import Difference
    from runner.catalog.model import Catalog
    from runner.lint.layouts import Pair, Script
    from runner.lint.steps import Statement

TRACE_RULES = {
    "traced-lock": "A DO block, a call or a function took a strong lock. Its text does not show"
    " which tables that meets; this run does.",
    "traced-rewrite": "The table got a new file on disk: every row was written again under ACCESS"
    " EXCLUSIVE.",
    "rollback-not-reverse": "Applied and rolled back on an empty server, the schema is not the one"
    " from before: what is left over, or lost, surprises the next apply.",
}
_TIMEOUT = "60s"
_MOST_SHOWN = 5
_OPAQUE = frozenset({"Do", "Call", "Select"})
_RELATIONS = """
    SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relfilenode, c.relispopulated
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND n.nspname !~ '^pg_(toast|temp)'
"""
_LOCKS = """
    SELECT relation, mode FROM pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
"""


@dataclass(frozen=True)
class _Relation:
    name: str
    kind: str
    filenode: int
    filled: bool


def trace(
    chains: Sequence[Sequence[Pair]], wanted: set[Path], schema: Path | None = None
) -> tuple[list[Finding], list[str]]:
    """Run chains on an embedded server.

    Args:
        chains: of layouts.chains.
        wanted: the files to report.
        schema: SQL that makes what was there before the first file, such as `pg_dump -s` writes.

    Returns:
        The findings, and notes on what could not be run.

    Raises:
        ServerNotFoundError: when there are no binaries for the embedded server.
    """
    findings: list[Finding] = []
    notes: list[str] = []
    with start_server(settings=FAST) as server:
        for number, pairs in enumerate(chains):
            name = f"lint_{number}"
            create_database(server.dsn(), name)
            with connect(server.dsn(name), application_name="trueup lint") as connection:
                if schema is not None:
                    _load(connection, schema)
                tracer = _Tracer(connection, findings, notes, wanted)
                tracer.run(pairs)
            drop_database(server.dsn(), name)
    unique = {(f.place, f.message): f for f in findings}
    return list(unique.values()), list(dict.fromkeys(notes))


def _load(connection: psycopg.Connection[Any], schema: Path) -> None:
    try:
        connection.execute(sql.SQL(_as_literal(read_text(schema))))
        connection.execute("RESET ALL")
    except psycopg.Error as error:
        raise UsageError(f"{schema} cannot be loaded: {error}") from None


def _as_literal(text: str) -> Any:
    # psycopg asks for literals so that values are not formatted in; a file is no value.
    return text


class _Tracer:
    """Runs the files of one chain on one connection."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        findings: list[Finding],
        notes: list[str],
        wanted: set[Path],
    ) -> None:
        self._connection = connection
        self._findings = findings
        self._notes = notes
        self._wanted = wanted

    def run(self, pairs: Sequence[Pair]) -> None:
        """Apply each file; each one that is wanted is rolled back and applied again, too."""
        self._connection.execute(sql.SQL("SET statement_timeout = {}").format(_TIMEOUT))
        self._connection.execute("SET trueup.waiting_period = '0s'")
        for pair in pairs:
            wanted = pair.up.path in self._wanted or (
                pair.down is not None and pair.down.path in self._wanted
            )
            try:
                before = self._catalog() if wanted and pair.down else None
                self._apply(pair.up)
                if before is not None and pair.down is not None:
                    self._roll_back(pair, before)
            except psycopg.Error as error:
                problem = str(error).strip().splitlines()[0]
                self._notes.append(
                    f"{pair.up.path} could not be traced: {problem}; what follows it was not run"
                )
                return

    def _catalog(self) -> Catalog:
        schemas = [
            row[0]
            for row in self._connection.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' "
                "AND nspname <> 'information_schema' ORDER BY nspname"
            )
        ]
        return read_catalog(self._connection, schemas)

    def _apply(self, script: Script) -> None:
        with self._transaction(script):
            held: set[tuple[int, str]] = set()
            for statement in script.statements:
                held |= self._observe(script, statement, held)

    @contextmanager
    def _transaction(self, script: Script) -> Iterator[None]:
        if not script.transactional:
            yield
            return
        with self._connection.transaction():
            yield

    def _observe(
        self, script: Script, statement: Statement, held: set[tuple[int, str]]
    ) -> set[tuple[int, str]]:
        """Run a statement; report the locks that it added and the tables that it rewrote."""
        opaque = any(step.verb in _OPAQUE for step in steps(statement))
        before = self._relations()
        if opaque and not script.transactional and not self._ends_itself(statement):
            with self._connection.transaction():
                self._connection.execute(sql.SQL(_as_literal(statement.text)))
                locks = self._locks()
        else:
            self._connection.execute(sql.SQL(_as_literal(statement.text)))
            locks = self._locks()
        after = self._relations()
        rewritten = [
            relation.name
            for oid, relation in before.items()
            if relation.kind in "rmp"
            and relation.filled
            and oid in after
            and after[oid].filenode != relation.filenode
        ]
        if script.path in self._wanted:
            new = [(oid, mode) for oid, mode in locks - held if oid in before and mode in STRONG]
            by_strength = sorted(new, key=lambda item: STRONG.index(item[1]))
            tables = {
                before[oid].name: mode for oid, mode in by_strength if before[oid].kind in "rmp"
            }
            if opaque and tables:
                shown = ", ".join(f"{mode} on {name}" for name, mode in tables.items())
                self._report("traced-lock", script, statement.offset, f"took {shown}", statement)
            if rewritten and script.phase != "window":
                shown = f"rewrote {', '.join(rewritten)}"
                self._report("traced-rewrite", script, statement.offset, shown, statement)
        return locks

    @staticmethod
    def _ends_itself(statement: Statement) -> bool:
        return "COMMIT" in statement.text.upper()

    def _relations(self) -> dict[int, _Relation]:
        return {
            oid: _Relation(
                name if schema == "public" else f"{schema}.{name}", kind, filenode, filled
            )
            for oid, schema, name, kind, filenode, filled in self._connection.execute(_RELATIONS)
        }

    def _locks(self) -> set[tuple[int, str]]:
        rows = self._connection.execute(_LOCKS).fetchall()
        return {(oid, _mode(mode)) for oid, mode in rows}

    def _roll_back(self, pair: Pair, before: Catalog) -> None:
        """Compare the schema after the rollback with the one before, and go back to the new one."""
        down = pair.down
        assert down is not None
        try:
            if down.transactional and pair.up.transactional:
                with self._connection.transaction(force_rollback=True):
                    self._run_all(down)
                    after = self._catalog()
            else:
                self._run_all(down)
                after = self._catalog()
                self._run_all(pair.up)
        except psycopg.Error as error:
            problem = str(error).strip().splitlines()[0]
            self._report("rollback-not-reverse", down, _first(down), f"it fails: {problem}")
            if not pair.up.transactional:
                raise
            return
        different = diff(before, after, column_order=False)
        found = [str(d) for d in different if not _needs_no_undoing(d)]
        if found:
            shown = "; ".join(found[:_MOST_SHOWN])
            more = f"; and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
            self._report("rollback-not-reverse", down, _first(down), f"after it: {shown}{more}")

    def _run_all(self, script: Script) -> None:
        for statement in script.statements:
            self._connection.execute(sql.SQL(_as_literal(statement.text)))

    def _report(
        self,
        rule: str,
        script: Script,
        offset: int,
        message: str,
        statement: Statement | None = None,
    ) -> None:
        if script.path not in self._wanted:
            return
        text = script.content
        line = text.count("\n", 0, offset) + 1
        end = offset + len(statement.text) if statement else offset
        self._findings.append(
            Finding(
                rule=rule,
                level="warning" if rule == "traced-lock" else "error",
                path=script.path,
                line=line,
                column=offset - (text.rfind("\n", 0, offset) + 1) + 1,
                end_line=line + text.count("\n", offset, end),
                message=message,
                why=TRACE_RULES[rule],
                instead="",
                source="trace",
            )
        )


def _needs_no_undoing(difference: Difference) -> bool:
    """Whether a VALIDATE, or the filling of a materialized view, makes all the difference."""
    if difference.property == "validated":
        return True
    if difference.property == "populated":
        return difference.found is True
    sides = [
        str(side).removesuffix(" NOT VALID") for side in (difference.expected, difference.found)
    ]
    return difference.property == "definition" and sides[0] == sides[1]


def _mode(name: str) -> str:
    """AccessExclusiveLock, as pg_locks has it, as the manual writes it."""
    words = "".join(f" {c}" if c.isupper() else c for c in name.removesuffix("Lock"))
    return words.strip().upper()


def _first(script: Script) -> int:
    return script.statements[0].offset if script.statements else 0
