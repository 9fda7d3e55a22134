"""Migrations of any layout as plan and rehearsal take them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from runner.errors import MigrationFileError
from runner.layouts.model import UNDO_OPTIONAL, ScriptText
from runner.layouts.read import find_files, read_chains
from runner.layouts.text import blank, name_for, templates
from runner.ledger import files as ledger_files
from runner.ledger.files import Migration
from runner.ledger.scanner import ScanError, Statement, split

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runner.layouts.model import Pair

_NUMBER = re.compile(r"^[A-Za-z]?(\d+)")
_WITH_PLACEHOLDERS = ("flyway", "liquibase", "plain")
_BY_PSQL = ("sqitch", "plain", "dump")
_PSQL_COMMAND = re.compile(
    r"^[ \t]*(\\(?:!|(?:copy|gexec|gset|i|if|include|include_relative|ir|lo_import|o|prompt|q|quit"
    r"|watch)\b))",
    re.MULTILINE,
)
_OPENS = ("BEGIN", "START")
_CLOSES = ("COMMIT", "END")
_SUMS = ("schema.sql", "structure.sql")
# Folders that say what they hold, not whose it is.
_COMMON_NAMES = frozenset(
    "changelog database db default deploy diesel drizzle migrate migration migrations prisma"
    " schema sql supabase versions".split()
)


def read_migrations(
    sources: Iterable[Path], *, on_request: Iterable[Path] = (), layout: str | None = None
) -> tuple[Migration, ...]:
    """Read the migrations of folders, whatever tool they are of, in the order of that tool.

    Args:
        sources: folders with migrations.
        on_request: folders of yoyo's whose migrations are applied only when they are named.
        layout: one of LAYOUTS; found out by itself when None.

    Returns:
        The migrations, each with the part of its file that runs, its own BEGIN and COMMIT left out.

    Raises:
        MigrationFileError: for a folder or file that cannot be read, and for files that are of
            no one project.
    """
    sources, on_request = list(sources), list(on_request)
    if layout == "yoyo" or on_request or not all(source.is_dir() for source in sources):
        return ledger_files.read_migrations(sources, on_request=on_request)
    reading = read_chains(find_files(sources), layout)
    for error in reading.unreadable.values():
        raise error
    pairs = [pair for chain in reading.chains for pair in chain.pairs]
    pairs = _without_sums(pairs, sources)
    of_yoyo = any(pair.up.layout == "yoyo" and pair.up.path.parent in sources for pair in pairs)
    if not pairs or of_yoyo or all(map(_as_yoyo, pairs)):
        return ledger_files.read_migrations(sources)
    unread = sorted({path for chain in reading.chains for path in chain.unread})
    if unread:
        raise MigrationFileError(
            f"{unread[0]} is a migration that is no .sql file: nothing after it can be rehearsed",
            hint="let the tool print it as SQL, or name a folder without it",
        )
    forward_only = pairs[0].up.layout in UNDO_OPTIONAL or not any(pair.down for pair in pairs)
    found = [_migration(pair, forward_only) for pair in pairs]
    for id_, times in Counter(migration.id for migration in found).items():
        if times > 1:
            same = [str(m.path) for m in found if m.id == id_]
            raise MigrationFileError(
                f"{' and '.join(same[:2])} are both the migration {id_}",
                hint="name the folder of one project",
            )
    return tuple(found)


def _without_sums(pairs: list[Pair[ScriptText]], sources: Iterable[Path]) -> list[Pair[ScriptText]]:
    """All but the dumps of what the other files of their source make; those that remain first."""
    kept = []
    for source in sources:
        inside = [pair for pair in pairs if pair.up.path.is_relative_to(source)]
        beside = {p.up.path.parent for p in inside if p.up.layout != "dump"}
        for pair in inside:
            # One that stands beside the others runs with them, whatever it looks like.
            runs = pair.up.path.parent in beside and pair.up.path.name not in _SUMS
            if pair.up.layout != "dump" or runs or not beside:
                kept.append(pair)
    return sorted(dict.fromkeys(kept), key=lambda pair: pair.up.layout != "dump")


def _as_yoyo(pair: Pair[ScriptText]) -> bool:
    """Whether yoyo's own reader reads a file as its tool does."""
    if pair.up.layout == "plain":
        return not any(
            statement.words[:1] in (("BEGIN",), ("START",)) for statement in _split(pair.up)
        )
    return pair.up.layout == "yoyo"


