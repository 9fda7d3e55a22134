"""Reads migrations in yoyo's file format: ids, directives, rollback pairs and their order.

yoyo's own reader parses every file with sqlparse each time; this one reads only what is asked
for. tests/unit/test_ledger_files.py holds the two to the same answer.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import MigrationFileError
from runner.ledger.header import parse_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.ledger.scanner import Statement

PHASES = (
    *("baseline", "toolkit", "check"),
    *("expand", "backfill", "enforce", "switch", "contract", "window"),
)
ROLLBACK_SUFFIX = ".rollback.sql"
LARGEST_FILE = 5_000_000  # bytes; yoyo takes three seconds to split each million

# How other tools, and slips of the pen, name a file that undoes another.
_UNDO = ("rollback", "down", "up", "undo", "revert")
_AS_UTF8 = "save the file as UTF-8 without a byte-order mark"


@dataclass(frozen=True)
class Migration:
    """One migration: a forward file and its rollback file.

    Args:
        id: the forward file's name without its ending; unique in a ledger.
        number: the digits that the id starts with, empty when there are none.
        phase: one of PHASES, empty when the id names none.
        service: name of the folder that the file's source belongs to.
        path: the forward file.
        rollback_path: the rollback file, None when there is none.
        depends: ids of the migrations that must be applied before.
        transactional: False when the file runs outside a transaction.
        title: what the header says before its first key.
        metadata: the header's `key: value` lines (does, locks, cost, undo), directives left out.
        on_request: True when it is applied only when it, or its phase, is named.
        text: content of the forward file.
        rollback_text: content of the rollback file, empty when there is none.
        rollback_transactional: the same as transactional for the way back; None where that holds.
        forward_only: its tool or its team writes no way back.
        of_another_tool: it is none of yoyo's, so yoyo's ledger does not know it.
    """

    id: str
    number: str
    phase: str
    service: str
    path: Path
    rollback_path: Path | None
    depends: frozenset[str]
    transactional: bool
    title: str
    metadata: Mapping[str, str]
    on_request: bool
    text: str = field(repr=False)
    rollback_text: str = field(repr=False)
    rollback_transactional: bool | None = None
    forward_only: bool = False
    of_another_tool: bool = False

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """The forward file's statements."""
        return _statements(self.path, self.text)

    @cached_property
    def rollback_statements(self) -> tuple[Statement, ...]:
        """The rollback file's statements, in the order in which they stand there."""
        return _statements(self.rollback_path or self.path, self.rollback_text)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the forward file, in hex; a line break counts as one whatever its bytes."""
        return _sha256(self.text)

    @cached_property
    def rollback_checksum(self) -> str:
        """SHA-256 of the rollback file, in hex."""
        return _sha256(self.rollback_text)

    @property
    def yoyo_hash(self) -> str:
        """The key that yoyo gives the migration: SHA-256 of its id, not of its content."""
        return _sha256(self.id)


def read_migrations(
    sources: Iterable[Path], *, on_request: Iterable[Path] = ()
) -> tuple[Migration, ...]:
    """Read the migrations of source folders in the order in which they are applied.

    Args:
        sources: folders with forward and rollback files; folders inside them are not searched.
        on_request: folders whose migrations are applied only when they are named.

    Returns:
        The migrations, each after those it depends on, else in the order of folders and names.

    Raises:
        MigrationFileError: for a folder or file that cannot be read or breaks the format.
    """
    found = [m for source in sources for m in _read_source(source, on_request=False)]
    found += [m for source in on_request for m in _read_source(source, on_request=True)]
    return _ordered(found)


def chain_checksums(migrations: Sequence[Migration]) -> dict[str, str]:
    """Give each migration a checksum that covers its files and all its ancestors.

    Args:
        migrations: in the order of read_migrations.

    Returns:
        SHA-256 in hex by migration id.
    """
    chain: dict[str, str] = {}
    for migration in migrations:
        parts = [migration.id, migration.checksum, migration.rollback_checksum]
        parts += [chain[parent] for parent in sorted(migration.depends) if parent in chain]
        chain[migration.id] = _sha256("\n".join(parts))
    return chain


def _read_source(source: Path, *, on_request: bool) -> list[Migration]:
    if not source.is_dir():
        found = "is a file" if source.exists() else "does not exist"
        raise MigrationFileError(
            f"source folder {source} {found}",
            hint=_way_to_files(source)
            or "name the folder that holds the .sql files, by --sources, --service or yoyo.ini",
        )
    paths = sorted(source.iterdir(), key=str)
    names = {path.name for path in paths}
    for path in paths:
        if reason := _stray(path, names):
            raise MigrationFileError(f"{path}: {reason}")
    service = _service_name(source)
    migrations = [
        read_migration(path, service=service, on_request=on_request)
        for path in paths
        if path.suffix == ".sql" and not path.name.endswith(ROLLBACK_SUFFIX)
    ]
    if not migrations:
        raise MigrationFileError(
            f"source folder {source} holds no migration (.sql file)", hint=_way_to_files(source)
        )
    return migrations


def _way_to_files(source: Path) -> str:
    """How a service of a standard.toml comes to files where it has none; empty for others."""
    service = source.parent
    if source.name == "online" and any((service / "window").glob("*.sql")):
        return "its tables can be converted in a window only: --strategy window"
    if (service / "standard.toml").is_file():
        return f"write them by `trueup generate --service {service.name}`"
    return ""


def _stray(path: Path, names: set[str]) -> str:
    """Why a file beside the migrations is a mistake, or would run behind the reader's back."""
    if not _name(path).isprintable():
        return f"its name {_name(path)!a} holds characters that cannot be shown"
    if path.name.startswith("post-apply") and path.suffix in (".sql", ".py"):
        return "yoyo runs a post-apply file after every run; trueup runs numbered SQL files only"
    if path.suffix == ".py" and not path.name.startswith("_tmp_yoyonew"):
        return "yoyo runs a Python file as a migration; trueup runs SQL files only"
    if path.suffix.lower() != ".sql":
        return ""
    if path.suffix != ".sql":
        return "yoyo ignores it, as its name does not end in .sql"
    if path.name.endswith(ROLLBACK_SUFFIX):
        forward = path.name.removesuffix(ROLLBACK_SUFFIX) + ".sql"
        return "" if forward in names else f"it would undo {forward}, which does not exist"
    before, _, last = path.stem.rpartition(".")
    if before and (f"{before}.sql" in names or _is_direction(last.lower())):
        return (
            f"yoyo would run it forward, as a migration {path.stem}; a rollback file is named"
            f" ID{ROLLBACK_SUFFIX}"
        )
    return ""


