"""Reads the migration files of any of the common tools: yoyo, dbmate, Flyway, Sqitch, plain SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from runner.errors import MigrationFileError
from runner.ledger.files import PHASES, ROLLBACK_SUFFIX, parse_header, read_text
from runner.lint.steps import ScanError, Statement, Step, statements, steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

LAYOUTS = ("yoyo", "dbmate", "goose", "flyway", "sqitch", "up-down", "plain")
HOUSE_FOLDERS = ("legacy", "online", "contract", "window")

_SECTION = re.compile(
    r"^[ \t]*--[ \t]*(?:(?P<dbmate>migrate):|\+(?P<goose>goose|migrate)[ \t]+)"
    r"(?P<way>up|down)\b(?P<options>[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_NO_TRANSACTION = re.compile(r"^\s*--\s*\+(?:goose|migrate)\b.*no\s?transaction", re.I | re.M)
_FLYWAY = re.compile(r"^(?P<way>[VURB])(?P<version>[\d._]*)__.+\.sql$")
_NUMBERED = re.compile(r"^[vV]?\d+(?:[._-]|$)")
_YOYO_DIRECTIVE = re.compile(r"^--\s*(?:transactional|depends)\s*:", re.MULTILINE)
_PSQL_LINE = re.compile(r"^[ \t]*\\[^\n]*", re.MULTILINE)
_TEMPLATE = re.compile(r"\$\{[^}\n]*\}")
_NOT_SPACE = re.compile(r"\S")
_SET_LOCAL = re.compile(r"^\s*SET\s+LOCAL\b", re.IGNORECASE | re.MULTILINE)
_BEGIN = re.compile(r"^\s*(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE | re.MULTILINE)
_OUTSIDE_ONLY = re.compile(
    r"\b(?:INDEX\s+CONCURRENTLY|VACUUM|REINDEX\b.*\bCONCURRENTLY|DISCARD\s+ALL|ADD\s+VALUE)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class Script:
    """One direction of one migration.

    Args:
        path: the file.
        id: what the tool calls the migration.
        layout: one of LAYOUTS.
        up: True for the forward direction.
        content: the whole file.
        text: this direction's part; the rest is blanks, so that places are those of the file.
        transactional: whether the tool runs it inside a transaction.
        phase: one of trueup's phases, else empty.
        depends: ids that must come first.
        header: characters of the leading comment lines.
    """

    path: Path
    id: str
    layout: str
    up: bool
    content: str = field(repr=False)
    text: str = field(repr=False)
    transactional: bool
    phase: str = ""
    depends: frozenset[str] = frozenset()
    header: int = 0

    @cached_property
    def _read(self) -> tuple[tuple[Statement, ...], str, int]:
        try:
            return tuple(statements(self.text)), "", 0
        except ScanError as error:
            return (), str(error), error.offset

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The statements; none when the text cannot be split."""
        return self._read[0]

    @property
    def problem(self) -> tuple[str, int]:
        """Why the text cannot be split into statements, and where; empty when it can."""
        return self._read[1:]

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps of all statements."""
        return tuple(step for statement in self.statements for step in steps(statement))


@dataclass(frozen=True, eq=False)
class Pair:
    """A migration: its forward script and the one that undoes it.

    Args:
        up: the forward script.
        down: None when there is none.
    """

    up: Script
    down: Script | None


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The SQL files that paths name, folders searched to the bottom.

    Args:
        paths: files and folders.

    Returns:
        The files, sorted, each once.

    Raises:
        MigrationFileError: for a path that is not there or is no SQL file.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            hidden = [p for p in path.rglob("*.sql") if p.is_file()]
            found |= dict.fromkeys(
                p
                for p in sorted(hidden)
                if not any(x.startswith(".") for x in p.relative_to(path).parts)
            )
        elif path.suffix == ".sql" and path.is_file():
            found[path] = None
        else:
            reason = "is no .sql file" if path.exists() else "does not exist"
            raise MigrationFileError(f"{path} {reason}")
    return list(found)


def chains(files: Sequence[Path], layout: str | None = None) -> list[list[Pair]]:
    """Read files and put those that belong together in the order in which they run.

    Files of one folder are a chain when their tool orders them or their names start with a
    number; others are each alone. The folders of a house service are one chain a strategy.

    Args:
        files: SQL files; the others of their folders are read too, as what came before.
        layout: one of LAYOUTS; found out by itself when None.

    Returns:
        The chains.

    Raises:
        MigrationFileError: for a file that cannot be read.
    """
    groups: dict[tuple[Path, ...], set[Path]] = {}
    for path in files:
        for folders in _folders_of(path):
            groups.setdefault(folders, set()).add(path)
    found = []
    for folders, wanted in groups.items():
        pairs = _read_group(folders, layout)
        if all(_is_chain(pair) for pair in pairs):
            found.append(pairs)
        else:
            found += [[pair] for pair in pairs if _paths(pair) & wanted]
    return found


def _paths(pair: Pair) -> set[Path]:
    return {pair.up.path} | ({pair.down.path} if pair.down else set())


def _is_chain(pair: Pair) -> bool:
    return pair.up.layout != "plain" or _NUMBERED.match(pair.up.path.name) is not None


def _folders_of(path: Path) -> list[tuple[Path, ...]]:
    """The folders of each chain that a file is part of."""
    folder = path.parent
    if folder.name in ("deploy", "revert", "verify"):
        return [(folder.parent,)]
    if folder.name == "contract" and folder.parent.name in HOUSE_FOLDERS:
        return _house(folder.parent.parent, folder.parent.name)
    if folder.name in HOUSE_FOLDERS and (
        (folder.parent / "legacy").is_dir() or (folder / "contract").is_dir()
    ):
        if folder.name != "legacy":
            return _house(folder.parent, folder.name)
        return _house(folder.parent, "online") + _house(folder.parent, "window")
    return [(folder,)]


def _house(service: Path, strategy: str) -> list[tuple[Path, ...]]:
    folders = (service / "legacy", service / strategy, service / strategy / "contract")
    return [tuple(folder for folder in folders if folder.is_dir())]


def _read_group(folders: tuple[Path, ...], layout: str | None) -> list[Pair]:
    first = folders[0]
    if (first / "deploy").is_dir():
        return _read_sqitch(first)
    pairs: list[Pair] = []
    for folder in folders:
        names = sorted(p.name for p in folder.iterdir() if p.name.endswith(".sql") and p.is_file())
        texts = {name: read_text(folder / name) for name in names}
        found = _read_folder(folder, texts, layout)
        pairs += found
    return _by_dependencies(pairs)


def _read_folder(folder: Path, texts: dict[str, str], layout: str | None) -> list[Pair]:
    yoyo = layout == "yoyo" or (
        layout is None
        and (
            any(name.endswith(ROLLBACK_SUFFIX) for name in texts)
            or any(_YOYO_DIRECTIVE.search(text) for text in texts.values())
            or "yoyo" in folder.name.lower()
            or _in_yoyo_ini(folder)
        )
    )
    pairs: list[Pair] = []
    flyway: dict[str, Path] = {}
    for name, text in texts.items():
        path = folder / name
        match = _FLYWAY.match(name)
        if layout in (None, "dbmate", "goose") and _SECTION.search(text):
            pairs.append(_read_sections(path, text))
        elif layout in (None, "flyway") and match:
            if match["way"] == "U":
                flyway[match["version"]] = path
            else:
                pairs.append(Pair(_flyway(path, text, up=True), None))
        elif layout in (None, "up-down") and name.endswith((".up.sql", ".down.sql")):
            down = name.replace(".up.sql", ".down.sql")
            if name.endswith(".up.sql"):
                pairs.append(
                    Pair(_whole(path, text, "up-down"), _other(folder, down, texts, "up-down"))
                )
        elif yoyo:
            if not name.endswith(ROLLBACK_SUFFIX):
                pairs.append(_read_yoyo(folder, name, texts))
        else:
            pairs.append(Pair(_plain(path, text), None))
    for number, pair in enumerate(pairs):
        match = _FLYWAY.match(pair.up.path.name)
        if match and (undo := flyway.get(match["version"])):
            pairs[number] = Pair(pair.up, _flyway(undo, texts[undo.name], up=False))
    if flyway or any(pair.up.layout == "flyway" for pair in pairs):
        pairs.sort(key=_flyway_order)
    return pairs


def _in_yoyo_ini(folder: Path) -> bool:
    from runner.config import find_config, read_config

    config = find_config(folder.resolve())
    if config is None:
        return False
    sources = read_config(config).get("sources", "").split()
    return any((config.parent / source).resolve() == folder.resolve() for source in sources)


def _masked(text: str, start: int, end: int) -> str:
    """The text with all but a part blanked, its lines kept."""
    return _NOT_SPACE.sub(" ", text[:start]) + text[start:end] + _NOT_SPACE.sub(" ", text[end:])


def _clean(text: str) -> str:
    """The text without what is no SQL: psql commands, template variables, a byte-order mark."""
    if "\\" in text:
        text = _PSQL_LINE.sub(lambda m: " " * len(m[0]), text)
    if "${" in text:
        text = _TEMPLATE.sub(lambda m: "_" * len(m[0]), text)
    return text.replace("\ufeff", " ", 1)


def _whole(
    path: Path,
    text: str,
    layout: str,
    *,
    up: bool = True,
    transactional: bool = True,
    id_: str = "",
) -> Script:
    return Script(
        path=path,
        id=id_ or path.name.split(".")[0],
        layout=layout,
        up=up,
        content=text,
        text=_clean(text),
        transactional=transactional,
        header=_header(text),
    )


def _header(text: str) -> int:
    match = re.match(r"(?:[ \t]*(?:--[^\n]*)?(?:\n|$))*", text)
    return match.end() if match else 0


def _other(
    folder: Path, name: str, texts: dict[str, str], layout: str, *, transactional: bool = True
) -> Script | None:
    if name not in texts:
        return None
    return _whole(folder / name, texts[name], layout, up=False, transactional=transactional)


def _read_yoyo(folder: Path, name: str, texts: dict[str, str]) -> Pair:
    path, text = folder / name, texts[name]
    id_ = path.stem
    try:
        header = parse_header(path, text)
    except MigrationFileError:
        header = None
    directives = header.directives if header else {}
    transactional = directives.get("transactional", "true").lower() == "true"
    phase = id_.partition("_")[2].partition("_")[0]
    up = Script(
        path=path,
        id=id_,
        layout="yoyo",
        up=True,
        content=text,
        text=text.replace("\ufeff", " ", 1),
        transactional=transactional,
        phase=phase if phase in PHASES else "",
        depends=frozenset(directives.get("depends", "").split()),
        header=_header(text),
    )
    down = _other(folder, id_ + ROLLBACK_SUFFIX, texts, "yoyo", transactional=transactional)
    return Pair(up, down)


def _read_sections(path: Path, text: str) -> Pair:
    marks = list(_SECTION.finditer(text))
    layout = "dbmate" if marks[0]["dbmate"] else "goose"
    no_transaction = layout == "goose" and _NO_TRANSACTION.search(text) is not None
    parts: dict[str, Script] = {}
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        end = following.start() if following else len(text)
        options = mark["options"].replace(" ", "").lower()
        way = mark["way"].lower()
        parts.setdefault(
            way,
            Script(
                path=path,
                id=path.stem,
                layout=layout,
                up=way == "up",
                content=text,
                text=_clean(_masked(text, mark.end(), end)),
                transactional=not no_transaction and "transaction:false" not in options,
                header=_header(text),
            ),
        )
    up = parts.get("up") or _whole(path, _masked(text, 0, 0), layout)
    return Pair(up, parts.get("down"))


def _flyway(path: Path, text: str, *, up: bool) -> Script:
    """Flyway runs a file outside a transaction when every statement in it must be."""
    settings = path.with_name(path.name + ".conf")
    transactional = not (
        settings.is_file()
        and re.search(r"executeInTransaction\s*=\s*false", settings.read_text("utf-8"), re.I)
    )
    script = _whole(path, text, "flyway", up=up, transactional=transactional, id_=path.stem)
    if transactional and _OUTSIDE_ONLY.search(text):
        others = [s for s in script.statements if not s.text.upper().startswith(("SET ", "RESET "))]
        transactional = not all(_OUTSIDE_ONLY.search(s.text) for s in others)
        script = _whole(path, text, "flyway", up=up, transactional=transactional, id_=path.stem)
    return script


def _flyway_order(pair: Pair) -> tuple[int, list[int], str]:
    match = _FLYWAY.match(pair.up.path.name)
    if match is None or match["way"] == "R":
        return (1, [], pair.up.path.name)
    version = [int(part) for part in re.findall(r"\d+", match["version"])]
    return (0, version, pair.up.path.name)


def _plain(path: Path, text: str) -> Script:
    """A file whose tool is not known: SET LOCAL shows that a transaction was expected around it."""
    expects_one = _SET_LOCAL.search(text) is not None and _BEGIN.search(text) is None
    return _whole(path, text, "plain", transactional=expects_one, id_=path.stem)


def _read_sqitch(project: Path) -> list[Pair]:
    found: dict[str, Pair] = {}
    for path in sorted((project / "deploy").glob("*.sql")):
        undo = project / "revert" / path.name
        down = None
        if undo.is_file():
            down = _whole(undo, read_text(undo), "sqitch", up=False, transactional=False)
        up = _whole(path, read_text(path), "sqitch", transactional=False, id_=path.stem)
        found[path.stem] = Pair(up, down)
    plan = project / "sqitch.plan"
    names = re.findall(r"^([^\s%@#]\S*)", read_text(plan), re.MULTILINE) if plan.is_file() else []
    ordered = [found.pop(name) for name in dict.fromkeys(names) if name in found]
    return ordered + list(found.values())


def _by_dependencies(pairs: list[Pair]) -> list[Pair]:
    """Each after those it depends on, else in the order given; a loop is broken where it closes."""
    by_id = {pair.up.id: pair for pair in pairs}
    done: dict[str, Pair] = {}
    entered: set[str] = set()
    for first in pairs:
        stack = [first]
        while stack:
            pair = stack[-1]
            missing = [
                by_id[d]
                for d in sorted(pair.up.depends)
                if d in by_id and d not in done and d not in entered
            ]
            entered.add(pair.up.id)
            if missing:
                stack += missing
            else:
                done.setdefault(pair.up.id, stack.pop())
    return list(done.values())
