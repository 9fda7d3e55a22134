"""Runs the files on scratch copies, and writes the certificate."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING

from psycopg import Error, IntegrityError
from psycopg.errors import ObjectInUse

from runner.errors import RehearsalError, StatementError, TrueupError
from runner.execute.old_names import begin_waiting
from runner.ledger.files import Migration, chain_checksums
from runner.ledger.records import runner_version
from runner.postgres.connect import connect
from runner.postgres.scratch import Limits, ScratchServer, require_plain, scratch_server
from runner.quoting import Name, quote_ident, told_name
from runner.review.certificate import Certificate
from runner.review.commit import commit_of
from runner.review.figures import plural
from runner.review.fingerprint import schema_fingerprint, service_catalog
from runner.review.measures import ContractTable, Load, TableSize
from runner.review.rehearse import costs
from runner.review.rehearse.bases import NAME, Bases, Listener, Options, row_counts
from runner.review.rehearse.costs import Measured
from runner.review.rehearse.crowd import Crowd
from runner.review.rehearse.demands import Lookout, Rule
from runner.review.rehearse.live import Live, look
from runner.review.rehearse.load import Query, Sample, queries_of, summarize
from runner.review.rehearse.run import FileRun, in_order, relation_names, run_file
from runner.review.rehearse.state import MOST_SHOWN, State, contract_of, differences, read_state
from runner.review.rehearse.statements import try_statements

if TYPE_CHECKING:
    from runner.standard.model import Standard

_CALM_SECONDS = 1.5
_BREATH_SECONDS = 0.1  # after each file, so that clients meet what it left


@dataclass
class _Findings:
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        # Each sample meets it; only a time in its detail may differ.
        if text.partition("\n")[0] not in [p.partition("\n")[0] for p in self.problems]:
            self.problems.append(text)


def rehearse(
    dsn: str | None,
    migrations: Sequence[Migration],
    *,
    to: str | None = None,
    options: Options | None = None,
    standard: Standard | None = None,
    listener: Listener = lambda _: None,
) -> Certificate:
    """Run every pending file up, down, up and down on scratch copies, and measure each statement.

    Args:
        dsn: the live database, only read; None to take the schema from the files.
        migrations: all that the sources hold, in the order of read_migrations.
        to: the last phase or id to rehearse; None for all, those on request too.
        options: how it is done.
        standard: helps to make rows up.
        listener: told what is done now.

    Returns:
        The certificate; it says whether the rehearsal passed.

    Raises:
        TrueupError: the rehearsal could not be done.
    """
    options = options or Options()
    if options.backup:
        require_plain(options.backup)
    live = look(dsn, migrations, to, options.base, options.unit)
    listener("reading the schema")
    try:
        # A backup is on a server of the user's, under the user's own limits.
        limits = Limits(seconds=inf if options.backup else options.seconds)
        major = live.server // 10_000 if live.server else None
        with scratch_server(options.scratch, limits, major=major) as server:
            rehearsal = _Rehearsal(server, dsn, migrations, live, options, standard, listener)
            return rehearsal.run()
    except Error as error:
        raise RehearsalError(
            f"the rehearsal broke off: {error.diag.message_primary or str(error).strip()}",
            hint="the live database was only read; run the same command again",
        ) from None


class _RowsBreakError(Exception):
    """A file broke on a constraint, which better rows may meet."""


class _Rehearsal:
    def __init__(
        self,
        server: ScratchServer,
        dsn: str | None,
        migrations: Sequence[Migration],
        live: Live,
        options: Options,
        standard: Standard | None,
        listener: Listener,
    ) -> None:
        self._server, self._dsn, self._migrations = server, dsn, migrations
        self._live, self._options, self._standard = live, options, standard
        self._tell = listener
        self._pending = live.pending
        self._found = _Findings()
        self._schemas: dict[str, str] = {}
        self._measured: list[Measured] = []
        self._after: tuple[ContractTable, ...] = ()
        self._new_queries: list[Query] = []
        self._load: Load | None = None
        self._loaded: dict[tuple[str, str], FileRun] = {}
        self._samples: list[Sample] = []
        self._begun = 0.0
        clients_stopped = any(m.phase == m.path.parent.name == "window" for m in self._pending)
        self._clients = options.clients and not clients_stopped
        if clients_stopped:
            self._found.notes.append("no clients ran: the window strategy needs them to be stopped")
        one_way = [m.id for m in self._pending if m.rollback_path is None and m.forward_only]
        if one_way:
            self._found.notes.append(
                f"up only: {plural(len(one_way), 'file')} of {len(self._pending)} without a way"
                " back, so nothing shows that they can be undone"
            )
        for migration in self._pending:
            if migration.rollback_path is None and not migration.forward_only:
                self._found.problem(
                    f"{migration.id} has no rollback file: nothing proves a way back"
                )
        self._known_before = list(self._found.problems), list(self._found.notes)
        self._rules: list[Rule] | None = None

    def run(self) -> Certificate:
        """Run the files; once more with better rows, when they broke on what the rows are."""
        try:
            return self._run()
        except _RowsBreakError:
            rules = self._rules_to_come()
        # What was found so far is of rows that no service could have.
        self._found = _Findings(*map(list, self._known_before))
        self._measured.clear()
        self._schemas.clear()
        self._rules = rules
        asked = ", ".join(dict.fromkeys(rule.table.name for rule in rules))
        if asked:
            self._found.notes.append(
                f"the rows of {asked} were chosen to satisfy constraints that the files add"
            )
        return self._run()

    def _run(self) -> Certificate:
        scratch = self._scratch()
        bases, described = scratch.made()
        self._found.notes += scratch.notes
        self._try_statements(bases[0])
        sizes = [row_counts(base) for base in bases]
        before = contract_of(bases[-1])
        for index, base in enumerate(bases):
            large = index == len(bases) - 1
            label = f"{max(sizes[index].values(), default=0):,} rows"
            self._cycles(base, sizes[index], label, large=large)
        with connect(bases[-1], application_name=NAME) as connection:
            version = connection.info.server_version
        self._compare_versions(version)
        chain = chain_checksums(self._migrations)
        names = sorted(set().union(*sizes, self._live.sizes))
        return Certificate(
            service=self._pending[0].service,
            commit=commit_of(self._pending[0].path.parent),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            trueup=runner_version(),
            server=version,
            live_server=self._live.server,
            schema_from=described,
            problems=tuple(self._found.problems),
            notes=(*self._found.notes, *self._server.allowance.notes()),
            files={m.id: chain[m.id] for m in self._pending},
            schemas=self._schemas,
            live_schema=self._live.schema,
            sizes=tuple(
                TableSize(
                    told_name(*name),
                    known.rows if (known := self._live.sizes.get(name)) else None,
                    known.bytes if known else None,
                    tuple(size.get(name, 0) for size in sizes),
                )
                for name in names
            ),
            costs=costs.assemble(
                self._measured,
                self._pending,
                live={told_name(*name): size.rows for name, size in self._live.sizes.items()},
                loaded=self._loaded,
                load=self._load,
                samples=self._samples,
                begun=self._begun,
            ),
            load=self._load,
            before=before,
            after=self._after,
        )

    def _scratch(self) -> Bases:
        return Bases(
            *(self._server, self._dsn, self._live, self._options, self._standard, self._tell),
            rules=self._rules or [],
        )

    def _search_path(self) -> str:
        """Where the new release finds tables that keep their names; empty where none does."""
        standard = self._standard
        if standard is None or len(standard.places) == len(standard.schemas):
            return ""
        first = [place for place in standard.places if place not in standard.schemas]
        return ", ".join(map(quote_ident, [*first, *standard.schemas]))

    def _compare_versions(self, rehearsed: int) -> None:
        major, live = rehearsed // 10_000, (self._live.server or rehearsed) // 10_000
        if major != live:
            self._found.notes.append(
                f"rehearsed on PostgreSQL {major}, but the live database runs {live}, so"
                f" `apply --require-rehearsal` refuses it: name a server of version {live} by"
                " --scratch, or its programs in TRUEUP_PG_BIN"
            )

    def _try_statements(self, base: str) -> None:
        """Try what clients send before and after each step."""
        given = self._options.statements
        if base == self._options.backup or not (given or self._dsn):
            return
        tables = list(self._live.sizes)
        if self._standard is not None:
            tables = [Name(t.schema, t.old) for t in self._standard.tables]
        problems, notes = try_statements(
            *(self._server, base, self._pending, tables),
            dsn=self._dsn,
            given=given,
            listener=self._tell,
        )
        self._found.notes += notes
        for problem in problems:
            self._found.problem(problem)

    def _cycles(self, base: str, sizes: Mapping[Name, int], label: str, *, large: bool) -> None:
        """Up and down twice, and on the large sample once more among clients."""
        backup = base == self._options.backup
        before = read_state(base)
        work = base if backup else self._server.create(template=base)
        try:
            cycles = 3 if large and self._clients else 2
            for cycle in range(1, cycles + 1):
                loaded = cycle == 3
                first = large and cycle == 1
                whole = self._cycle(work, before, sizes, label, loaded=loaded, first=first)
                if whole == "stuck":
                    return
                if whole == "changed" and cycle < cycles:
                    if backup:
                        self._found.notes.append("run only once: the backup is no longer as it was")
                        return
                    self._server.drop(work)
                    work = self._server.create(template=base)
        finally:
            if not backup:
                self._server.drop(work)

    def _cycle(
        self,
        dsn: str,
        before: State,
        sizes: Mapping[Name, int],
        label: str,
        *,
        loaded: bool,
        first: bool,
    ) -> str:
        """One time up and down; returns "same", "changed" or "stuck"."""
        with connect(dsn, application_name=NAME) as connection:
            origins = relation_names(connection)
            old_queries = queries_of(connection, before.catalog) if loaded else []
            # A copy has other counters than were read, and nobody who uses an old name.
            begin_waiting(connection)
        crowd = Crowd(dsn, old_queries, self._new_queries, self._search_path())
        runs: list[FileRun] = []
        try:
            if loaded:
                self._begun = time.monotonic()
                crowd.old()
                time.sleep(_CALM_SECONDS)
            for direction in ("up", "down"):
                for migration in in_order(self._pending, direction):
                    if direction == "down" and migration.rollback_path is None:
                        return "changed"
                    self._tell(
                        f"{label}{', with clients' if loaded else ''}: {direction} {migration.id}"
                    )
                    if loaded:
                        crowd.fit(migration)
                    if first and direction == "up":
                        with connect(dsn, application_name=NAME) as connection:
                            found = service_catalog(connection)
                        self._schemas[migration.id] = schema_fingerprint(found)
                    runs.append(run_file(dsn, migration, direction, self._server.allowance))
                    if loaded:
                        time.sleep(_BREATH_SECONDS)
                if first and direction == "up":
                    self._after = contract_of(dsn)
                    with connect(dsn, application_name=NAME) as connection:
                        tables = self._standard.tables if self._standard else ()
                        kept = {Name(t.schema, t.name) for t in tables if t.old == t.name}
                        now = service_catalog(connection)
                        self._new_queries = queries_of(connection, now, kept)
                if loaded:
                    time.sleep(_CALM_SECONDS / 3)
        except TrueupError as error:
            broken = isinstance(error.__cause__, IntegrityError) and not self._options.backup
            if broken and direction == "up" and self._rules is None:
                raise _RowsBreakError from None
            if broken and direction == "up":
                self._found.problem(self._of_the_data())
            way = "" if isinstance(error, StatementError) else f"{direction} {migration.id}: "
            self._found.problem(f"{way}{error.message}{_next_step(migration, error)}")
            return "stuck" if direction == "up" else "changed"
        finally:
            crowd.stop()
            if loaded:
                self._keep_load(runs, crowd.samples)
            else:
                self._measured.append(
                    Measured(runs, {told_name(*n): c for n, c in sizes.items()}, origins)
                )
        lines = differences(before, read_state(dsn))
        for line in lines[:MOST_SHOWN]:
            self._found.problem(f"after the way down: {line}")
        if len(lines) > MOST_SHOWN:
            self._found.problem(f"after the way down: {len(lines) - MOST_SHOWN} differences more")
        return "changed" if lines else "same"

    def _rules_to_come(self) -> list[Rule]:
        """Run the files on empty tables, and see what they ask of the rows."""
        self._tell("looking for what the files ask of the rows")
        dsn = self._scratch().empty()
        with connect(dsn, application_name=NAME) as connection:
            lookout = Lookout(connection)
            with suppress(TrueupError):
                for migration in self._pending:
                    run_file(dsn, migration, "up", self._server.allowance)
                    lookout.look()
        self._server.drop(dsn)
        return list(lookout.rules)

    def _of_the_data(self) -> str:
        if self._dsn is None or self._options.made_up:
            return (
                "no rows could be made up that satisfy the constraint in the next line:"
                " name a live database or a backup"
            )
        return (
            "the data is at fault, not the file: live rows of the sample, which holds all that they"
            " refer to, violate the constraint in the next line; correct them first"
        )

    def _keep_load(self, runs: Sequence[FileRun], samples: list[Sample]) -> None:
        self._samples = samples
        self._loaded = {(run.migration.id, run.direction): run for run in runs}
        files, locks = costs.spans(runs, self._begun)
        self._load = summarize(samples, self._begun, files, locks)
        for error in self._load.errors[:MOST_SHOWN]:
            self._found.problem(
                f"{plural(error.count, 'client query')} failed, from {error.direction}"
                f" {error.migration} on: {error.message}"
            )


def _next_step(migration: Migration, error: TrueupError) -> str:
    """What to do when contract is refused though no client of the rehearsal uses an old name."""
    cause = error.__cause__
    if migration.phase != "contract" or not isinstance(cause, ObjectInUse):
        return ""
    return (
        "\nhint: change what `definitions` names between switch and contract; until then, rehearse"
        " as far as the switch: trueup rehearse --to switch"
    )
