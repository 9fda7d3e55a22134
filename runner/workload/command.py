"""Tries a workload at each stage of a conversion, and tells what does not work any more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from psycopg import Connection, Error

from runner.errors import TrueupError
from runner.execute.schema_copy import dump_schema, load_schema
from runner.ledger.files import Migration
from runner.ledger.records import read_ledger
from runner.postgres.connect import OURS, connect
from runner.postgres.scratch import ScratchServer, scratch_server
from runner.quoting import Name
from runner.workload.advice import advice, defines
from runner.workload.logs import read_statements
from runner.workload.model import Refusal, Sent, Stage, Verdict, Workload
from runner.workload.recorded import read_recorded
from runner.workload.routines import read_routines, read_views
from runner.workload.stages import is_online, let_look_up, make_stages
from runner.workload.trial import SETTINGS, Answer, attempt, is_of_sessions, wordings

_NAME = "trueup workload"
_LOOKS_UP = re.compile(
    r"\b(?:relkind|table_type|pg_tables|pg_index|pg_indexes|pg_constraint|table_constraints"
    r"|key_column_usage)\b",
    re.IGNORECASE,
)
_ROUTINES, _VIEWS = "functions and triggers", "views"

Listener = Callable[[str], None]


def try_workload(
    dsn: str,
    migrations: Sequence[Migration],
    *,
    tables: Sequence[Name],
    statements: Sequence[Path] = (),
    scratch: str | None = None,
    listener: Listener = lambda _: None,
) -> Workload:
    """Try the statements of a live database on copies of its schema, before and after each step.

    Args:
        dsn: the live database; it is only read.
        migrations: all that the sources hold, in the order of read_migrations.
        tables: those that are converted, by their old names.
        statements: files of SQL or logs; without any, what pg_stat_statements has recorded.
        scratch: a server for the copies, as a superuser; None for the embedded one.
        listener: told what is done now.

    Returns:
        What was tried and found; what could not be done is in `not_looked_at`.

    Raises:
        UsageError: a file of statements cannot be read.
        ConnectionFailedError: the live database cannot be reached.
    """
    sent, notes = sent_by_clients(dsn, statements)
    with connect(dsn, application_name=_NAME) as connection:
        row = connection.execute("SHOW search_path").fetchone()
        connection.execute("SET search_path = pg_catalog")
        applied = read_ledger(connection).applied
        major = connection.info.server_version // 10_000
    search_path = row[0] if row else ""
    pending = [m for m in migrations if m.id not in applied]
    if not is_online(pending):
        return Workload()
    listener("copying the schema")
    try:
        with scratch_server(scratch, major=major) as server:
            schema = dump_schema(dsn, owners=server.own)
            now = server.create()
            lost = load_schema(server, now, schema, lambda: None)
            notes += [f"not in the copy of the schema: {failure}" for failure in lost]
            schemas = tuple(dict.fromkeys(name.schema for name in tables))
            let_look_up(now, search_path, schemas)
            return try_on(server, now, pending, tables, sent, notes=notes, listener=listener)
    except (TrueupError, Error) as error:
        said = error.message if isinstance(error, TrueupError) else str(error).strip()
        hint = getattr(error, "hint", "")
        return Workload(not_looked_at=(*notes, "; ".join(filter(None, [said, hint]))))


def try_on(
    scratch: ScratchServer,
    now: str,
    pending: Sequence[Migration],
    tables: Sequence[Name],
    sent: Sequence[Sent],
    *,
    notes: Iterable[str] = (),
    listener: Listener = lambda _: None,
) -> Workload:
    """Try statements on a scratch database, and on what pending files make of it.

    Args:
        scratch: its server.
        now: the database, at the schema of now.
        pending: the files that are not applied.
        tables: those that are converted, by their old names.
        sent: what clients have sent.
        notes: what nothing can be said about.
        listener: told what is done now.
    """
    left = list(notes)
    if not is_online(pending):
        return Workload(not_looked_at=tuple(left))
    chosen = [one for one in sent if not is_of_sessions(one.text)]
    trials = _Trials(tables)
    for stage, dsn in make_stages(scratch, now, pending):
        listener(f"trying {len(chosen):,} statements {stage.value}")
        with connect(dsn, application_name=_NAME, settings=SETTINGS) as connection:
            routines, dynamic = read_routines(connection)
            trials.at(stage, [*chosen, *routines, *read_views(connection)], connection)
        if stage is Stage.NOW and dynamic:
            left.append(
                f"{dynamic} {'function puts' if dynamic == 1 else 'functions put'} SQL together"
                " as they run (EXECUTE): that SQL is not seen here"
            )
    return trials.workload(left)


class _Trials:
    """The answers of each stage, held against those of now."""

    def __init__(self, tables: Sequence[Name]) -> None:
        self._tables = tables
        self._now: dict[str, tuple[str, Answer]] = {}
        self._refused: list[Refusal] = []
        self._failed: set[str] = set()
        self._not_tried: list[tuple[Sent, str]] = []
        self._stages: list[Stage] = []
        self._tried: Counter[str] = Counter()
        self._views: frozenset[str] = frozenset()  # those of the tables that are views at a stage
        self._at_expand: frozenset[str] = frozenset()

    def at(self, stage: Stage, sent: Sequence[Sent], connection: Connection[Any]) -> None:
        """Try the statements at a stage; NOW comes first."""
        self._stages.append(stage)
        self._views = _views(connection, self._tables)
        if stage is Stage.EXPANDED:
            self._at_expand = self._views
        for one in sent:
            key = one.routine or one.text
            if stage is Stage.NOW:
                self._try_now(key, one, connection)
            elif key in self._now and key not in self._failed:
                self._try_later(key, one, stage, connection)

    def workload(self, notes: Sequence[str]) -> Workload:
        """All of it."""
        order = list(Stage)
        found = sorted(
            self._refused,
            key=lambda r: (order.index(r.stage), r.tables, -(r.sent.calls or 0)),
        )
        return Workload(
            tuple(self._tried.items()),
            sum(n for name, n in self._tried.items() if name not in (_ROUTINES, _VIEWS)),
            tuple(found),
            tuple(self._not_tried),
            tuple(notes),
            tuple(self._stages),
            tuple(sorted(self._at_expand)),
        )

    def _try_now(self, key: str, one: Sent, connection: Connection[Any]) -> None:
        first = ""
        for text in [one.trial] if one.trial else wordings(one):
            answer = attempt(connection, text, one)
            if answer.message:
                first = first or answer.message
                continue
            if answer.rows is not None and attempt(connection, text, one).rows != answer.rows:
                answer = Answer(columns=answer.columns, relations=answer.relations)
            self._now[key] = text, answer
            self._tried[_group(one)] += 1
            return
        self._not_tried.append((one, first))

    def _try_later(self, key: str, one: Sent, stage: Stage, connection: Connection[Any]) -> None:
        text, before = self._now[key]
        answer = attempt(connection, one.trial or text, one)
        touched = self._touched(f"{one.text} {one.source if one.trial else ''}", before)
        of_view = bool(self._views.intersection(touched) if touched else self._views)
        verdict, message = _compared(one.text, before, answer, self._names, of_view=of_view)
        if verdict is None:
            return
        if verdict is Verdict.FAILS:
            self._failed.add(key)
        self._refused.append(
            Refusal(
                one,
                touched,
                stage,
                verdict,
                message,
                advice(one.text, stage, answer.sqlstate, of_view=of_view),
                one.routine is None and defines(one.text),
            )
        )

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(name.name for name in self._tables)

    def _touched(self, text: str, before: Answer) -> tuple[str, ...]:
        return tuple(
            str(name)
            for name in self._tables
            if tuple(name) in before.relations
            or re.search(rf"(?<![\w$]){re.escape(name.name)}(?![\w$])", text, re.IGNORECASE)
        )


def _views(connection: Connection[Any], tables: Sequence[Name]) -> frozenset[str]:
    found = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'v'"
    )
    views = {Name(*row) for row in found}
    return frozenset(str(name) for name in tables if name in views)


def _group(one: Sent) -> str:
    if one.routine is None:
        return one.source.rpartition(":")[0] or one.source
    return _VIEWS if one.routine.startswith("view ") else _ROUTINES


def _compared(
    text: str, before: Answer, after: Answer, names: frozenset[str], *, of_view: bool
) -> tuple[Verdict | None, str]:
    """What became of an answer; None for as good as before."""
    if after.message:
        return Verdict.FAILS, after.message
    more = [c for c in after.columns if c not in before.columns]
    if more and re.match(r"\s*COPY\b", text, re.IGNORECASE):
        if re.match(r"[^']*\bFROM\b", text, re.IGNORECASE):
            return Verdict.FAILS, f'missing data for column "{more[0]}"'
        return Verdict.DIFFERS, f"more columns: {', '.join(more)}"
    if more and len(after.columns) > len(before.columns):
        shown = f"{', '.join(more[:3])}{', ...' if len(more) > 3 else ''}"
        return Verdict.DIFFERS, (
            f"more columns: {shown}; a session that has prepared it fails once: cached plan must"
            " not change result type"
        )
    if before.rows is not None and after.rows is not None:
        if lost := _lost(before.rows, after.rows, names):
            return Verdict.DIFFERS, lost
    elif of_view and _LOOKS_UP.search(text) and before.reads_catalog:
        return Verdict.MAYBE, "looks a table up in the catalog, and may find a view"
    return None, ""


def _lost(
    before: tuple[tuple[str | None, ...], ...],
    after: tuple[tuple[str | None, ...], ...],
    names: frozenset[str],
) -> str:
    """What an answer of the catalog does not hold any more."""
    held, holds = ({v for row in rows for v in row} for rows in (before, after))
    if gone := sorted(names & {v for v in held if v} - holds):
        return f"the answer does not hold {', '.join(gone)} any more"
    if len(after) < len(before) and not after:
        return "no row is found any more"
    empty = [sum(v is None for row in rows for v in row) for rows in (before, after)]
    if len(after) == len(before) and empty[1] > empty[0]:
        return "the answer is NULL, which it was not"
    return ""


def sent_by_clients(dsn: str | None, statements: Sequence[Path]) -> tuple[list[Sent], list[str]]:
    """Read what clients have sent.

    Args:
        dsn: the live database; None for the files alone.
        statements: files of SQL or logs; without any, what pg_stat_statements has recorded.

    Returns:
        The statements, and what could not be looked at, each with the way to it.
    """
    if statements or dsn is None:
        return [one for path in statements for one in read_statements(path)], []
    with connect(dsn, application_name=_NAME, settings=OURS) as connection:
        return read_recorded(connection)