def _is_direction(word: str) -> bool:
    from difflib import get_close_matches

    return bool(get_close_matches(word, _UNDO, cutoff=0.75))


def _name(path: Path) -> str:
    """A file's name read as UTF-8, whatever the locale says."""
    return os.fsencode(path.name).decode("utf-8", "surrogateescape")


def _service_name(source: Path) -> str:
    """The service folder's name: the nearest folder above that is no source by convention."""
    path = source.resolve()
    while path.name in ("legacy", "common", "online", "switch", "contract", "window"):
        path = path.parent
    return path.name


def read_migration(path: Path, *, service: str = "", on_request: bool = False) -> Migration:
    """Read one migration.

    Args:
        path: the forward file.
        service: name of the service's folder, empty to find it from the path.
        on_request: whether it is applied only when it is named.

    Returns:
        The migration; what it depends on is not looked for.

    Raises:
        MigrationFileError: when it cannot be read or breaks the format.
    """
    text = read_text(path)
    rollback_path = path.with_name(path.stem + ROLLBACK_SUFFIX)
    has_rollback = rollback_path.exists()
    header = parse_header(path, text)
    id_ = _name(path).removesuffix(".sql")
    number = re.match(r"\d*(?![A-Za-z0-9])", id_)
    phase = id_.partition("_")[2].partition("_")[0]
    return Migration(
        id=id_,
        number=number[0] if number else "",
        phase=phase if phase in PHASES else "",
        service=service or _service_name(path.parent),
        path=path,
        rollback_path=rollback_path if has_rollback else None,
        depends=frozenset(header.directives.get("depends", "").split()),
        transactional=header.directives.get("transactional", "true").lower() == "true",
        title=header.title,
        metadata=header.metadata,
        on_request=on_request,
        text=text,
        rollback_text=read_text(rollback_path) if has_rollback else "",
    )


