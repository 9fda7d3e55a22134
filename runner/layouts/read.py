"""Reads migration files and puts those that belong together in the order in which they run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import MigrationFileError
from runner.layouts import names
from runner.layouts.folders import (
    migrations_folder,
    read_folders,
    read_sqitch,
    sqitch_project,
)
from runner.layouts.liquibase import changelog_of, included, is_formatted, read_changesets
from runner.layouts.model import Chain, Pair, ScriptText
from runner.layouts.sections import read_sections, tool_of
from runner.layouts.text import Texts, whole
from runner.ledger.files import ROLLBACK_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HOUSE_FOLDERS = ("legacy", "common", "online", "switch", "contract", "window")
_SHARED = ("legacy", "common")  # by both strategies
_SKIPPED = frozenset({"node_modules", "__pycache__"})
_OTHER_LANGUAGES = (".cs", ".go", ".java", ".js", ".kt", ".py", ".rb", ".ts")
_FLYWAY_FOLDERS = ("migration", "migrations")
_LEVELS = 4

_Pairs = list[Pair[ScriptText]]


@dataclass
class Reading:
    """What was read.

    Args:
        chains: the migrations, those that run one after the other together.
        unreadable: why a file could not be read, by file.
    """

    chains: list[Chain[ScriptText]] = field(default_factory=list)
    unreadable: dict[Path, MigrationFileError] = field(default_factory=dict)


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The SQL files that paths name, folders searched to the bottom.

    Args:
        paths: files and folders.

    Returns:
        The files, each once, those of a folder sorted; hidden ones and installed packages are
        left out.

    Raises:
        MigrationFileError: for a path that is not there or is no SQL file.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found |= dict.fromkeys(map(Path, sorted(_below(path))))
        elif path.suffix == ".sql" and path.is_file():
            found[path] = None
        else:
            reason = "is not a .sql file" if path.exists() else "does not exist"
            raise MigrationFileError(f"{path} {reason}")
    return list(found)


def _below(folder: Path) -> Iterable[str]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "." and name not in _SKIPPED]
        for name in files:
            if name.endswith(".sql") and name[0] != ".":
                yield os.path.join(root, name)


def read_chains(
    files: Sequence[Path], layout: str | None = None, opened: Mapping[Path, str] | None = None
) -> Reading:
    """Read files, and the others of their projects as what comes before and after them.

    Args:
        files: SQL files.
        layout: one of LAYOUTS; found out by itself when None.
        opened: texts that count instead of those of the files, as an editor shows them.

    Returns:
        The chains. Files that no tool orders and no number numbers are each one alone.
    """
    reading = Reading()
    reader = _Reader(layout, Texts(reading.unreadable, opened or {}))
    roots: dict[tuple[object, ...], list[Path]] = {}
    for path in files:
        for root in reader.roots(path):
            roots.setdefault(root, []).append(path)
    for root, in_it in roots.items():
        wanted = set(in_it)
        pairs = reader.pairs(root, wanted)
        if bad := reading.unreadable:
            pairs = [_without(pair, bad) for pair in pairs if pair.up.path not in bad]
        together = [pair for pair in pairs if _has_a_place(pair)]
        if together:
            reading.chains.append(Chain(together, _unread(together)))
        alone = [pair for pair in pairs if not _has_a_place(pair) and pair.paths & wanted]
        reading.chains += [Chain([pair]) for pair in alone]
    return reading


def _without(pair: Pair[ScriptText], bad: Mapping[Path, object]) -> Pair[ScriptText]:
    """A pair whose way back is there and cannot be read."""
    if pair.down is None or pair.down.path not in bad:
        return pair
    text = "-- no-op: it cannot be read"
    return Pair(pair.up, replace(pair.down, content=text, text=text, header=0))


def _has_a_place(pair: Pair[ScriptText]) -> bool:
    if pair.up.layout == "plain":
        return names.is_numbered(pair.up.path)
    return pair.up.layout != "dump"


def _unread(pairs: _Pairs) -> tuple[Path, ...]:
    """Numbered files beside the migrations that a tool may run, and that are not read."""
    folders = {pair.up.path.parent: None for pair in pairs}
    found = []
    for folder in folders:
        others = [n for n in os.listdir(folder) if _is_unread(n)]
        found += [
            path
            for path in map(folder.joinpath, others)
            if names.is_numbered(path) or names.FLYWAY.match(path.stem + ".sql")
        ]
    return tuple(sorted(found))


def _is_unread(name: str) -> bool:
    """Whether a tool may run a file that is not read: golang-migrate runs `1_a.up.psql`, too."""
    stem, ending = os.path.splitext(name)
    return ending in _OTHER_LANGUAGES or (
        ending != ".sql" and (ending.lower() == ".sql" or stem.endswith((".up", ".down")))
    )


@dataclass
class _Reader:
    layout: str | None
    texts: Texts
    changelogs: dict[Path, Path] = field(default_factory=dict)
    tools: dict[tuple[str, Path], bool] = field(default_factory=dict)
    of_folders: dict[Path, list[tuple[object, ...]]] = field(default_factory=dict)

    def roots(self, path: Path) -> list[tuple[object, ...]]:
        """What each chain is read from that a file is part of."""
        folder = path.parent
        roots = self.of_folders.get(folder)
        if roots is None:
            of_sqitch = self.layout in (None, "sqitch")
            project = sqitch_project(path) if of_sqitch else None
            roots = [("sqitch", project)] if project else _roots_of(folder)
            self.of_folders[folder] = roots
        if roots[0][0] == "sqitch":
            return roots
        if above := migrations_folder(path, self.layout):
            return [("folders", above)]
        if is_formatted(self.texts[path]) and self._is_of("liquibase", folder):
            if folder not in self.changelogs:
                self.changelogs[folder] = changelog_of(folder) or folder
            return [("liquibase", self.changelogs[folder])]
        if names.FLYWAY.match(path.name) and self._is_of("flyway", folder):
            return [("flyway", _flyway_location(folder))]
        return roots

    def _is_of(self, tool: str, folder: Path) -> bool:
        """Whether files that look like a tool's are its: not where most of the folder do not.

        Each of these tools leaves files out that another one beside them runs.
        """
        if self.layout is not None:
            return self.layout == tool
        if (tool, folder) not in self.tools:
            listed = [n for n in os.listdir(folder) if n.endswith(".sql")]
            if tool == "flyway":
                alike = [n for n in listed if names.FLYWAY.match(n)]
                is_sure = False
            else:
                alike = [n for n in listed if is_formatted(self.texts[folder / n])]
                is_sure = changelog_of(folder) is not None
            self.tools[tool, folder] = is_sure or 2 * len(alike) > len(listed)
        return self.tools[tool, folder]

    def _is_elsewhere(self, folder: Path, name: str, text: str) -> bool:
        return (is_formatted(text) and self._is_of("liquibase", folder)) or (
            names.FLYWAY.match(name) is not None and self._is_of("flyway", folder)
        )

    def pairs(self, root: tuple[object, ...], wanted: set[Path]) -> _Pairs:
        """The migrations of a root, in their order."""
        kind, *places = root
        folders = [place for place in places if isinstance(place, Path)]
        match kind:
            case "sqitch":
                return read_sqitch(folders[0], self.texts)
            case "folders":
                return read_folders(folders[0], self.texts)
            case "liquibase":
                return self._liquibase(folders[0], wanted)
            case "flyway":
                return self._flyway(folders[0])
        found: _Pairs = []
        for folder in folders:
            found += self._folder(folder)
        return _by_dependencies(found)

    def _liquibase(self, root: Path, wanted: set[Path]) -> _Pairs:
        files = list(included(root, self.texts)) if root.is_file() else sorted(root.glob("*.sql"))
        by_place = {os.path.abspath(path): path for path in wanted}
        seen = {os.path.abspath(path) for path in files}
        files += sorted(path for place, path in by_place.items() if place not in seen)
        found: _Pairs = []
        for path in files:
            shown = by_place.get(os.path.abspath(path), path)
            if is_formatted(self.texts[shown]):
                found += read_changesets(shown, self.texts[shown])
            elif root.is_file():
                found.append(Pair(whole(shown, self.texts[shown], "liquibase", shown.stem), None))
        return found

    def _flyway(self, location: Path) -> _Pairs:
        folders: dict[Path, dict[str, str]] = {}
        for path in find_files([location]):
            if names.FLYWAY.match(path.name):
                folders.setdefault(path.parent, {})[path.name] = self.texts[path]
        found = [pair for at, texts in folders.items() for pair in names.read_flyway(at, texts)]
        return sorted(found, key=names.flyway_order)

    def _folder(self, folder: Path) -> _Pairs:
        with os.scandir(folder) as entries:
            listed = sorted(e.name for e in entries if e.name.endswith(".sql") and e.is_file())
        texts = {name: self.texts[folder / name] for name in listed}
        if self.layout == "flyway":
            return sorted(names.read_flyway(folder, texts), key=names.flyway_order)
        tool = tool_of(texts, self.layout)
        found: _Pairs = []
        others: dict[str, str] = {}
        alembic: dict[str, str] = {}
        up_down: dict[str, str] = {}
        for name, text in texts.items():
            if self.layout is None and self._is_elsewhere(folder, name, text):
                continue  # in a chain of its own
            if tool and (pair := read_sections(folder / name, text, tool)):
                found.append(pair)
            elif self.layout in (None, "up-down") and names.is_up_down(name):
                up_down[name] = text
            elif self.layout in (None, "alembic") and names.is_alembic(text):
                alembic[name] = text
            else:
                others[name] = text
        if self.layout is None and not any(name.endswith(".up.sql") for name in up_down):
            others |= up_down  # the end of a name alone undoes nothing
            up_down = {}
        if self.layout is None and 2 * len(alembic) <= len(texts):
            others |= alembic
            alembic = {}
        found += names.read_up_down(folder, up_down)
        found += names.read_alembic(folder, alembic)
        if any(pair.up.layout != "dbmate" for pair in found) and not alembic:
            found.sort(key=names.by_number)
        return found + self._others(folder, dict(sorted(others.items())))

    def _others(self, folder: Path, texts: dict[str, str]) -> _Pairs:
        layout = self.layout or ""
        if layout == "supabase" or folder.parts[-2:] == ("supabase", "migrations"):
            layout = "supabase"
        if layout == "yoyo" or (not layout and names.is_yoyo(folder, texts)):
            return [
                names.read_yoyo(folder, name, texts)
                for name in texts
                if not name.endswith(ROLLBACK_SUFFIX)
            ]
        found: _Pairs = []
        for name, text in texts.items():
            path = folder / name
            is_first = name == min(texts)
            is_dump = not layout and names.is_dump(path, text, is_first=is_first)
            each = "dump" if is_dump else layout or "plain"
            found.append(Pair(names.read_plain(path, text, each), None))
        if layout != "supabase":
            found.sort(key=names.by_number)
        return found


def _flyway_location(folder: Path) -> Path:
    """The folder that Flyway searches to the bottom."""
    found = above = folder
    for _ in range(_LEVELS):
        if above.name in _FLYWAY_FOLDERS:
            found = above
        above = above.parent
    return found


def _roots_of(folder: Path) -> list[tuple[object, ...]]:
    """What the chains of a folder are read from whose files nothing else gives a place."""
    if folder.name in ("switch", "contract") and folder.parent.name in HOUSE_FOLDERS:
        return _house(folder.parent.parent, folder.parent.name)
    if folder.name in HOUSE_FOLDERS and (
        any((folder.parent / name).is_dir() for name in ("legacy", "online/contract"))
        or (folder / "contract").is_dir()
    ):
        if folder.name not in _SHARED:
            return _house(folder.parent, folder.name)
        return _house(folder.parent, "online") + _house(folder.parent, "window")
    return [("files", folder)]


def _house(service: Path, strategy: str) -> list[tuple[object, ...]]:
    chain = service / strategy
    shared = (service / name for name in _SHARED)
    folders = (*shared, chain, chain / "switch", chain / "contract")
    return [("files", *(folder for folder in folders if folder.is_dir()))]


def _by_dependencies(pairs: _Pairs) -> _Pairs:
    """Each after those it depends on, else in the order given; a loop is broken where it closes."""
    if not any(pair.up.depends for pair in pairs):
        return pairs
    by_id = {pair.up.id: pair for pair in pairs}
    done: dict[str, Pair[ScriptText]] = {}
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
