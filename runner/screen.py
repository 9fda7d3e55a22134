"""What fits a screen: all of a result where it does, else what matters and the way to the rest."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# What a terminal would obey, or show in another order: what others write may hold anything.
_OBEYED = {
    **{n: 0x2400 + n for n in range(0x20) if chr(n) not in "\t\n"},
    0x7F: 0x2421,
    **dict.fromkeys([*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD),
}
LINES = 24 - 1  # of a terminal of the usual size; the last one is the prompt's
_QUIET = 3.0  # seconds without a line, where no terminal shows that something is done


def harmless(text: str) -> str:
    """A text with a visible character in the place of each that a terminal would obey."""
    return text.replace("\r\n", "\n").translate(_OBEYED)


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print a text that may hold what others wrote.

    Args:
        text: what.
        err: on standard error.
        nl: end the line.
    """
    # A patch of a file of which the lines end in CRLF has to say so.
    click.echo("\r\n".join(map(harmless, str(text).split("\r\n"))), err=err, nl=nl)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """Say on standard error what is done now: on one line of a terminal, or now and then in a log.

    Args:
        title: what is done until the first word from within.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        from rich.text import Text

        with console.status(title) as status:
            yield lambda text: status.update(Text(harmless(text)))
        return
    spoke = time.monotonic()

    def tell(text: str) -> None:
        nonlocal spoke
        if (now := time.monotonic()) - spoke >= _QUIET:
            spoke = now
            echo(text, err=True)

    yield tell


def wrapped(
    text: str, width: int, *, style: str = "", indent: int = 0, bold: int = 0
) -> list[Text]:
    """One text, wrapped between words and indented, with nothing at the ends of its lines.

    Args:
        text: what.
        width: of the terminal, in columns.
        style: of all of it.
        indent: of every line, in columns.
        bold: how many of its first characters are bold.
    """
    from rich.text import Text

    lines = textwrap.wrap(
        text,
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    found = [Text(line, style) for line in lines]
    if found and bold:
        found[0].stylize("bold", indent, indent + bold)
    return found


def cut_at(console: Console) -> int:
    """Where a line of its own is cut: at the end of a terminal; a file takes all of it."""
    return console.width if console.is_terminal else sys.maxsize


def one_line(text: str, width: int, *, style: str = "", indent: int = 0) -> Text:
    """One text on one line, cut where the terminal ends."""
    from rich.text import Text

    indent += len(text) - len(text.lstrip(" "))
    line = " " * indent + " ".join(text.split())
    return Text(line if len(line) <= width else line[: width - 1] + "…", style)


def choose(full: Sequence[Text], short: Sequence[Text], *, everything: bool) -> Sequence[Text]:
    """The full lines where they are asked for or fit a screen, else the short ones."""
    return full if everything or len(full) <= LINES else short


def rest(shown: int, count: int) -> str:
    """What stands where a list was cut; empty where it was not."""
    return f"and {count - shown:,} more (--all)" if count > shown else ""


def show(console: Console, lines: Sequence[Text]) -> None:
    """Print lines as they are: the terminal wraps what is too long, so it can be copied whole."""
    for line in lines:
        line.plain = harmless(line.plain)
        console.print(line, soft_wrap=True, highlight=False)
