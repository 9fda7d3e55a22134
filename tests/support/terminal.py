"""A command in a real terminal of a given size: what it wrote when, and what one then sees."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte

COLOR = re.compile(r"\x1b\[(?:[\d;]*;)?(?:3|4|9|10)[0-8][\d;]*m")  # bold and the like are none


@dataclass(frozen=True)
class Session:
    """What a command wrote to its terminal: at which second which bytes, and how it ended."""

    columns: int
    lines: int
    output: tuple[tuple[float, bytes], ...]
    exit_code: int

    @property
    def text(self) -> str:
        """All that it wrote, as it was written."""
        return b"".join(data for _, data in self.output).decode()

    def seen(self, *, columns: int | None = None) -> list[str]:
        """All lines from the first to the last, as on a terminal that is as high as they need.

        Args:
            columns: as on a wider terminal than the command was told of.
        """
        screen = pyte.Screen(columns or self.columns, 2000)
        stream = pyte.ByteStream(screen)
        for _, data in self.output:
            stream.feed(data)
        return [line.rstrip() for line in screen.display]


def run(
    command: Sequence[str],
    *,
    columns: int,
    lines: int,
    timeout: float = 600,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Session:
    """Run a command in a terminal.

    Args:
        command: the program and its arguments.
        columns, lines: the terminal's size.
        timeout: seconds after which it is ended.
        environment: variables that it finds beside those of the tests.
        cwd: the folder that it runs in; by default this one.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
            os.environ.pop(name, None)
        os.environ.update(environment or {})
        os.chdir(cwd or ".")
        os.execvp(command[0], list(command))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    output, begun = [], time.monotonic()
    while True:
        left = begun + timeout - time.monotonic()
        ready, _, _ = select.select([terminal], [], [], max(0.0, left))
        if not ready:
            os.kill(child, 15)
            timeout += 60  # what it says at its end is read, too
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not data:
            break
        output.append((time.monotonic() - begun, data))
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return Session(columns, lines, tuple(output), os.waitstatus_to_exitcode(status))
