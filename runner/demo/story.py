"""The demo's story: what it does in which order, and what it measures."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from runner import config
from runner.demo.data import fill
from runner.demo.result import Phase, Result, Sample
from runner.demo.show import Show
from runner.errors import TrueupError
from runner.execute import engine
from runner.execute.events import Event, FileDone
from runner.ledger.files import Migration, read_migrations
from runner.postgres.connect import connect
from runner.postgres.embedded import EmbeddedServer, start_server
from runner.preflight import check
from runner.standard import load_standard
from runner.verify import verify

SERVICE = "model_orchestration"
_WAITING_PERIOD = 3.0


class _Clients:
    """A process with clients of one contract."""

    def __init__(self, contract: str, dsn: str, folder: Path, *, has_table: bool) -> None:
        self.contract = contract
        self._out = folder / f"{contract}-{time.monotonic_ns()}.jsonl"
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "runner.demo.clients"),
                *("--dsn", dsn, "--contract", contract),
                *("--ids", str(folder / "ids.json"), "--out", str(self._out)),
                *(["--has-table"] if has_table else []),
            ],
            stdin=subprocess.DEVNULL,
        )

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
        show: what the user sees of it.
    """

    def __init__(self, rows: int, show: Show) -> None:
        self._rows, self._show = rows, show
        self._running: dict[str, _Clients] = {}

    def run(self, server: EmbeddedServer, folder: Path) -> Result:
        """Run all of it on a server.

        Args:
            server: where a database `demo` is made.
            folder: for the clients' files.

        Returns:
            What was measured.

        Raises:
            TrueupError: as the engine, check and verify do.
        """
        server.create_database("demo")
        self._dsn = server.dsn("demo")
        self._folder = folder
        self._result = result = Result(self._rows, server.version)
        self._migrations = _migrations("online")
        try:
            self._story()
        finally:
            for clients in self._running.values():
                clients.kill()
        self._show.result(result)
        return result

    def _story(self) -> None:
        show, result = self._show, self._result
        show.title(f"A live service at its old contract, with {self._rows:,} requests")
        self._apply("baseline")
        with connect(self._dsn, application_name="demo") as connection:
            ids = fill(connection, self._rows)
        (self._folder / "ids.json").write_text(json.dumps(ids))
        result.before = self._look("models", "requests")
        self._start("old", has_table=True)
        with self._phase("before"):
            time.sleep(4)

        standard = load_standard(_service() / "standard.toml")
        show.title("trueup check: is the data ready?")
        with (
            self._phase("check"),
            connect(self._dsn, application_name="trueup check") as connection,
        ):
            show.preflight(check(connection, standard))

        show.title("trueup apply: the new contract beside the old one")
        self._apply("enforce")
        self._start("new")
        with self._phase("both live"):
            time.sleep(4)

        show.title("trueup apply --to switch: the new release gets the table, the old one a view")
        self._retire()
        self._apply("switch")
        with self._phase("switched"):
            time.sleep(3)

        show.title("trueup rollback: the old contract alone, as if nothing had been")
        self._stop("new")
        with self._phase("rollback"), show.files() as listener:
            engine.rollback(self._dsn, self._migrations, to="baseline", listener=listener)
        same = self._look("models", "requests") == result.before
        show.line("the rows shown below are byte for byte as before" if same else "ROWS DIFFER")

        show.title("trueup apply: once more")
        self._apply("switch", again=True)
        self._start("new")
        with self._phase("switched again"):
            time.sleep(3)

        show.title("trueup apply --to contract: once the odometer proves that the old names rest")
        self._stop("old")
        with self._phase("wait"):
            time.sleep(_WAITING_PERIOD + 1)
        self._apply("contract")
        with connect(self._dsn, application_name="trueup verify") as connection:
            verification = verify(connection, standard)
        result.distances = [str(d) for d in verification.distances]
        result.after = self._look("model", "request")
        with self._phase("after"):
            time.sleep(3)
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
                    marks.setdefault(event.phase, [begun, now])[1] = now
                    begun = now
                listener(event)

            engine.apply(
                self._dsn,
                self._migrations,
                to=to,
                settings=engine.Settings(waiting_period=f"{_WAITING_PERIOD} seconds"),
                listener=listen,
            )
        self._result.phases += [
            Phase(name + " again" * again, *mark)
            for name, mark in marks.items()
            if name != "baseline"
        ]

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
        self._result.samples[contract] += self._running.pop(contract).stop()

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
    SELECT id, model_id, pg_typeof(model_id)::text AS "type of model_id", request_type, provider
    FROM public.requests WHERE request_id = 'req-7'
"""
_LOOK_REQUEST = """
    SELECT id, model_id, pg_typeof(model_id)::text AS "type of model_id", request_type, provider
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


def run_demo(*, rows: int, keep: bool, as_json: bool) -> bool:
    """Run the demo on a server of its own.

    Args:
        rows: how many requests the service has.
        keep: leave the server running for the user to look around.
        as_json: print the result as JSON only.

    Returns:
        Whether no query failed and the database is at the standard.

    Raises:
        TrueupError: the server does not start, or a step fails.
    """
    show = Show(quiet=as_json)
    with tempfile.TemporaryDirectory(prefix="trueup-demo-") as folder:
        server = start_server(keep=keep)
        try:
            result = Demo(rows, show).run(server, Path(folder))
        finally:
            if not keep:
                server.stop()
    if as_json:
        print(json.dumps({"version": 1, **show.summary(result)}, indent=2))
    if keep:
        show.kept(server.keep_instructions("demo"))
    return result.failed == 0 and not result.distances and result.counted == result.acknowledged
