"""The demo's story: what it does in which order, and what it measures."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import quote

from psycopg.rows import dict_row

from runner import config
from runner.demo import tables
from runner.demo.data import fill
from runner.demo.result import Phase, Result, Sample
from runner.demo.show import STEPS, Show
from runner.errors import TrueupError
from runner.execute import engine
from runner.execute.events import Event, FileDone
from runner.execute.old_names import begin_waiting
from runner.ledger.files import Migration, read_migrations
from runner.postgres.connect import connect
from runner.postgres.embedded import EmbeddedServer, start_server
from runner.preflight import check
from runner.standard import load_standard
from runner.verify import verify

SERVICE = "model_orchestration"
_CHAPTERS = 7
_PAUSE = 3.0
_COLUMNS = 80  # of a narrow terminal


class _Clients:
    """A process with clients of one contract."""

    def __init__(self, contract: str, dsn: str, folder: Path, *, has_table: bool) -> None:
        self.contract = contract
        self._out = folder / f"{contract}-{time.monotonic_ns()}.jsonl"
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "runner.demo.clients"),
                *("--dsn", dsn, "--contract", contract),
                *("--ids", str(folder / "ids.json"), "--out", str(self._out)),
                *(["--has-table"] if has_table else []),
            ],
            stdin=subprocess.DEVNULL,
        )

    def heard(self) -> tuple[int, int]:
        """How many transactions they have ended so far, and how many failed."""
        with suppress(OSError, ValueError):
            done, failed = json.loads(self._out.with_suffix(".now").read_text())
            return done, failed
        return 0, 0

    def stop(self) -> list[Sample]:
        """Stop the clients and return what they saw."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)
        with self._out.open(encoding="utf-8") as lines:
            return [Sample(*json.loads(line)) for line in lines]

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Demo:
    """One run of the demo.

    Args:
        rows: how many requests the service has.
        pause: seconds for which the clients work undisturbed between two steps.
        quiet: show nothing.
    """

    def __init__(self, rows: int, *, pause: float = _PAUSE, quiet: bool = False) -> None:
        self._rows, self._pause = rows, pause
        self._running: dict[str, _Clients] = {}
        self._ended = (0, 0)
        self._show = Show(_CHAPTERS, self._heard, quiet=quiet)

    def run(self, folder: Path, *, keep: bool) -> Result:
        """Run all of it on a server of its own.

        Args:
            folder: for the clients' files.
            keep: leave the server running.

        Returns:
            What was measured.

        Raises:
            TrueupError: the server does not start; as the engine, check and verify do.
        """
        self._folder = folder
        self._migrations = _migrations("online")
        with self._show as show:
            show.chapter(
                f"A live service with its old tables and {self._rows:,} requests",
                "models, requests, provider_quotas: ids as text, enum values in lowercase",
            )
            show.note("starting a PostgreSQL of its own")
            server = start_server(keep=keep)
            try:
                self._dsn = _url(server)
                server.create_database("demo")
                self._result = result = Result(self._rows, server.version)
                self._story()
            except BaseException:
                self._kill()
                with suppress(ProcessLookupError):
                    os.kill(server.supervisor_pid, signal.SIGTERM)
                raise
            finally:
                if not keep:
                    server.stop()
        show.result(result)
        show.last(_next(self._dsn, server) if keep else _once_more())
        return result

    def _story(self) -> None:
        show, result = self._show, self._result
        self._apply("baseline")
        show.note("filling the tables")
        with connect(self._dsn, application_name="demo") as connection:
            ids = fill(connection, self._rows)
        (self._folder / "ids.json").write_text(json.dumps(ids))
        show.note("")
        result.before = self._look("models", "requests")
        self._start("old", has_table=True)
        show.line("from now on four clients of the old release work, 100 queries a second")
        self._work("before")

        standard = load_standard(_service() / "standard.toml")
        show.chapter("trueup check", "Would anything in the data or the schema stop us?")
        with (
            self._phase("check"),
            connect(self._dsn, application_name="trueup check") as connection,
        ):
            show.preflight(check(connection, standard))

        show.chapter(
            "trueup apply", "New names and columns appear beside the old ones, in three phases."
        )
        self._apply("enforce")
        self._start("new")
        show.line("four clients of the new release join: both releases work on the same rows")
        self._work("both live")

        show.chapter("trueup apply --to switch", "The new release takes over the tables.")
        self._retire()
        self._apply("switch")
        show.line("both releases still work")
        self._work("switched")

        show.chapter("trueup rollback --to baseline", "Changed your mind? All the way back.")
        self._stop("new")
        with self._phase("rollback"), show.files() as listener:
            engine.rollback(self._dsn, self._migrations, to="baseline", listener=listener)
        same = self._look("models", "requests") == result.before
        show.line("the rows shown below are byte for byte as before" if same else "ROWS DIFFER")

        show.chapter("trueup apply --to switch", "And there again.")
        self._apply("switch", again=True)
        self._start("new")

        show.chapter("trueup apply --to contract", "Nobody uses the old names? Remove them.")
        self._stop("old")
        show.line("the old release is retired; the usage counters of its names must rest")
        with connect(self._dsn, application_name="demo") as connection:
            begin_waiting(connection)
        with self._phase("wait"):
            show.wait(self._pause + 1)
        self._apply("contract")
        with connect(self._dsn, application_name="trueup verify") as connection:
            verification = verify(connection, standard)
        result.distances = [str(d) for d in verification.distances]
        result.after = self._look("model", "request")
        self._work("after")
        self._stop("new")
        with connect(self._dsn, application_name="demo") as connection:
            row = connection.execute(
                "SELECT sum(daily_tokens_used) FROM public.provider_quota"
            ).fetchone()
        result.counted = int(row[0]) if row else 0

    def _apply(self, to: str, *, again: bool = False) -> None:
        """Apply up to a phase, and note how long each phase took."""
        marks: dict[str, list[float]] = {}
        begun = time.monotonic()
        with self._show.files() as listener:

            def listen(event: Event) -> None:
                nonlocal begun
                if isinstance(event, FileDone):
                    now = time.monotonic()
                    step = STEPS.get(event.phase, event.phase)
                    marks.setdefault(step, [begun, now])[1] = now
                    begun = now
                listener(event)

            engine.apply(
                self._dsn,
                self._migrations,
                to=to,
                settings=engine.Settings(waiting_period=f"{self._pause} seconds"),
                listener=listen,
            )
        if again:
            marks = {"all that again": [marks["prepare"][0], marks["switch"][1]]}
        self._result.phases += [
            Phase(name, *mark) for name, mark in marks.items() if name != "baseline"
        ]

    def _work(self, name: str) -> None:
        """Let the clients work undisturbed for a while."""
        with self._phase(name):
            self._show.wait(self._pause)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self._result.phases.append(Phase(name, begun, time.monotonic()))

    def _start(self, contract: str, *, has_table: bool = False) -> None:
        self._running[contract] = _Clients(contract, self._dsn, self._folder, has_table=has_table)

    def _retire(self) -> None:
        """The old release goes; stragglers of it send only what a view takes."""
        self._stop("old")
        self._start("old")

    def _stop(self, contract: str) -> None:
        samples = self._running[contract].stop()
        del self._running[contract]
        self._result.samples[contract] += samples
        self._ended = (
            self._ended[0] + len(samples),
            self._ended[1] + sum(bool(s.error) for s in samples),
        )

    def _kill(self) -> None:
        for clients in self._running.values():
            clients.kill()

    def _heard(self) -> tuple[int, int]:
        """Called from the thread of the bar."""
        heard = [self._ended, *(clients.heard() for clients in list(self._running.values()))]
        return sum(done for done, _ in heard), sum(failed for _, failed in heard)

    def _look(self, *tables: str) -> dict[str, dict[str, Any]]:
        """One row of each table as it is stored."""
        models, requests = tables
        with (
            connect(self._dsn, application_name="demo") as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            found = {}
            for table, query in (
                (models, _LOOK_MODELS if models == "models" else _LOOK_MODEL),
                (requests, _LOOK_REQUESTS if requests == "requests" else _LOOK_REQUEST),
            ):
                row = cursor.execute(query).fetchone()
                assert row is not None
                found[table] = row
        return found


_LOOK_MODELS = """
    SELECT id, pg_typeof(id)::text AS "type of id", provider, capabilities, status
    FROM public.models WHERE model_id = 'llama3:latest'
"""
_LOOK_MODEL = """
    SELECT id, pg_typeof(id)::text AS "type of id", provider, capabilities, status
    FROM public.model WHERE model_id = 'llama3:latest'
"""
_LOOK_REQUESTS = """
    SELECT id, pg_typeof(id)::text AS "type of id", model_id,
        pg_typeof(model_id)::text AS "type of model_id", request_type, provider
    FROM public.requests WHERE request_id = 'req-7'
"""
_LOOK_REQUEST = """
    SELECT id, pg_typeof(id)::text AS "type of id", model_id,
        pg_typeof(model_id)::text AS "type of model_id", request_type, provider
    FROM public.request WHERE request_id = 'req-7'
"""


def _service() -> Path:
    for root in (Path(__file__).parents[2] / "sql", Path(__file__).parents[1] / "_sql"):
        if (root / SERVICE / "standard.toml").is_file():
            return root / SERVICE
    raise TrueupError(f"the service {SERVICE} is not part of this installation")


def _migrations(strategy: str) -> tuple[Migration, ...]:
    sources = config.resolve_sources((), str(_service()), {}, strategy)
    return read_migrations(sources.folders, on_request=sources.on_request)


def _url(server: EmbeddedServer) -> str:
    """The database as short as it can be said, so that a line of 80 columns holds it."""
    host, port = quote(server.host, safe="/"), f"&port={server.port}" * (server.port != 5432)
    return f"postgresql://{server.user}@/demo?host={host}{port}"


def _commands() -> list[str]:
    """What to try on the server that was kept."""
    program = Path(sys.argv[0])
    trueup = "trueup" if which("trueup") else min(os.path.relpath(program), str(program), key=len)
    on = f"--service {SERVICE}"
    commands = {
        f"{trueup} status {on}": "what was applied",
        f"{trueup} rollback {on} --to switch": "go back",
        f"{trueup} verify {on}": "what differs now",
    }
    explained = [f"{command}  # {why}" for command, why in commands.items()]
    return explained if max(map(len, explained)) <= _COLUMNS else list(commands)


def _next(dsn: str, server: EmbeddedServer) -> list[str]:
    return [
        "",
        "The server is still there. Three commands to try on it:",
        "",
        f"export TRUEUP_DSN={shlex.quote(dsn)}",
        *_commands(),
        "",
        *server.keep_instructions(),
    ]


def _once_more() -> list[str]:
    again = "make demo KEEP=1" if os.environ.get("MAKELEVEL") else "trueup demo --keep"
    return ["", f"{again} keeps the server, for you to try on it:", "", *_commands()]


def run_demo(*, rows: int, keep: bool, as_json: bool, pause: float = _PAUSE) -> bool:
    """Run the demo on a server of its own.

    Args:
        rows: how many requests the service has.
        keep: leave the server running for the user to look around.
        as_json: print the result as JSON only.
        pause: seconds for which the clients work undisturbed between two steps.

    Returns:
        Whether no query failed and the database is at the standard.

    Raises:
        TrueupError: the server does not start, or a step fails.
    """
    with tempfile.TemporaryDirectory(prefix="trueup-demo-") as folder:
        result = Demo(rows, pause=pause, quiet=as_json).run(Path(folder), keep=keep)
    if as_json:
        print(json.dumps({"version": 1, **tables.summary(result)}, indent=2))
    return result.failed == 0 and not result.distances and result.counted == result.acknowledged