def _migration(pair: Pair[ScriptText], forward_only: bool) -> Migration:
    text, transactional = _runnable(pair.up)
    undo, undo_transactional = ("", transactional) if pair.down is None else _runnable(pair.down)
    number = _NUMBER.match(pair.up.id)
    has_undo = pair.down is not None and bool(split(undo))
    return Migration(
        id=pair.up.id,
        number=number[1] if number else "",
        phase="baseline" if pair.up.layout == "dump" else "",
        service=_service(pair.up.path),
        path=pair.up.path,
        rollback_path=pair.down.path if pair.down is not None and has_undo else None,
        depends=frozenset(),
        transactional=transactional,
        title="",
        metadata={},
        on_request=False,
        text=text,
        rollback_text=undo if has_undo else "",
        rollback_transactional=undo_transactional,
        forward_only=forward_only and not has_undo,
        of_another_tool=True,
    )


def _runnable(script: ScriptText) -> tuple[str, bool]:
    """What is sent of a script, and whether in one transaction.

    BEGIN and COMMIT around all of it are that transaction; others stay, and are sent.
    """
    text = _as_sent(script)
    statements = _split(script)
    control = [s for s in statements if _is_control(s)]
    if len(control) != 2 or control[0].words[0] not in _OPENS or control[1].words[0] not in _CLOSES:
        return text, script.transactional and not control
    first, last = control
    outside = statements[: statements.index(first)] + statements[statements.index(last) + 1 :]
    if not all(statement.words[:1] == ("SET",) for statement in outside):
        return text, False
    for statement in control:
        end = statement.offset + len(statement.text)
        text = text[: statement.offset] + blank(statement.text) + text[end:]
    return text, True


def _as_sent(script: ScriptText) -> str:
    """The text as the tool sends it.

    Raises:
        MigrationFileError: for what only the tool, or psql, can put into it.
    """
    text = script.text
    for found in templates(script.content):
        if text[found.start() : found.end()] == name_for(found[0]):
            if found[0].startswith("{{") or _fills_in(script):
                raise MigrationFileError(
                    f"{_place(script, found.start())}: what {found[0]} stands for is known to the"
                    " tool alone",
                    hint="let the tool fill it in, and name the folder of what it wrote",
                )
            text = text[: found.start()] + found[0] + text[found.end() :]
    command = _PSQL_COMMAND.search(script.content) if script.layout in _BY_PSQL else None
    if command is not None:
        raise MigrationFileError(
            f"{_place(script, command.start())}: the psql command {command[1]} runs what is not in"
            " the file",
            hint="put the SQL into the file",
        )
    return text


def _fills_in(script: ScriptText) -> bool:
    if script.layout == "goose":
        return "+goose ENVSUB ON" in script.content
    return script.layout in _WITH_PLACEHOLDERS


def _place(script: ScriptText, offset: int) -> str:
    line = script.content.count("\n", 0, offset) + 1
    return f"{script.path}:{line}"


def _is_control(statement: Statement) -> bool:
    words = statement.words
    return words[:1] in (("BEGIN",), ("COMMIT",), ("END",), ("START",), ("ABORT",)) or (
        words[:1] == ("ROLLBACK",) and words[1:2] != ("TO",)
    )


def _split(script: ScriptText) -> list[Statement]:
    try:
        return split(script.text)
    except ScanError as error:
        raise MigrationFileError(f"{_place(script, error.offset)}: {error}") from None


def _service(path: Path) -> str:
    """The nearest folder above whose name says whose the migrations are."""
    folder = path.resolve().parent
    for above in (folder, *folder.parents):
        if above.name and above.name not in _COMMON_NAMES and not above.name[0].isdigit():
            return above.name
    return folder.name
