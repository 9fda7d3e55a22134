"""What a terminal shows, with color and without, and what a log shows instead."""

from __future__ import annotations

import re
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from support import terminal
from support.databases import DatabaseFactory
from support.runs import run_trueup

from runner import config
from runner.demo.data import fill
from runner.execute import engine, underway, watch
from runner.execute.events import Event, Phase
from runner.execute.pace import Pace
from runner.ledger.files import read_migrations

ROOT = Path(__file__).parents[3]
SERVICE = str(ROOT / "sql" / "model_orchestration")
LEGACY = ROOT / "sql" / "model_orchestration" / "legacy" / "0001_baseline_legacy_schema.sql"
TRUEUP = (sys.executable, "-m", "runner")
# A table that is held keeps the backfill from its end until somebody has seen it.
HOLD = "LOCK TABLE requests IN SHARE MODE"
LINTED = "CREATE INDEX users_mail_idx ON users (mail);\n"


def larger(dsn: str) -> None:
    existing(dsn, 20_000)


def existing(dsn: str, rows: int = 2000) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(LEGACY.read_bytes())
        fill(connection, rows)
    assert run_trueup("baseline", "--service", SERVICE, dsn=dsn).returncode == 0


@pytest.fixture
def service(database_factory: DatabaseFactory) -> str:
    """The DSN of an existing service that is ready to be migrated."""
    return database_factory(existing)


def at_terminal(
    arguments: str, dsn: str, *, columns: int = 80, timeout: float = 120, **environment: str
) -> terminal.Session:
    return terminal.run(
        [*TRUEUP, *shlex.split(arguments)],
        columns=columns,
        lines=24,
        timeout=timeout,
        environment={"TRUEUP_DSN": dsn, **environment},
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "check --service {service} --no-statements",
        "verify --service {service}",
        "plan --service {service}",
        "lint {file}",
        "apply --service {service} --to expand",
        "status --service {service}",
    ],
    ids=lambda arguments: arguments.split()[0],
)
def test_color_is_for_terminals_that_want_it(arguments: str, service: str, tmp_path: Path) -> None:
    file = tmp_path / "0001_index.sql"
    file.write_text(LINTED)
    command = arguments.format(service=SERVICE, file=file)
    with_color = at_terminal(command, service)
    without = at_terminal(command, service, NO_COLOR="1")
    logged = run_trueup(*shlex.split(command), dsn=service, FORCE_COLOR="")
    assert "Traceback" not in with_color.text
    assert not terminal.COLOR.search(without.text)
    assert "\x1b" not in logged.stdout + logged.stderr
    if command.split()[0] in ("check", "verify", "apply"):  # the others have none
        assert terminal.COLOR.search(with_color.text)


@contextmanager
def _client(dsn: str) -> Iterator[None]:
    """A client that is active all the time."""
    over = threading.Event()

    def work() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            while not over.wait(0.05):
                connection.execute("SELECT 1")

    working = threading.Thread(target=work)
    working.start()
    try:
        yield
    finally:
        over.set()
        working.join()


def test_a_run_shows_its_picture_and_leaves_its_lines(database_factory: DatabaseFactory) -> None:
    dsn = database_factory(larger)
    # Beside a client a backfill begins with short stretches, and the picture is drawn in the rests.
    with _client(dsn):
        session = at_terminal(f"apply --service {SERVICE} --pause 500ms", dsn)
    assert session.exit_code == 0
    assert "> backfill 1/3" in session.text
    assert "rows/s" in session.text
    assert "━" in session.text
    # What stays is what a log has: the picture is taken away, the cursor is back.
    text = "\n".join(session.seen(columns=200))
    assert "> backfill" not in text
    assert re.search(r"\[\d+/\d+\] 0202_backfill_request", text)
    assert re.search(r"applied: \d+ files$", text.rstrip())
    assert session.text.rindex("\x1b[?25h") > session.text.rindex("\x1b[?25l")


def test_a_run_that_fails_leaves_the_terminal_as_it_was(service: str) -> None:
    with psycopg.connect(service, autocommit=True) as connection:
        connection.execute(
            "UPDATE models SET provider = 'nobody' WHERE id = (SELECT min(id) FROM models)"
        )
    session = at_terminal(f"apply --service {SERVICE}", service)
    assert session.exit_code == 5
    assert session.text.rindex("\x1b[?25h") > session.text.rindex("\x1b[?25l")
    shown = "\n".join(session.seen(columns=200))
    assert "error: " in shown
    assert "expand 0/" not in shown.partition("error: ")[2]


@pytest.mark.parametrize("options", ["--quiet", "--quiet --log-format json"])
def test_quiet_shows_no_picture(options: str, service: str) -> None:
    session = at_terminal(f"apply --service {SERVICE} --to expand {options}", service)
    assert re.fullmatch(r"applied: \d+ files\r\n", session.text)


def test_who_watches_is_told_what_the_run_measures(service: str) -> None:
    sources = config.resolve_sources((), SERVICE, {}, "online")
    migrations = read_migrations(sources.folders, on_request=sources.on_request)
    heard: list[Event] = []
    over = threading.Event()

    def client() -> None:
        with psycopg.connect(service, autocommit=True) as connection:
            while not over.wait(0.02):
                connection.execute("SELECT count(*) FROM models")

    def run() -> None:
        engine.apply(service, migrations, to="backfill", listener=heard.append)

    engine.apply(service, migrations, to="expand")
    threads = [threading.Thread(target=target) for target in (client, run)]
    with psycopg.connect(service) as holder:
        holder.execute(HOLD)
        for thread in threads:
            thread.start()
        looks = underway.look(service, migrations, waiting_period=timedelta(hours=24), every=0.05)
        give_up = time.monotonic() + 60
        found = next(
            look
            for look in looks
            if time.monotonic() > give_up
            or (look.run and look.run.vitals and look.run.vitals.commit_p99)
        )
        looks.close()
        holder.rollback()
    threads[1].join()
    over.set()
    threads[0].join()

    assert found.run is not None
    assert found.run.file == "0202_backfill_request"
    assert found.run.vitals in heard
    assert [s.standing for s in found.migrations if s.migration == found.run.file] == ["running"]
    assert Phase("backfill", 3, 1) in watch.picture_of(found, Pace()).phases


def test_a_watch_shows_the_picture_until_it_is_ended(service: str) -> None:
    session = at_terminal(f"status --watch --service {SERVICE}", service, timeout=5)
    assert session.exit_code == 130
    assert re.search(r"expand 0/\d+  backfill 0/3", "\n".join(session.seen()))
    assert session.text.rindex("\x1b[?25h") > session.text.rindex("\x1b[?25l")
