"""Where a database stands and how a run goes, as OpenMetrics text for Prometheus and its kin.

A file for node_exporter's textfile collector, or for whatever reads it: written beside its place
and put there in one step, so that nobody reads half of one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic

from runner.errors import UsageError
from runner.execute.events import (
    AttemptFailed,
    BackfillHeld,
    Event,
    FileDone,
    FileStarted,
    Listener,
    Progress,
    RunDone,
    RunStarted,
    TableHeld,
    Vitals,
)
from runner.execute.underway import Underway

Sample = tuple[Mapping[str, str], float]
_SECONDS = 1.0  # between two writings of a run's file


def write_status(path: Path, underway: Underway) -> None:
    """Write where a database stands.

    Args:
        path: the file; it is replaced.
        underway: as `trueup status` sees it.

    Raises:
        UsageError: it cannot be written.
    """
    standings = Counter(status.standing for status in underway.migrations)
    text = _text(
        (
            "trueup_files",
            "gauge",
            "Migration files by where they stand.",
            [({"standing": standing}, count) for standing, count in standings.items()],
        ),
        (
            "trueup_backfill_ratio",
            "gauge",
            "How much of a backfill is done, from 0 to 1.",
            [({"file": b.file, "table": b.table_name}, b.share) for b in underway.backfills],
        ),
        (
            "trueup_backfill_rows",
            "gauge",
            "Rows that a backfill has converted.",
            [({"file": b.file, "table": b.table_name}, b.rows_done) for b in underway.backfills],
        ),
        (
            "trueup_old_name_queries",
            "gauge",
            "Queries through an old name, as far as the server's statistics go back.",
            [({"name": n.name}, n.queries) for n in underway.old_names],
        ),
        (
            "trueup_old_name_contract_allowed_timestamp_seconds",
            "gauge",
            "When contract may remove an old name, if nobody uses it until then.",
            [
                ({"name": n.name}, n.allowed_from.timestamp())
                for n in underway.old_names
                if n.allowed_from is not None
            ],
        ),
    )
    _write(path, text)


def written(path: Path, looks: Iterable[Underway]) -> Iterator[Underway]:
    """The same looks at a database, each written to a file as it comes.

    Args:
        path: the file; it is replaced.
        looks: as `trueup status` sees it.

    Raises:
        UsageError: it cannot be written.
    """
    for underway in looks:
        write_status(path, underway)
        yield underway


def metrics_listener(path: Path) -> Listener:
    """A listener that keeps a file at how the run goes; it never stops a run.

    Args:
        path: the file; it is replaced.

    Raises:
        UsageError: it cannot be written.
    """
    listener = _Run(path)
    _write(path, _text())
    return listener


class _Run:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun = self._written = monotonic()
        self._files = self._done = 0
        self._running: dict[str, str] = {}
        self._progress: Progress | None = None
        self._vitals: Vitals | None = None
        self._counts: Counter[str] = Counter(failed=0, held=0)
        self._over = False

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._files = len(event.migrations)
            case FileStarted():
                self._running = {"file": event.migration, "phase": event.phase}
                self._progress = self._vitals = None
            case Progress():
                self._progress = event
            case Vitals():
                self._vitals = event
            case AttemptFailed():
                self._counts["failed"] += 1
            case TableHeld() | BackfillHeld():
                self._counts["held"] += 1
            case FileDone():
                self._done += 1
                self._running, self._progress, self._vitals = {}, None, None
            case RunDone():
                self._over = True
        if isinstance(event, RunDone) or monotonic() - self._written >= _SECONDS:
            self._written = monotonic()
            with suppress(UsageError):
                _write(self._path, self._as_text())

    def _as_text(self) -> str:
        walked = self._progress
        where = {"file": walked.migration, "table": walked.table} if walked else {}
        left = walked.seconds_left if walked else None
        p99 = self._vitals.commit_p99 if self._vitals else None
        lag = self._vitals.lag if self._vitals else None
        return _text(
            ("trueup_run_files", "gauge", "Files of the run.", [({}, self._files)]),
            ("trueup_run_files_done", "gauge", "Files that are done.", [({}, self._done)]),
            (
                "trueup_run_file",
                "gauge",
                "The file that runs now.",
                [(self._running, 1)] if self._running else [],
            ),
            (
                "trueup_run_ratio",
                "gauge",
                "How much of the file that runs now is done, from 0 to 1.",
                [(where, walked.share)] if walked else [],
            ),
            (
                "trueup_run_rows_per_second",
                "gauge",
                "Rows converted in a second.",
                [(where, walked.rows_per_second)] if walked else [],
            ),
            (
                "trueup_run_left_seconds",
                "gauge",
                "Seconds that the file will probably still take.",
                [(where, left)] if left is not None else [],
            ),
            (
                "trueup_run_commit_p99_seconds",
                "gauge",
                "What 99 in 100 of the run's own small commits took at most, beside a backfill.",
                [({}, p99)] if p99 is not None else [],
            ),
            (
                "trueup_run_standby_lag_seconds",
                "gauge",
                "How far the last standby is behind, beside a backfill.",
                [({}, lag)] if lag is not None else [],
            ),
            (
                "trueup_run_lock_attempts_failed",
                "counter",
                "Tries that gave up a lock so that no client waits.",
                [({}, self._counts["failed"])],
            ),
            (
                "trueup_run_held",
                "counter",
                "Times that the run waited for a transaction, a standby or the archive.",
                [({}, self._counts["held"])],
            ),
            (
                "trueup_run_seconds",
                "gauge",
                "Seconds since the run began.",
                [({}, monotonic() - self._begun)],
            ),
            ("trueup_run_done", "gauge", "1 when it is done.", [({}, float(self._over))]),
        )


def _text(*families: tuple[str, str, str, Iterable[Sample]]) -> str:
    lines = []
    for name, kind, meaning, samples in families:
        lines += [f"# TYPE {name} {kind}", f"# HELP {name} {meaning}"]
        ending = "_total" if kind == "counter" else ""
        lines += [f"{name}{ending}{_labels(labels)} {value:.10g}" for labels, value in samples]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"--metrics {path} cannot be written: {error.strerror}") from None