def read_text(path: Path) -> str:
    """Read a migration file.

    Args:
        path: the file.

    Returns:
        Its text with line breaks as they are.

    Raises:
        MigrationFileError: when it is no readable UTF-8 file.
    """
    try:
        _require_plain(path)
        with open(path, "rb", buffering=0) as file:
            content = file.read()
        if len(content) > LARGEST_FILE:
            raise MigrationFileError(
                f"{path} has {len(content):,} bytes, more than {LARGEST_FILE:,}",
                hint="divide it; data is loaded by COPY, not by a migration",
            )
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content:
            raise MigrationFileError(f"{path}: it is UTF-16, not UTF-8", hint=_AS_UTF8)
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise MigrationFileError(
            f"{path}:{line}: byte {error.object[error.start]:#04x} is not UTF-8",
            hint=_AS_UTF8,
        ) from None
    except IsADirectoryError:
        raise MigrationFileError(f"{path} is a folder, not a migration file") from None
    except OSError as error:
        raise MigrationFileError(f"{path} cannot be read: {error.strerror}") from None


def _require_plain(path: Path) -> None:
    """Refuse what has no end, and a link to what is no migration: what is read may be shown.

    Raises:
        MigrationFileError, OSError: it is one, or is not there.
    """
    mode = os.lstat(path).st_mode
    is_link = stat.S_ISLNK(mode)
    if is_link:
        mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    if not stat.S_ISREG(mode):
        raise MigrationFileError(f"{path} is a device or a pipe, not a migration file")
    if is_link and (target := path.resolve()).suffix != path.suffix:
        raise MigrationFileError(
            f"{path} is a link to {target}, which is not a {path.suffix} file",
            hint="put the file itself there",
        )


def _ordered(found: list[Migration]) -> tuple[Migration, ...]:
    by_id: dict[str, Migration] = {}
    for migration in found:
        other = by_id.setdefault(migration.id, migration)
        if other is not migration:
            raise MigrationFileError(
                f"{migration.path}: its id is taken by {other.path}",
                hint="give one of the two files another number or name",
            )
    # Another folder may count in another way, by dates or with dots: `depends` orders the two.
    numbered = sorted((m for m in found if m.number), key=lambda m: (m.path.parent, m.number))
    for one, other in pairwise(numbered):
        if one.path.parent != other.path.parent or _are_dates(one, other):
            continue
        if int(one.number) > int(other.number):
            raise MigrationFileError(
                f"{one.path.name} and {other.path.name} have numbers of different width",
                hint="yoyo sorts by text, 10 before 2: write 0002 and 0010",
            )
    for migration in found:
        for parent in migration.depends - by_id.keys():
            raise MigrationFileError(
                f"{migration.path}: depends names {parent!r}, which no file of the sources has",
                hint="correct the name, or name the source folder that holds it",
            )
    return _sorted_by_dependencies(found)


def _are_dates(*migrations: Migration) -> bool:
    """Whether numbers are dates, with a time of day or without: these sort as texts do."""
    return all(re.match(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])", m.number) for m in migrations)


def _sorted_by_dependencies(found: list[Migration]) -> tuple[Migration, ...]:
    """Of the migrations whose ancestors are done, the first by source and name comes next."""
    import heapq

    position = {migration.id: index for index, migration in enumerate(found)}
    missing = {migration.id: set(migration.depends) for migration in found}
    children: dict[str, list[str]] = {}
    for migration in found:
        for parent in migration.depends:
            children.setdefault(parent, []).append(migration.id)
    ready = [position[id_] for id_, parents in missing.items() if not parents]
    heapq.heapify(ready)
    ordered: list[Migration] = []
    while ready:
        migration = found[heapq.heappop(ready)]
        ordered.append(migration)
        del missing[migration.id]
        for child in children.get(migration.id, ()):
            missing[child].discard(migration.id)
            if not missing[child]:
                heapq.heappush(ready, position[child])
    if missing:
        raise MigrationFileError(f"depends runs in a loop: {' -> '.join(_loop(missing))}")
    return tuple(ordered)


def _loop(missing: Mapping[str, set[str]]) -> list[str]:
    """Follow first parents until one comes again: every migration in `missing` has one there."""
    walk = [min(missing)]
    while walk[-1] not in walk[:-1]:
        walk.append(min(missing[walk[-1]]))
    return walk[walk.index(walk[-1]) :]


def _statements(path: Path, text: str) -> tuple[Statement, ...]:
    from runner.ledger.scanner import ScanError, split  # not needed where there is nothing to do

    try:
        return tuple(split(text))
    except ScanError as error:
        line = text.count("\n", 0, error.offset) + 1
        raise MigrationFileError(f"{path}:{line}: {error}") from None


def _sha256(text: str) -> str:
    import hashlib

    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    return hashlib.sha256(unified.encode("utf-8")).hexdigest()
