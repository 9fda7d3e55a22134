"""`trueup demo` as a newcomer sees it: in a terminal, in a log, and afterwards."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
from support import terminal

DEMO = "import sys; sys.argv[0] = 'trueup'; from runner.demo.story import run_demo; "
SMALL = "run_demo(rows=3000, keep={keep}, as_json=False, pause=0.5)"
BAR = re.compile(r"\d+% \d+:\d\d:\d\d")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def command(*, keep: bool = False) -> list[str]:
    return [sys.executable, "-c", DEMO + SMALL.format(keep=keep)]


@pytest.mark.parametrize(
    ("columns", "lines", "environment"),
    [(80, 24, {}), (120, 40, {"NO_COLOR": "1"})],
    ids=["80x24", "120x40, NO_COLOR"],
)
def test_it_fits_a_terminal(columns: int, lines: int, environment: dict[str, str]) -> None:
    session = terminal.run(command(), columns=columns, lines=lines, environment=environment)
    seen = session.seen()
    text = "\n".join(seen)
    assert session.exit_code == 0, text

    # On a wider terminal it looks the same: no line was longer than this one is wide.
    assert seen == session.seen(columns=columns + 60)

    assert bool(terminal.COLOR.search(session.text)) == ("NO_COLOR" not in environment)

    # Every id is whole, every figure stands under its heading, the commands can be copied.
    assert len(UUID.findall(text)) == 6
    heading = next(line for line in seen if line.startswith("phase"))
    total = next(line for line in seen if line.startswith("all  "))
    assert heading.split("  ")[-1].strip() == "worst ms"
    assert len(heading) == len(total)
    assert "trueup status --service model_orchestration" in text

    # One bar, from the start to the end, below all that is told meanwhile.
    bars = [line for line in seen if BAR.search(line)]
    assert len(bars) == 1
    assert "100%" in bars[0]
    begun = b"".join(data for _, data in session.output).partition(b"old tables")[0]
    assert b"0:00:00" in begun

    # Each phase says what it is for before it says what it took.
    for phase, purpose in (("expand", "add new columns"), ("contract", "remove the old names")):
        place = next(i for i, line in enumerate(seen) if line.strip().startswith(phase))
        assert purpose in seen[place]
        assert re.search(r"\d+ files in", seen[place + 1])


def test_without_a_terminal_it_is_plain_text_and_its_server_can_be_tried() -> None:
    done = subprocess.run(
        command(keep=True), capture_output=True, text=True, check=True, timeout=600
    )
    lines = done.stdout.splitlines()
    told = lines[lines.index("The server is still there. Three commands to try on it:") :]
    stop = next(line for line in told if line.startswith("stop it:"))
    try:
        assert max(map(len, lines)) <= 80
        assert "\x1b" not in done.stdout
        assert "distance to the standard: 0" in lines
        assert done.stderr == ""

        export, *commands = [line for line in told if line.startswith(("export ", "trueup "))]
        dsn = shlex.split(export)[1].removeprefix("TRUEUP_DSN=")
        assert len(commands) == 3
        for line in commands:
            ran = subprocess.run(
                [sys.executable, "-m", "runner", *shlex.split(line, comments=True)[1:]],
                env={**os.environ, "TRUEUP_DSN": dsn},
                capture_output=True,
                text=True,
                check=False,
                timeout=600,
            )
            # verify says here that a migration is under way: the rollback before it left it so.
            assert ran.returncode == (6 if "verify" in line else 0), ran.stderr
    finally:
        os.kill(int(stop.split()[-1]), signal.SIGTERM)
