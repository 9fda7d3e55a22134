"""Refuses files that yoyo would get wrong without a word, with file and line."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import MigrationFileError
from runner.ledger.files import ROLLBACK_SUFFIX
from runner.ledger.header import parse_header
from runner.ledger.scanner import ScanError, split
from runner.ledger.yoyo_split import INSTEAD, MISREAD, misread_by_yoyo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from runner.ledger.files import Migration
    from runner.ledger.scanner import Statement

MOST_SHOWN = 20
_DIRECTIVES = ("transactional", "depends")
# Within a line, and without going back: a long file of blank lines or dashes takes no hours.
_KEY = re.compile(r"^[ \t]*-{2,}+[ \t]*+([A-Za-z_][A-Za-z_-]*+)[ \t]*:", re.MULTILINE)
_DIRECTIVE_ANYWHERE = re.compile(
    r"^[ \t]*+(?:-{2,}+|/\*++|\*++)?[ \t]*+(transactional|depends)[ \t]*:",
    re.MULTILINE | re.IGNORECASE,
)
# Marks of tools that keep both directions in one file.
_BOTH_WAYS = re.compile(
    r"^[ \t]*--(?:[ \t]*migrate:down|[ \t]*\+(?:goose|migrate)[ \t]+down"
    r"|[ \t-]*+down[ \t]+migration|[ \t]*changeset[ \t]+\S+:\S+)\b",
    re.IGNORECASE | re.MULTILINE,
)
_NO_OP = re.compile(r"^[ \t]*--[ \t]*no-op:[ \t]*\S", re.MULTILINE)
_COPY_STREAM = re.compile(r"\b(?:FROM\s+STDIN|TO\s+STDOUT)\b", re.IGNORECASE)


class _Problem(NamedTuple):
    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def check_files(migrations: Iterable[Migration]) -> None:
    """Check the files of migrations that are about to run.

    Args:
        migrations: forward and rollback files of each are checked.

    Raises:
        MigrationFileError: naming each problem with its file and line.
    """
    problems = [problem for migration in migrations for problem in _problems(migration)]
    if not problems:
        return
    shown = [str(problem) for problem in problems[:MOST_SHOWN]]
    if len(problems) > MOST_SHOWN:
        shown.append(f"and {len(problems) - MOST_SHOWN} more")
    raise MigrationFileError("\n".join(shown), hint="nothing was run; correct the files")


def _problems(migration: Migration) -> Iterator[_Problem]:
    yield from _header_problems(migration)
    yield from _sql_problems(migration, migration.path, migration.text)
    if migration.rollback_path is None:
        name = migration.id + ROLLBACK_SUFFIX
        yield _Problem(
            migration.path, 1, f"there is no {name}; a rollback that does nothing says so"
        )
        return
    rollback = migration.rollback_text
    for match in _unquoted(_DIRECTIVE_ANYWHERE, rollback):
        if match[1].lower() == "depends":
            continue  # `yoyo new` writes it there, and it changes nothing
        yield _Problem(
            migration.rollback_path,
            _line(rollback, match.start(1)),
            f"yoyo ignores {match[1]!r} in a rollback file: the forward file decides",
        )
    yield from _sql_problems(migration, migration.rollback_path, rollback)


def _header_problems(migration: Migration) -> Iterator[_Problem]:
    path, text = migration.path, migration.text
    header_end = _header_end(path, text)
    for match in _KEY.finditer(text, 0, header_end):
        key = match[1]
        if (meant := _meant(key)) != key:
            line = _line(text, match.start(1))
            yield _Problem(path, line, f"yoyo ignores {key!r}; write {meant!r}")
    for match in _unquoted(_DIRECTIVE_ANYWHERE, text):
        if match.start(1) < header_end:
            continue
        line = _line(text, match.start(1))
        yield _Problem(
            path, line, f"yoyo ignores {match[1]!r} here: it belongs in the leading -- lines"
        )


@cache
def _meant(key: str) -> str:
    """The directive that a header's key stands for, or nearly; else the key."""
    if key in _DIRECTIVES:
        return key
    from difflib import get_close_matches  # most files have none but these, and trueup's

    return next(iter(get_close_matches(key.lower(), _DIRECTIVES, n=1, cutoff=0.75)), key)


def _header_end(path: Path, text: str) -> int:
    lines = text.splitlines(keepends=True)
    return sum(len(line) for line in lines[: parse_header(path, text).lines])


def _sql_problems(migration: Migration, path: Path, text: str) -> Iterator[_Problem]:
    forward = path == migration.path
    if text.startswith("\ufeff"):
        yield _Problem(path, 1, "a byte-order mark comes before the text; yoyo ignores the header")
        return
    if forward and (mark := next(_unquoted(_BOTH_WAYS, text), None)):
        yield _Problem(
            path,
            _line(text, mark.end()),
            f"{mark[0].strip()!r} is another tool's: yoyo would run all of the file forward;"
            " apply it with that tool",
        )
    try:
        statements = migration.statements if forward else migration.rollback_statements
    except MigrationFileError:
        yield _unreadable(path, text)
        return
    if not statements and (forward or not _NO_OP.search(text)):
        wanted = "" if forward else "; one meant to do nothing says `-- no-op: reason`"
        yield _Problem(path, 1, f"the file holds no statement{wanted}")
    if not migration.transactional and len(statements) > 1:
        yield _Problem(
            path,
            statements[1].line,
            "a non-transactional file holds one statement, and this is a second one:"
            " a failure between the two could not be undone",
        )
    for statement in statements:
        if message := _refused(statement):
            yield _Problem(path, statement.line, message)
    if misread := misread_by_yoyo(text, statements):
        yield _Problem(path, misread.line, f"{MISREAD}; {INSTEAD}")


def _unreadable(path: Path, text: str) -> _Problem:
    try:
        split(text)
    except ScanError as error:
        return _Problem(path, _line(text, error.offset), str(error))
    raise AssertionError(path)


def _refused(statement: Statement) -> str:
    words = statement.words
    match words[:2]:
        case ["BEGIN" | "COMMIT" | "END" | "ABORT" | "START" as word, *_]:
            return f"{word} in a file: the runner begins and ends the transaction"
        case ["ROLLBACK", *rest] if rest != ["TO"]:
            return "ROLLBACK in a file: it would be recorded as applied with nothing done"
        case ["PREPARE", "TRANSACTION"]:
            return "PREPARE TRANSACTION in a file: the runner ends the transaction"
        case ["COPY", *_] if _COPY_STREAM.search(statement.text):
            return "COPY from or to the client: a file has no data stream; use INSERT"
    return ""


def _unquoted(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """What a pattern finds in a file outside of strings, which are data."""
    found = [*pattern.finditer(text)]
    if not found:
        return
    try:
        statements = split(text)
    except ScanError:
        statements = []  # told by itself
    for match in found:
        if not any(s.quotes(match.end()) for s in statements):
            yield match


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1
