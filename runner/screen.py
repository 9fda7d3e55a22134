"""What fits a screen: all of a result where it does, else what matters and the way to the rest."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

LINES = 24 - 1  # of a terminal of the usual size; the last one is the prompt's


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
        console.print(line, soft_wrap=True, highlight=False)
