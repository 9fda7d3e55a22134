"""Says what was not looked at, so that silence means that nothing was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.layouts import ScriptText
from runner.lint.model import Finding
from runner.lint.rules.file_encoding import RULE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from runner.layouts import Reading

_MOST_NAMED = 3


def unreadable(reading: Reading, wanted: Collection[Path]) -> Iterator[Finding]:
    """A finding for each file that cannot be read."""
    for path, error in reading.unreadable.items():
        if path not in wanted:
            continue
        message = error.message.removeprefix(str(path)).lstrip(": ")
        line, _, rest = message.partition(": ")
        number = int(line) if line.isdigit() else 1
        message = f"{rest if line.isdigit() else message}: nothing of it was looked at"
        yield Finding(
            RULE.name, "error", path, number, 1, number, message, RULE.why, f"-- {error.hint}"
        )


def notes_on(
    reading: Reading, wanted: Collection[Path], scripts: Mapping[Path, Sequence[ScriptText]]
) -> list[str]:
    """What was read otherwise than a user may think, or not at all.

    Args:
        reading: all that was read.
        wanted: the files to report.
        scripts: what each of them holds.
    """
    notes = []
    if unread := sorted({path for chain in reading.chains for path in chain.unread}):
        notes.append(f"not read, because they are no .sql files: {_named(unread)}")
    other = [path for path in reading.unreadable if path not in wanted]
    if other:
        notes.append(f"cannot be read, so what they make is not known: {_named(other)}")
    left = [
        path
        for path in wanted
        if path not in scripts and path not in reading.unreadable and "verify" not in path.parts
    ]
    if left:
        notes.append(
            f"not read, as the layout has no place for them or they undo nothing that is there:"
            f" {_named(sorted(left))}"
        )
    crlf = [path for path, parts in scripts.items() if "\r\n" in parts[0].content]
    if crlf:
        notes.append(
            f"lines end in CRLF: {_named(crlf)}; a checksum over bytes changes with git's autocrlf"
        )
    return notes


def _named(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    return ", ".join(map(str, paths[:_MOST_NAMED])) + more
