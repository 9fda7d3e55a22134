"""Commands of psql in a file: what they hide, as only psql knows what they run."""

from __future__ import annotations

import re
from bisect import bisect
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.layouts.data import without_rows
from runner.ledger.scanner import psql_commands
from runner.lint.model import Hit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.lint.layouts import Script

# A line may hold several: an argument ends at a backslash outside quotes.
_COMMAND = re.compile(r"\\(?:\w+|[^\w\s])")
# Behind a quote that never ends nothing is taken for quoted.
_QUOTED = re.compile(r"'(?:[^'\\]|\\.?)*+(?:'|(?P<open>\Z))|\"[^\"]*\"|`[^`]*`", re.DOTALL)
_TAKES_LINE = frozenset(r"\! \copy \ef \ev \h \help \sf \sv".split())
_RUNS = frozenset(
    r"""
    \c \connect \copy \e \edit \ef \ev \gexec \i \include \include_relative \ir \lo_import
    """.split()
)
_WITH_PIPE = frozenset(r"\g \gx \o \out \s \w \write".split())
_NOT_SPACE = re.compile(r"\S")
_PROGRAM = re.compile(r"\bPROGRAM\b", re.IGNORECASE)
_WAITS = frozenset(r"\prompt \password".split())
_VALUE = re.compile(r"\s*(?P<name>\w+)\s*(?P<value>.*?)\s*", re.DOTALL)
_PLAIN_VALUE = re.compile(r"[\w.$@/+-]*|'[\w.$@/+-]*'")
_VARIABLE = re.compile(r"(?<![:\w]):(\w+)")
# psql takes the beginning of a word for it.
_OFF = re.compile(r"'?(?:off?|f|fa|fal|false?|no?|0)?'?", re.IGNORECASE)
# They print, or set how it is printed; \else and \endif stand behind the \if that is told.
_HARMLESS = frozenset(
    r"""
    \. \\ \? \a \C \H \T \crosstabview \copyright \conninfo \echo \else \elif \endif \errverbose
    \f \g \gdesc \gx \h \help \html \l \list \p \print \pset \qecho \restrict \sf \sv \t \timing
    \unrestrict \warn \x \z
    """.split()
)
_INSTEAD = "-- the SQL itself, in the file"


def hidden_commands(script: Script) -> Iterator[Hit]:
    """A finding for each command of psql that runs, or may leave out, what the file does not show.

    Args:
        script: one direction of a migration.
    """
    text = without_rows(script.content)
    for start, end in psql_commands(text):
        if script.text[start:end].strip():
            continue  # It is of another direction.
        for place, word, rest in _commands(text, start, end):
            told = _told(word, rest, text, end)
            if told:
                program = _runs_a_program(word, rest)
                yield Hit(told, level="error" if program else None, offset=place, instead=_INSTEAD)


def _commands(text: str, start: int, end: int) -> Iterator[tuple[int, str, str]]:
    """The commands of a line: where each begins, its word, and its arguments."""
    quoted = [match.span() for match in _QUOTED.finditer(text, start, end) if match["open"] is None]
    found = [
        match for match in _COMMAND.finditer(text, start, end) if not _is_in(match.start(), quoted)
    ]
    for number, match in enumerate(found):
        takes_line = match[0] in _TAKES_LINE
        last = takes_line or number + 1 == len(found)
        yield (
            match.start(),
            match[0],
            text[match.end() : end if last else found[number + 1].start()],
        )
        if takes_line:
            return


def _is_in(place: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether a place is in one of some spans, which stand in their order."""
    before = bisect(spans, place, key=lambda span: span[0])
    return before > 0 and place < spans[before - 1][1]


def _runs_a_program(word: str, rest: str) -> bool:
    return (
        word == "\\!"
        or "`" in rest
        or (word in _WITH_PIPE and "|" in rest)
        or (word == "\\copy" and _PROGRAM.search(rest) is not None)
    )


def _told(word: str, rest: str, text: str, end: int) -> str:
    """What is wrong with a command; empty when it hides nothing."""
    if _runs_a_program(word, rest):
        return f"{word} runs a program on the machine of whoever gives the file to psql"
    if word in _RUNS:
        return (
            f"{word} is a command of psql: what it runs is not in the file, and no other tool"
            " takes it"
        )
    if word == "\\if":
        return (
            f"\\if {rest.strip()} decides as the file runs which statements up to \\endif are run:"
            " each of them is judged here as if all were"
        )
    if word in ("\\q", "\\quit"):
        told = f"{word} ends the file here: what stands behind it never runs"
        return told if _NOT_SPACE.search(text, end) else ""
    if word in ("\\set", "\\unset"):
        return _set(word, rest, text)
    if word in _WAITS:
        return f"{word} waits for somebody to type, and what is typed is not in the file"
    if word == "\\gset":
        return "\\gset makes variables of what a query returns: what they put into SQL is not seen"
    if word in _HARMLESS or (word.startswith("\\d") and word.isascii()):
        return ""
    return f"{word} is a command of psql: what it does is not judged, and no other tool takes it"


@lru_cache(1)  # each \\set of a file asks
def _put_in(text: str) -> frozenset[str]:
    """The variables that a file puts into its SQL as they are."""
    return frozenset(_VARIABLE.findall(text))


def _set(word: str, rest: str, text: str) -> str:
    match = _VALUE.fullmatch(rest)
    name, value = (match["name"], match["value"]) if match else ("", rest)
    if name == "AUTOCOMMIT" and word == "\\set" and _OFF.fullmatch(value):
        return "without AUTOCOMMIT psql begins a transaction that only a COMMIT in the file ends"
    if name == "ON_ERROR_STOP" and (word == "\\unset" or _OFF.fullmatch(value)):
        return "without ON_ERROR_STOP psql goes on behind a statement that failed"
    if word == "\\unset" or _PLAIN_VALUE.fullmatch(value):
        return ""
    if ";" not in value and name not in _put_in(text):
        return ""  # Nothing takes it but as a text or a name in quotes.
    return f"\\set {name} holds more than a word: what it puts into the SQL is not judged"
