"""The scratch copies that a rehearsal clones for each run, with rows in two sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from psycopg import Connection, Error

from runner.errors import RehearsalError
from runner.execute.schema_copy import Schema, dump_schema, load_schema
from runner.postgres.connect import OURS, connect
from runner.postgres.scratch import Limits, ScratchServer
from runner.quoting import Name
from runner.review.fingerprint import service_catalog
from runner.review.rehearse import synthetic
from runner.review.rehearse.demands import Rule, with_rules
from runner.review.rehearse.live import READING, Live
from runner.review.rehearse.run import run_file
from runner.review.rehearse.sample import copy_sample, visible
from runner.review.rehearse.state import read_state

if TYPE_CHECKING:
    from pathlib import Path

    from runner.standard.model import Standard

NAME = "trueup rehearsal"
_SMALL = 4  # the small sample has a fourth of the rows
_FILLED = """
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'm' AND c.relispopulated
    ORDER BY c.oid
"""

Listener = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How a rehearsal is done.

    Args:
        rows: rows of each table in the large sample.
        scratch: a database of a server for the scratch copies; None for the embedded server.
        backup: a database that was restored from a backup, rehearsed on as it is.
        made_up: make rows up from statistics, and read none.
        clients: run clients.
        base: without a live database, the last phase or id that counts as applied; empty for none.
        unit: a table by its old or new name: rehearse its unit of tables alone.
        seconds: the files' sessions are ended when the whole takes longer.
        statements: files of what clients send; none for what the live database has recorded.
    """

    rows: int = 20_000
    scratch: str | None = None
    backup: str | None = None
    made_up: bool = False
    clients: bool = True
    base: str = "baseline"
    unit: str | None = None
    seconds: float = Limits.seconds
    statements: tuple[Path, ...] = ()


@dataclass
class Bases:
    """Makes them.

    Args:
        server: where.
        dsn: the live database; None to take the schema from the files.
        live: what is known of it.
        options: how the rehearsal is done.
        standard: helps to make rows up.
        tell: told what is done now.
        rules: what the rows are chosen to satisfy.
        notes: what a reader should know of them, once they are made.
    """

    server: ScratchServer
    dsn: str | None
    live: Live
    options: Options
    standard: Standard | None
    tell: Listener
    rules: list[Rule] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def made(self) -> tuple[list[str], str]:
        """The databases that are cloned for each run, from the smallest sample to the largest."""
        if self.options.backup:
            return [self.options.backup], "a restored backup, at its full size"
        rows = self.options.rows
        if self.dsn is None:
            base = self.options.base
            described = (
                f"the files up to {base}, with made-up rows" if base else "an empty database"
            )
        else:
            made = "made-up rows" if self.options.made_up else "sampled rows"
            described = f"the schema of the live database, with {made}"
        if self.server.own:
            self.notes.append(
                "measured on the embedded server of this machine, which does not wait for the disk"
            )
        schema = dump_schema(self.dsn, owners=self.server.own) if self.dsn else None
        large = self._make(schema, lambda dsn: self._fill(dsn, rows))
        if rows < _SMALL or max(row_counts(large).values(), default=0) <= rows // _SMALL:
            return [large], described
        small = self._make(schema, lambda dsn: self._copy(large, dsn, rows // _SMALL))
        return [small, large], described

    def empty(self) -> str:
        """A copy without rows."""
        schema = dump_schema(self.dsn, owners=self.server.own) if self.dsn else None
        return self._make(schema, lambda _: None)

    def _make(self, schema: Schema | None, rows: Callable[[str], None]) -> str:
        dsn = self.server.create()
        if schema is None:
            self.tell("applying the files that make the schema")
            for migration in self.live.applied:
                run_file(dsn, migration, "up", self.server.allowance)
            rows(dsn)
        else:
            failures = load_schema(self.server, dsn, schema, lambda: rows(dsn))
            for failure in failures:
                note = f"not in the scratch copy: {failure}"
                if note not in self.notes:
                    self.notes.append(note)
        # A schema alone does not say which materialized views hold data; the live database does.
        with connect(self.dsn or dsn, application_name=NAME, settings=OURS) as connection:
            filled = connection.execute(_FILLED).fetchall()
        with connect(dsn, application_name=NAME) as connection:
            for (name,) in filled:
                row = connection.execute("SELECT to_regclass(%s)", [name]).fetchone()
                if row and row[0]:
                    connection.execute(f"REFRESH MATERIALIZED VIEW {name}".encode())
            connection.execute("VACUUM ANALYZE")
        return dsn

    def _fill(self, dsn: str, rows: int) -> None:
        if self.dsn is not None and not self.options.made_up:
            self.tell("sampling rows of the live database")
            self._copy(self.dsn, dsn, rows)
            return
        self.tell("making rows up")
        hints = synthetic.hints_of_standard(self.standard) if self.standard else synthetic.Hints()
        if self.dsn is not None:
            with connect(self.dsn, application_name=NAME, settings=OURS) as connection:
                hints = synthetic.hints_of_statistics(connection, hints)
            hints = replace(hints, rows={n: size.rows for n, size in self.live.sizes.items()})
        with self._loader(dsn) as target:
            catalog = with_rules(service_catalog(target), self.rules)
            self.notes += synthetic.fill(target, catalog, rows, hints)

    def _copy(self, source_dsn: str, dsn: str, rows: int) -> None:
        with (
            connect(source_dsn, application_name=NAME, settings=READING) as source,
            self._loader(dsn) as target,
        ):
            source.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            everything = service_catalog(source)
            seen = visible(source, everything)
            for name in sorted(everything.relations.keys() - seen.relations.keys()):
                note = f"no rows of {name}: row security hides some from this role"
                if note not in self.notes:
                    self.notes.append(note)
            catalog = with_rules(seen, self.rules)
            try:
                copy_sample(source, target, catalog, rows)
            except Error as error:
                raise RehearsalError(
                    f"rows cannot be sampled: {error.diag.message_primary or error}",
                    hint="give the role SELECT, or use --made-up-rows, which reads none",
                ) from None

    def _loader(self, dsn: str) -> Connection[Any]:
        """A connection that fires no trigger and checks no foreign key."""
        return connect(self.server.loads(dsn), application_name=NAME)


def row_counts(dsn: str) -> dict[Name, int]:
    """How many rows each table of a database has."""
    return {name: count for name, (count, _) in read_state(dsn).rows.items()}
