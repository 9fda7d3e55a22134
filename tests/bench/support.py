"""What every measurement uses: the lines it reports, a server, and filled databases.

A module named bench_*.py, here or in a folder below, has one function `measure(bench: Bench)`. It
measures and calls `bench.at_most`, `bench.at_least`, `bench.exactly` or `bench.figure` once for
each line of the table.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median

import psycopg
from psycopg import sql

from runner import config
from runner.ledger.files import Migration, read_migrations
from runner.postgres.embedded import EmbeddedServer, start_server

SERVICE = Path(__file__).parents[2] / "sql" / "model_orchestration"
TURNS = 5  # of each measurement: every side has its turn in each
_PART = 0.03  # of what parts are compared with: smaller ones are not told
# A small production server rather than PostgreSQL's defaults, which are for a very small one.
SERVER_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "maintenance_work_mem": "256MB",
    "synchronous_commit": "on",
    "log_lock_waits": "on",
    "log_line_prefix": "%n [%p] %a ",
}


Measured = float | Sequence[float]


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Args:
        name: what was measured.
        measured: the figure; of several turns the median.
        unit: of the figure and of the bar, empty for a count.
        bar: what it is held to, None when it is told for information.
        sign: `<=`, `>=` or `=`: how the figure must stand to the bar.
        note: what the figure was made of.
        turns: the figure of each turn; none for what is measured once.
    """

    name: str
    measured: float
    unit: str
    bar: float | None
    sign: str
    note: str
    turns: tuple[float, ...] = ()

    @property
    def passed(self) -> bool | None:
        """Whether the figure keeps its bar, None without one."""
        if self.bar is None:
            return None
        if self.sign == "<=":
            return self.measured <= self.bar
        return self.measured >= self.bar if self.sign == ">=" else self.measured == self.bar


@dataclass(frozen=True)
class Curve:
    """A curve of a plot that `bench.plot` draws.

    Args:
        plot: which plot.
        along: what its x axis counts.
        name: what it shows, and its unit.
        points: y by x.
        marks: what begins at which x.
    """

    plot: str
    along: str
    name: str
    points: tuple[tuple[float, float], ...]
    marks: tuple[tuple[float, str], ...] = ()


