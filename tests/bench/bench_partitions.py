"""A table of many partitions: whether each takes as long, however many there are."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psycopg
from psycopg import sql

from bench.support import Bench
from runner.execute import engine
from runner.execute.events import Event, FileDone
from runner.ledger.files import read_migrations
from runner.service.write import generate_service

ROWS = 20  # of a partition: what is measured is the partitions
STANDARD = """
[service]
name = "partitions"
[enum.State]
values = ["OPEN", "DONE"]
[table.events]
name = "event"
uuids = ["id", "actor_id"]
enums.state = "State"
"""


def measure(bench: Bench) -> None:
    """The bar of issue 19 on partitions; each size is measured once."""
    few, many = (100, 500) if bench.full else (50, 200)
    small, large = _chain(bench, few), _chain(bench, many)
    for what in ("generate", "backfill", "enforce"):
        bench.at_most(
            f"{what} for a partition of {many} to one of {few}",
            large[what] / many / (small[what] / few),
            1.3,
            "x",
            f"1 is linear; {large[what]:.1f} s and {small[what]:.1f} s",
            small=False,
        )
    bench.figure("expand, which locks all partitions", large["expand"], "s", f"{many} of them")


def _chain(bench: Bench, count: int) -> dict[str, float]:
    """The seconds of generate, and of each phase up to enforce."""
    name = bench.empty_database()
    dsn = bench.server.dsn(name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE events (id varchar(36) NOT NULL, day integer NOT NULL,"
            " state varchar(20) NOT NULL DEFAULT 'open', actor_id varchar(36),"
            " PRIMARY KEY (id, day)) PARTITION BY RANGE (day);"
            " CREATE INDEX ON events (state); CREATE INDEX ON events (actor_id)"
        )
        for day in range(count):
            connection.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF events FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(f"events_{day}"), sql.Literal(day), sql.Literal(day + 1)
                )
            )
        connection.execute(
            "INSERT INTO events SELECT gen_random_uuid(), n %% %s, 'open', gen_random_uuid()"
            " FROM generate_series(1, %s) AS n",
            [count, count * ROWS],
        )
    taken: dict[str, float] = defaultdict(float)

    def listen(event: Event) -> None:
        if isinstance(event, FileDone):
            taken[event.phase] += event.seconds

    with tempfile.TemporaryDirectory() as folder:
        service = Path(folder)
        (service / "standard.toml").write_text(STANDARD, encoding="utf-8")
        begun = time.perf_counter()
        generate_service(service, dsn=dsn, dry=False)
        taken["generate"] = time.perf_counter() - begun
        migrations = read_migrations([service / "common", service / "online"])
        engine.apply(dsn, migrations, to="enforce", listener=listen)
    bench.server.drop_database(name)
    return taken
