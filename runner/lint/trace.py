"""Runs migrations on an empty server of their own, and reads what PostgreSQL did.

It sees through DO, EXECUTE and functions, which no reading of the text does: which tables were
locked and how, which were rewritten, and whether a rollback brings the schema back.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from runner.catalog.diff import diff
from runner.catalog.read import read_catalog
from runner.errors import UsageError
from runner.execute.gate import removed_by
from runner.ledger.files import read_text
from runner.ledger.scanner import ScanError, split
from runner.lint.model import Finding
from runner.lint.steps import steps
from runner.postgres.connect import connect
from runner.postgres.scratch import Limits, scratch_server
from runner.postgres.trace import Trace, Tracer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from runner.catalog.diff import Difference
    from runner.catalog.model import Catalog
    from runner.lint.layouts import Pair, Script
    from runner.lint.steps import Statement

TRACE_RULES = {
    "trace-failed": "What did not run was not looked at: neither this file nor what comes after it"
    " is known to be right.",
    "traced-lock": "A DO block, a call or a function took a strong lock. Its text does not show"
    " which tables it locks; this run does.",
    "traced-rewrite": "The table got a new file on disk: every row was written again under ACCESS"
    " EXCLUSIVE.",
    "rollback-not-reverse": "Applied and rolled back on an empty server, the schema is not the one"
    " from before: what is left over, or lost, surprises the next apply.",
}
_TIMEOUT = "60s"
_LIMITS = Limits(seconds=1800)
_MOST_SHOWN = 5
_RESTRICT = re.compile(r"^\\(?:un)?restrict \w+$", re.MULTILINE)  # as pg_dump writes them
_OPAQUE = frozenset({"Do", "Call", "Select"})


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
    with scratch_server(limits=_LIMITS) as server:
        for pairs in chains:
            dsn = server.create()
            with connect(dsn, application_name="trueup lint") as connection:
                tracer = Tracer(connection, server.allowance)
                if schema is not None:
                    _load(tracer, schema)
                _Runner(tracer, findings, notes, wanted).run(pairs)
            server.drop(dsn)
        notes += server.allowance.notes()
    unique = {(f.place, f.message): f for f in findings}
    return list(unique.values()), list(dict.fromkeys(notes))


def _load(tracer: Tracer, schema: Path) -> None:
    try:
        for statement in split(_RESTRICT.sub("", read_text(schema))):
            tracer.execute(statement.text)
        tracer.connection.execute("RESET ALL")
    except (psycopg.Error, ScanError) as error:
        raise UsageError(f"{schema} cannot be loaded: {error}") from None


class _Runner:
    """Runs the files of one chain on one connection."""

    def __init__(
        self,
        tracer: Tracer,
        findings: list[Finding],
        notes: list[str],
        wanted: set[Path],
    ) -> None:
        self._tracer = tracer
        self._connection = tracer.connection
        self._findings = findings
        self._notes = notes
        self._wanted = wanted
        self._at: tuple[Script, Statement] | None = None

    def run(self, pairs: Sequence[Pair]) -> None:
        """Apply each file; each one that is wanted is rolled back and applied again, too."""
        self._connection.execute(sql.SQL("SET statement_timeout = {}").format(_TIMEOUT))
        # Nobody uses what was made here.
        unused = json.dumps(removed_by(pair.up.text for pair in pairs))
        self._connection.execute("SELECT set_config('trueup.force', %s, false)", [unused])
        for pair in pairs:
            wanted = pair.up.path in self._wanted or (
                pair.down is not None and pair.down.path in self._wanted
            )
            try:
                before = self._catalog() if wanted and pair.down else None
                self._apply(pair.up)
                if before is not None and not self._roll_back(pair, before):
                    self._notes.append(f"what follows {pair.up.path} was not traced")
                    return
            except psycopg.Error as error:
                problem = str(error).strip().splitlines()[0]
                script, statement = self._at or (pair.up, None)
                offset = statement.offset if statement else 0
                message = f"{problem}; what follows it was not run"
                self._report("trace-failed", script, offset, message, statement)
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
            for statement in script.statements:
                self._at = script, statement
                opaque = any(step.verb in _OPAQUE for step in steps(statement))
                done = self._trace(statement, opaque=opaque)
                if script.path in self._wanted:
                    self._judge(script, statement, done, opaque=opaque)

    @contextmanager
    def _transaction(self, script: Script) -> Iterator[None]:
        if not script.transactional:
            yield
            return
        with self._connection.transaction():
            self._tracer.begin()
            yield

    def _trace(self, statement: Statement, *, opaque: bool) -> Trace:
        """Run a statement; outside a transaction, only what hides its locks gets one of its own."""
        if self._inside():
            return self._tracer.run(statement.text)
        if opaque and "COMMIT" not in statement.text.upper():
            with self._connection.transaction():
                self._tracer.begin()
                return self._tracer.run(statement.text)
        done = self._tracer.run_alone(statement.text)
        if self._inside():
            self._tracer.begin()  # that was a BEGIN
        return done

    def _inside(self) -> bool:
        return self._connection.info.transaction_status == TransactionStatus.INTRANS

    def _judge(self, script: Script, statement: Statement, done: Trace, *, opaque: bool) -> None:
        locks = [k for k in done.locks if k.mode.strong and not k.new]
        if opaque and locks:
            shown = ", ".join(f"{k.mode} on {_plain(k.relation)}" for k in locks)
            self._report("traced-lock", script, statement.offset, f"took {shown}", statement)
        rewritten = [_plain(t.relation) for t in done.touches if t.rewritten]
        if rewritten and script.phase != "window":
            shown = f"rewrote {', '.join(rewritten)}"
            self._report("traced-rewrite", script, statement.offset, shown, statement)

    def _roll_back(self, pair: Pair, before: Catalog) -> bool:
        """Compare the schema after the rollback with the one before, and go back to the new one.

        Returns:
            Whether the new one is there again.
        """
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
            return pair.up.transactional and down.transactional
        different = diff(before, after, column_order=False)
        found = [str(d) for d in different if not _needs_no_undoing(d)]
        if found:
            shown = "; ".join(found[:_MOST_SHOWN])
            more = f"; and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
            self._report("rollback-not-reverse", down, _first(down), f"after it: {shown}{more}")
        return True

    def _run_all(self, script: Script) -> None:
        for statement in script.statements:
            self._at = script, statement
            self._tracer.execute(statement.text)

    def _report(
        self,
        rule: str,
        script: Script,
        offset: int,
        message: str,
        statement: Statement | None = None,
    ) -> None:
        if script.path not in self._wanted and rule != "trace-failed":
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


def _plain(relation: str) -> str:
    return relation.removeprefix("public.")


def _first(script: Script) -> int:
    return script.statements[0].offset if script.statements else 0