@dataclass
class Bench:
    """One run of the measurements.

    Args:
        full: the sizes of issue 4 instead of small ones.
        report: called with each line as soon as it is known.
    """

    full: bool
    report: Callable[[Line], None]
    lines: list[Line] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    _templates: dict[tuple[int, int], str] = field(default_factory=dict)

    def at_most(
        self,
        name: str,
        measured: Measured,
        bar: float,
        unit: str = "",
        note: str = "",
        *,
        small: bool = True,
    ) -> None:
        """Report a figure that must not be above its bar.

        Args:
            name: what was measured.
            measured: the figure, or that of each turn.
            bar: what it is held to.
            unit: of both.
            note: what the figure was made of.
            small: whether the bar holds at the small sizes, too.
        """
        self._held(name, measured, bar, "<=", unit, note, small=small)

    def at_least(
        self,
        name: str,
        measured: Measured,
        bar: float,
        unit: str = "",
        note: str = "",
        *,
        small: bool = True,
    ) -> None:
        """Report a figure that must not be below its bar; the arguments are those of at_most."""
        self._held(name, measured, bar, ">=", unit, note, small=small)

    def exactly(
        self, name: str, measured: float, bar: float, unit: str = "", note: str = ""
    ) -> None:
        """Report a count that must be its bar."""
        self._held(name, measured, bar, "=", unit, note, small=True)

    def figure(self, name: str, measured: Measured, unit: str = "", note: str = "") -> None:
        """Report a figure without a bar."""
        self._held(name, measured, None, "", unit, note, small=True)

    def parts(
        self,
        name: str,
        turns: Sequence[Mapping[str, float]],
        whole: Sequence[float],
        of: str,
    ) -> None:
        """Report the larger parts of what was measured, in their order, without bars.

        Args:
            name: what was measured.
            turns: of each turn the seconds of its parts.
            whole: of each turn the seconds that they are compared with.
            of: what these are.
        """
        for part in dict.fromkeys(part for turn in turns for part in turn):
            taken = [turn.get(part, 0.0) for turn in turns]
            share = median(ratios(taken, whole))
            if share >= _PART:
                self.figure(f"{name}: {part}", taken, "s", f"{share:.0%} of {of}")

    def curve(
        self,
        plot: str,
        along: str,
        name: str,
        points: Mapping[int, float],
        marks: Mapping[str, float] | None = None,
    ) -> None:
        """Keep a curve for a plot; the arguments are those of Curve."""
        begins = tuple((at, what) for what, at in (marks or {}).items())
        self.curves.append(Curve(plot, along, name, tuple(points.items()), begins))

    def _held(
        self,
        name: str,
        measured: Measured,
        bar: float | None,
        sign: str,
        unit: str,
        note: str,
        *,
        small: bool,
    ) -> None:
        turns = (measured,) if isinstance(measured, int | float) else tuple(measured)
        if not (small or self.full):
            note = "; ".join(filter(None, [note, f"{sign} {bar:g} {unit} is for full sizes"]))
            bar, sign = None, ""
        kept = turns if len(turns) > 1 else ()
        self._add(Line(name, median(turns), unit, bar, sign, note, kept))

    def _add(self, line: Line) -> None:
        self.lines.append(line)
        self.report(line)

    def size(self, *, full: int, small: int) -> int:
        """How many rows to measure with; BENCH_ROWS overrides the small size."""
        if self.full:
            return full
        return int(os.environ.get("BENCH_ROWS") or small)

    @cached_property
    def server(self) -> EmbeddedServer:
        """The server of this run; started when it is first asked for, stopped by close."""
        server = start_server(settings=self.settings)
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            _keep_wal_files(connection)
        return server

    @property
    def settings(self) -> dict[str, str]:
        """The server's; BENCH_SETTINGS overrides some: "min_wal_size=80MB shared_buffers=6GB"."""
        own = dict(part.split("=", 1) for part in os.environ.get("BENCH_SETTINGS", "").split())
        return {**SERVER_SETTINGS, "min_wal_size": "4GB" if self.full else "512MB", **own}

    @contextmanager
    def database(self, *, models: int = 7, requests: int = 0) -> Iterator[str]:
        """A database at the old contract, dropped afterwards.

        Args:
            models, requests: how many rows of each; the same numbers are filled once and cloned.

        Returns:
            The DSN.
        """
        template = self._templates.get((models, requests))
        if template is None:
            template = self._create(None)
            fill(self.server.dsn(template), models=models, requests=requests)
            self._templates[models, requests] = template
        name = self._create(template)
        dsn = self.server.dsn(name)
        # As after a while of use: in the cache, no write of the clone's making outstanding.
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("SELECT count(*) FROM public.requests")
            connection.execute("CHECKPOINT")
        try:
            yield dsn
        finally:
            self.server.drop_database(name)

    def empty_database(self) -> str:
        """The name of a new empty database."""
        return self._create(None)

    def _create(self, template: str | None) -> str:
        name = f"bench_{uuid.uuid4().hex[:12]}"
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
            if self.server.version >= (15, 0):
                statement += sql.SQL(" STRATEGY FILE_COPY")
        with psycopg.connect(self.server.dsn(), autocommit=True) as connection:
            connection.execute(statement)
        return name

    def close(self) -> None:
        """Stop the server, if one was started."""
        if "server" in self.__dict__:
            self.server.stop()


def _keep_wal_files(connection: psycopg.Connection) -> None:
    """Let the server have min_wal_size of WAL files to use again, as after a while of use.

    A new file is filled with zeros first, and every commit waits for that.
    """
    connection.execute(
        """
        DO $$
        BEGIN
            FOR n IN 1..pg_size_bytes(current_setting('min_wal_size'))
                / pg_size_bytes(current_setting('wal_segment_size'))
            LOOP
                PERFORM pg_logical_emit_message(false, 'bench', 'fill'), pg_switch_wal();
            END LOOP;
        END $$
        """
    )
    connection.execute("CHECKPOINT")


