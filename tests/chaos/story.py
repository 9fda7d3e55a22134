"""One run of everything: cycles of phases, and a comparison each time that all is at rest."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from support.runs import applied, start_trueup, yoyo_url
from support.variants import TEXT, Service

from chaos import rest
from chaos.book import Book
from chaos.clients import UPSERTS, Client, Gate, Told
from chaos.nemesis import Nemesis
from chaos.servers import Servers
from chaos.statements import KEYS
from runner.catalog import diff

PHASES = ("baseline", "expand", "backfill", "enforce", "switch", "contract")
OPEN = {
    **dict.fromkeys(("baseline", "expand", "backfill"), frozenset({"old"})),
    **dict.fromkeys(("enforce", "switch"), frozenset({"old", "new"})),
    "contract": frozenset({"new"}),
}
TRIES = 60  # of one move; each may be disturbed
SOURCES = ("legacy", "common", "online", "online/switch", "online/contract")
# The files that plain yoyo takes back to come to a phase.
BACK_TO = {"switch": "^05", "enforce": "^0[45]", "baseline": "^0(0[5-9]|[1-5])"}


@dataclass
class Figures:
    """What a run came to."""

    seed: int
    seconds: float = 0.0
    moves: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    wrong: list[str] = field(default_factory=list)


class Story:
    """Clients, a nemesis, and an operator who goes from phase to phase.

    Args:
        servers: servers of our own: they are crashed.
        folder: the service's files.
        seed: of all choices; threads and the server's time are not in its hand.
        connections: how many clients.
        faults: the kinds of faults that may happen; none for calm.
        say: told of each move.
    """

    def __init__(
        self,
        servers: Servers,
        folder: Path,
        seed: int,
        *,
        connections: int = 10,
        faults: Sequence[str] = (),
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.figures = Figures(seed)
        self._servers, self._folder = servers, folder
        self._chance = random.Random(seed)
        self._gate, self._told = Gate(), Told()
        self._here, self._say = "baseline", say
        TEXT.load(servers.dsn, filled=True)
        rest.prepare(servers.dsn, KEYS)
        self._nemesis = Nemesis(servers, random.Random(seed + 1), faults)
        self._clients = [
            Client(
                n,
                seed,
                lambda: servers.dsn,
                self._gate,
                self._told,
                disturbed=bool(faults),
                disk_is_full=self._nemesis.disk_is_full,
            )
            for n in range(connections)
        ]
        self._catalog = self._service.catalog("public")

    @property
    def _service(self) -> Service:
        return Service(self._servers.dsn, self._folder)

    def run(self, seconds: float) -> Figures:
        """Go on for so long, end at the baseline, and tell."""
        begun = time.monotonic()
        self._compare()
        for thread in self._clients:
            thread.start()
        self._nemesis.start()
        try:
            while time.monotonic() < begun + seconds and not self.figures.wrong:
                self._move(self._next())
                self._compare()
            while self._here != "baseline" and not self.figures.wrong:
                self._move("enforce" if self._here == "contract" else "baseline")
                self._compare()
        finally:
            self._nemesis.end()
            self._gate.set(frozenset())
            for client in self._clients:
                client.stop()
            for client in self._clients:
                client.join(60)
            if self._nemesis.failure:  # whatever came after it, this is why
                raise self._nemesis.failure
        figures = self.figures
        figures.seconds = time.monotonic() - begun
        figures.statements, figures.errors = self._told.statements, self._told.errors
        figures.faults = self._nemesis.done
        sent = sum(n for name, n in figures.statements.items() if name.startswith(UPSERTS))
        refused = sum(
            n
            for name, n in figures.errors.items()
            if name.startswith(("23505", "40P01")) and name.split()[1].startswith(UPSERTS)
        )
        if refused > max(2, sent / 1000):
            figures.wrong.append(f"{refused} upserts were refused, and {sent} were not")
        return figures

    def _next(self) -> str:
        """A phase that can be reached while at least one contract works all the way."""
        if self._here in ("baseline", "expand", "backfill"):
            ahead = PHASES[: PHASES.index("contract")]
        else:
            ahead = PHASES if self._here != "contract" else PHASES[PHASES.index("enforce") :]
        return self._chance.choice([p for p in ahead if p != self._here])

    def _move(self, target: str) -> None:
        here, there = PHASES.index(self._here), PHASES.index(target)
        on_the_way = PHASES[min(here, there) : max(here, there) + 1]
        self._gate.set(frozenset.intersection(*(OPEN[phase] for phase in on_the_way)))
        time.sleep(self._chance.uniform(0.2, 1.0))
        tool = self._chance.choices(
            ("trueup", "postgresql+trueup", "postgresql+psycopg"), (5, 3, 2)
        )[0]
        # yoyo has no name for a phase between: its sources end at these.
        if tool != "trueup" and not (
            (target in ("enforce", "switch", "contract") and there > here)
            or (target in ("enforce", "switch", "baseline") and there < here)
        ):
            tool = "trueup"
        plain = tool == "postgresql+psycopg"
        self._nemesis.left_for_runs = 0 if plain else self._chance.randrange(5)
        for attempt in range(TRIES):
            code, said = self._run(tool if attempt < 4 else "trueup", target, back=there < here)
            if code == 0:
                break
            time.sleep(0.1)
        else:
            self.figures.wrong.append(f"{self._here} -> {target} by {tool} never comes: {said}")
        self.figures.moves[f"{self._here} -> {target}"] += 1
        self._say(f"{self._here} -> {target} by {tool}, {attempt + 1} tries")
        self._here = target
        self._gate.set(OPEN[target])
        time.sleep(self._chance.uniform(0.2, 1.0))

    def _run(self, tool: str, target: str, *, back: bool) -> tuple[int, str]:
        service = self._service
        if tool == "trueup":
            arguments = ["rollback" if back else "apply", "--service", str(service.folder)]
            arguments += ["--to", target, "--deadline", "30s"]
            arguments += [] if back else ["--waiting-period", "0s"]
            return self._watch(tool, start_trueup(*arguments, dsn=service.dsn))
        if not back:
            folders = SOURCES[: {"enforce": 3, "switch": 4, "contract": 5}[target]]
            return self._watch(tool, _start_yoyo(tool, service, folders, "apply"))
        # A revision is rolled back with what depends on it: a unit of tables.
        try:
            while left := [i for i in applied(service.dsn) if re.match(BACK_TO[target], i)]:
                process = _start_yoyo(tool, service, SOURCES, "rollback", "--revision", left[0])
                code, said = self._watch(tool, process)
                if code:
                    return code, said
        except psycopg.OperationalError as error:
            return 3, str(error)
        return 0, ""

    def _watch(self, tool: str, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for a run's end, while the nemesis knows of it."""
        with process:
            self._nemesis.run_underway = process
            try:
                _, said = process.communicate(timeout=180)
            except subprocess.TimeoutExpired:
                process.kill()
                _, said = process.communicate()
                said = f"it does not end: {said}"
            self._nemesis.run_underway = None
        end = {0: "done", 130: "stopped", -9: "killed", -15: "killed"}.get(process.returncode)
        self.figures.runs[f"{tool}: {end or _reason(said)}"] += 1
        if process.returncode and tool != "trueup":
            rest.after_yoyo(self._service.dsn)
        return process.returncode, said

    def _compare(self) -> None:
        """Let all come to rest, and compare what is there with what was acknowledged."""
        figures = self.figures
        self._gate.set(frozenset())
        with self._nemesis.quiet():
            rest.until_up(self._service.dsn)
            found = rest.read(self._service.dsn, self._here)
            figures.wrong += self._told.book.compare(found)
            figures.wrong += rest.sides_differ(self._service.dsn, self._here)
            figures.wrong += self._told.unexpected
            threads: tuple[Client | Nemesis, ...] = (*self._clients, self._nemesis)
            figures.wrong += [
                f"{thread.name} ended: {thread.failure!r}" for thread in threads if thread.failure
            ]
            if self._here == "baseline":
                changed = diff(self._catalog, self._service.catalog("public"), column_order=False)
                figures.wrong += [str(difference) for difference in changed]
            figures.writes.update(self._told.book.count())
            figures.compared += 1
            self._told.book = Book(rest.begin_anew(self._service.dsn, self._here))
        self._gate.set(OPEN[self._here])


def _start_yoyo(
    scheme: str, service: Service, folders: Sequence[str], verb: str, *options: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "yoyo", verb, "--batch", "--no-config-file"),
            *("-d", yoyo_url(service.dsn, scheme), *options),
            *(str(service.folder / folder) for folder in folders),
        ],
        env={**os.environ, "PGAPPNAME": "yoyo of chaos", "PGOPTIONS": "-c trueup.waiting_period=0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _reason(said: str) -> str:
    """What a run said of its failure, without names and numbers."""
    lines = said.strip().splitlines() or ["no word"]
    told = next((line for line in lines if "error: " in line), lines[-1])
    return re.sub(r"/\S+|\d+|trueup-[0-9a-f-]+", "*", told.strip())[:90]