_LOGGED = re.compile(
    r"^(?P<at>[\d.]+) \[(?P<pid>\d+)\] trueup-\S+ LOG:  duration: (?P<ms>[\d.]+) ms  [^:]+: "
    r"(?P<sql>.*(?:\n\t.*)*)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Logged:
    """A statement of a run, as the server's log has it: when it ended and what it took, in ms."""

    at: float
    pid: str
    taken: float
    text: str


def statements_of_runs(log: Path, begin: int) -> Iterator[Logged]:
    """The statements of trueup that a log holds from a position on."""
    with log.open(encoding="utf-8", errors="replace") as lines:
        lines.seek(begin)
        for line in _LOGGED.finditer(lines.read()):
            yield Logged(float(line["at"]) * 1000, line["pid"], float(line["ms"]), line["sql"])


def migrations(strategy: str) -> tuple[Migration, ...]:
    """Model Orchestration's migrations of a strategy, contract included."""
    sources = config.resolve_sources((), str(SERVICE), {}, strategy)
    return read_migrations(sources.folders, on_request=sources.on_request)


def fill(dsn: str, *, models: int, requests: int) -> None:
    """Make the old contract and its rows: ids at random, as a service makes them."""
    from runner.execute import engine

    engine.apply(dsn, migrations("window"), to="baseline")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO public.models (id, model_id, provider, capabilities, status, display_name)
            SELECT gen_random_uuid(), 'model-' || n,
                (ARRAY['openai', 'anthropic', 'ollama', 'custom'])[n %% 4 + 1],
                CASE WHEN n %% 3 = 0 THEN '{embedding}' ELSE '{chat,completion}' END::varchar[],
                CASE WHEN n %% 9 = 0 THEN 'deprecated' ELSE 'active' END, 'Model ' || n
            FROM generate_series(1, %s) AS n
            """,
            [models],
        )
        connection.execute(
            """
            INSERT INTO public.requests
                (id, request_id, request_type, model_id, provider, user_id, request_data,
                 response_data, prompt_tokens, completion_tokens, total_tokens, latency_ms, cost,
                 success, error_code, created_at)
            SELECT gen_random_uuid(), 'req-' || n,
                (ARRAY['chat', 'chat', 'completion', 'embedding'])[n %% 4 + 1], m.id, m.provider,
                'user-' || n %% 500, json_build_object('prompt', repeat('x', n %% 200)),
                json_build_object('text', repeat('y', n %% 300)),
                n %% 900, n %% 700, n %% 900 + n %% 700, 80 + n %% 4000, (n %% 700) * 1e-5,
                n %% 50 <> 0, CASE WHEN n %% 50 = 0 THEN 'rate_limit_exceeded' END,
                now() - n * interval '7 seconds'
            FROM generate_series(1, %s) AS n
            JOIN (SELECT *, row_number() OVER () - 1 AS place FROM public.models) AS m
                ON m.place = n %% %s
            """,
            [requests, models],
        )
        connection.execute(
            """
            INSERT INTO public.provider_quotas (id, provider, daily_tokens_used,
                monthly_tokens_used, daily_cost_used, monthly_cost_used)
            SELECT gen_random_uuid(), provider, 0, 0, 0, 0
            FROM unnest(ARRAY['openai', 'anthropic', 'ollama', 'custom']) AS provider
            """
        )
        connection.execute("VACUUM (FREEZE, ANALYZE)")


@dataclass(frozen=True)
class Spent:
    """What a process took: seconds of its processor time, and seconds on the clock."""

    process: float
    clock: float


def middle(spent: Iterable[Spent]) -> Spent:
    """The median of what several runs took."""
    spent = list(spent)
    return Spent(median(s.process for s in spent), median(s.clock for s in spent))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """What ours is to theirs in each turn, in which both met what else the machine did."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def run_python(*arguments: str, dsn: str = "") -> Spent:
    """Run a Python process, and tell what it took; it must exit with 0."""
    return run(sys.executable, *arguments, dsn=dsn)


def run(*command: str, dsn: str = "", codes: tuple[int, ...] = (0,)) -> Spent:
    """Run a process, and tell what it took; it must exit with one of the codes."""
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {"TRUEUP_DSN": dsn}
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        taken = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            output.seek(0)
            raise RuntimeError(f"{command[:5]}: {output.read().decode()[-2000:]}")
    return Spent(usage.ru_utime + usage.ru_stime, taken)


def machine(bench: Bench) -> list[tuple[str, str]]:
    """What the figures were measured on."""
    found = [
        ("cores", str(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count())),
        ("RAM", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("Python", platform.python_version()),
    ]
    if "server" in bench.__dict__:
        server = bench.server
        settings = ", ".join(f"{name} {value}" for name, value in bench.settings.items())
        found += [("PostgreSQL", f"{server.version[0]}.{server.version[1]} ({settings})")]
    return found


__all__ = [
    "SERVICE",
    "TURNS",
    "Bench",
    "Curve",
    "Line",
    "Logged",
    "Spent",
    "fill",
    "machine",
    "middle",
    "migrations",
    "ratios",
    "run",
    "run_python",
    "statements_of_runs",
]
