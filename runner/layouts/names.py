"""Layouts that are told by the names of files or by one line: Flyway, yoyo, Alembic, dumps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.errors import MigrationFileError, UsageError
from runner.layouts.data import without_rows
from runner.layouts.folders import stands_alone
from runner.layouts.model import Pair, ScriptText
from runner.layouts.text import header_of, outside_only, whole
from runner.ledger.files import PHASES, ROLLBACK_SUFFIX
from runner.ledger.header import parse_header
from runner.ledger.scanner import ScanError, split

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FLYWAY = re.compile(r"^(?P<way>[VURB])(?P<version>[\d._]*)__.+\.sql$")
_NUMBER = re.compile(r"\d+")
_LEADING_NUMBER = re.compile(r"^[vV]?(\d+)(?:[._-]|$)")
_YOYO_DIRECTIVE = re.compile(r"^--\s*(?:transactional|depends)\s*:", re.MULTILINE)
_SET_LOCAL = re.compile(r"^[ \t]*SET\s+LOCAL\b", re.IGNORECASE | re.MULTILINE)
_BEGIN = re.compile(r"^[ \t]*(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE | re.MULTILINE)
_DUMP = re.compile(r"\ufeff?(?:--[^\n]*\n|\s)*?-- PostgreSQL database dump\r?\n")
_OF_RAILS = 'INSERT INTO "schema_migrations" (version) VALUES'
_REVISION = re.compile(
    r"^-- Running (?P<way>up|down)grade (?P<old>[\w, ]*?) ?-> ?(?P<new>[\w, ]*?)[ \r]*$",
    re.MULTILINE,
)
_UP_DOWN = (".up.sql", ".down.sql")
_OTHER_DATABASE = re.compile(
    r"\.(?:cockroach|mariadb|mssql|mysql|sqlite3?)(?:\.autocommit)?(?P<way>\.(?:up|down)\.sql)$"
)
_OURS = re.compile(r"\.postgres(?:ql)?(?:\.autocommit)?\.(?:up|down)\.sql$")
_BEFORE_DIRECTION = re.compile(
    r"(?:\.tx|\.postgres(?:ql)?)?(?:\.autocommit)?(?=\.(?:up|down)\.sql$)"
)
_SQLX_OUTSIDE = re.compile(r"\ufeff?--\s*no-transaction\b", re.IGNORECASE)


def is_numbered(path: Path) -> bool:
    """Whether a file's name starts with a number, so that it has a place among others."""
    return _LEADING_NUMBER.match(path.name) is not None


def by_number(pair: Pair[ScriptText]) -> tuple[int, int, str]:
    """The order of tools that read a version as a number: 2 before 10."""
    match = _LEADING_NUMBER.match(pair.up.id)
    return (0, int(match[1]), pair.up.id) if match else (1, 0, pair.up.id)


def is_up_down(name: str) -> bool:
    """Whether a file's name says its direction."""
    return name.endswith(_UP_DOWN)


def read_up_down(folder: Path, texts: Mapping[str, str]) -> list[Pair[ScriptText]]:
    """The pairs X.up.sql and X.down.sql: golang-migrate, sqlx, bun, node-pg-migrate, pop."""
    # Only pop knows databases by names: to others `.mysql` is a part of the title, and runs.
    twins = {n: _OTHER_DATABASE.sub(r"\g<way>", n) for n in texts if _OTHER_DATABASE.search(n)}
    ids = {_id_of(name) for name in texts if name not in twins}
    by_id: dict[str, list[str]] = {}
    for name in texts:
        if twins.get(name) not in ids:
            by_id.setdefault(_id_of(name), []).append(name)
    of_pop = {_without_way(twin) for twin in twins.values() if twin in ids}
    for id_, names in by_id.items():
        if _without_way(id_) in of_pop and any(map(_OURS.search, names)):
            by_id[id_] = [name for name in names if _OURS.search(name)]
    found = []
    for id_, ups in by_id.items():
        if not id_.endswith(".up.sql"):
            continue
        stem = _without_way(id_)
        undos = by_id.get(f"{stem}.down.sql", [])
        # Which one of two is run differs by tool, so all of them are read.
        for place in range(max(len(ups), len(undos))):
            up = ups[min(place, len(ups) - 1)]
            undo = undos[min(place, len(undos) - 1)] if undos else None
            found.append(
                Pair(
                    _up_down(folder / up, texts[up], stem, up=True),
                    _up_down(folder / undo, texts[undo], stem, up=False) if undo else None,
                )
            )
    return found


def _without_way(id_: str) -> str:
    return id_.removesuffix(".up.sql").removesuffix(".down.sql")


def _id_of(name: str) -> str:
    """A file's name without what some tools put before the direction, such as `.tx`."""
    return _BEFORE_DIRECTION.sub("", name)


def _up_down(path: Path, text: str, id_: str, *, up: bool) -> ScriptText:
    outside = ".autocommit." in path.name or _SQLX_OUTSIDE.match(text) or stands_alone(text)
    inside = not outside
    return whole(path, text, "up-down", id_, up=up, transactional=inside)


def is_yoyo(folder: Path, texts: Mapping[str, str]) -> bool:
    """Whether a folder's plain files are yoyo's."""
    return (
        any(name.endswith(ROLLBACK_SUFFIX) for name in texts)
        or any("--" in text and _YOYO_DIRECTIVE.search(text) for text in texts.values())
        or "yoyo" in folder.name.lower()
        or _in_yoyo_ini(folder)
    )


def _in_yoyo_ini(folder: Path) -> bool:
    from runner.config import find_config, read_config

    config = find_config(folder.resolve())
    try:
        sources = read_config(config, of_others=True).get("sources", "").split()
    except UsageError:  # it is not asked for, so what is wrong with it stops nothing
        return False
    places = (config.parent / source for source in sources) if config is not None else ()
    return any(place.resolve() == folder.resolve() for place in places)


def read_yoyo(folder: Path, name: str, texts: Mapping[str, str]) -> Pair[ScriptText]:
    """A file of yoyo's and its rollback."""
    path, text = folder / name, texts[name]
    id_ = path.stem
    try:
        directives = dict(parse_header(path, text).directives)
    except MigrationFileError:
        directives = {}
    transactional = directives.get("transactional", "true").lower() == "true"
    phase = id_.partition("_")[2].partition("_")[0]
    # Clients are stopped for a folder `window`, and not for what anybody calls 0031_window_size.
    is_phase = phase in PHASES and (phase != "window" or folder.name == "window")
    up = ScriptText(
        path=path,
        id=id_,
        layout="yoyo",
        up=True,
        content=text,
        text=without_rows(text).replace("\ufeff", " ", 1),
        transactional=transactional,
        phase=phase if is_phase else "",
        depends=frozenset(directives.get("depends", "").split()),
        header=header_of(text),
    )
    undo = id_ + ROLLBACK_SUFFIX
    if undo not in texts:
        return Pair(up, None)
    down = whole(folder / undo, texts[undo], "yoyo", id_, up=False, transactional=transactional)
    return Pair(up, down)


def read_flyway(folder: Path, texts: Mapping[str, str]) -> list[Pair[ScriptText]]:
    """Flyway's files: versions, their undo, then what is repeated."""
    undo: dict[str, Path] = {}
    ups: list[ScriptText] = []
    for name, text in texts.items():
        if (match := FLYWAY.match(name)) is None:
            continue
        if match["way"] == "U":
            undo[match["version"]] = folder / name
        else:
            ups.append(_flyway(folder / name, text, up=True))
    pairs: list[Pair[ScriptText]] = []
    for up in ups:
        match = FLYWAY.match(up.path.name)
        path = undo.get(match["version"]) if match and match["way"] == "V" else None
        pairs.append(Pair(up, _flyway(path, texts[path.name], up=False) if path else None))
    return pairs


def _flyway(path: Path, text: str, *, up: bool) -> ScriptText:
    """Flyway runs a file outside a transaction when every statement in it must be."""
    settings = path.with_name(path.name + ".conf")
    transactional = not (
        settings.is_file()
        and re.search(r"executeInTransaction\s*=\s*false", settings.read_text("utf-8"), re.I)
    )
    script = whole(path, text, "flyway", path.stem, up=up, transactional=transactional)
    if transactional and outside_only(text):
        try:
            texts = [statement.text for statement in split(script.text)]
        except ScanError:
            return script
        others = [s for s in texts if not s.upper().startswith(("SET ", "RESET "))]
        transactional = not all(outside_only(other) for other in others)
        script = whole(path, text, "flyway", path.stem, up=up, transactional=transactional)
    return script


def flyway_order(pair: Pair[ScriptText]) -> tuple[int, list[int], str]:
    """Flyway's order: versions as numbers, then what is repeated, by name."""
    match = FLYWAY.match(pair.up.path.name)
    if match is None or match["way"] == "R":
        return (1, [], pair.up.path.name)
    version = [int(part) for part in _NUMBER.findall(match["version"])]
    return (0, version, pair.up.path.name)


def is_alembic(text: str) -> bool:
    """Whether a text is what Alembic prints with --sql."""
    return "-- Running " in text and _REVISION.search(text) is not None


def read_alembic(folder: Path, texts: Mapping[str, str]) -> list[Pair[ScriptText]]:
    """Alembic's scripts: an upgrade, the downgrade that leads back, each after its base."""
    found: dict[tuple[str, str, str], ScriptText] = {}
    for name, text in texts.items():
        edges = list(_REVISION.finditer(text))
        way = edges[0]["way"].lower()
        path = folder / name
        script = whole(path, text, "alembic", path.stem, up=way == "up", transactional=False)
        found[way, edges[0]["old"], edges[-1]["new"]] = script
    pairs: list[Pair[ScriptText]] = []
    ups = {(old, new): s for (way, old, new), s in found.items() if way == "up"}
    at = {new: (old, new) for old, new in ups}
    ordered: dict[tuple[str, str], None] = {}
    for edge in ups:
        walk, seen = [edge], {edge}
        while (before := at.get(walk[-1][0])) and before not in seen:
            walk.append(before)
            seen.add(before)
        ordered |= dict.fromkeys(reversed(walk))
    for old, new in ordered:
        pairs.append(Pair(ups[old, new], found.get(("down", new, old))))
    return pairs


def is_dump(path: Path, text: str, *, is_first: bool) -> bool:
    """Whether a file is a whole schema, such as Rails keeps in structure.sql.

    Args:
        path: the file.
        text: its content.
        is_first: of its folder. A numbered one that others stand before runs after them.
    """
    if is_numbered(path):
        return is_first and _DUMP.match(text) is not None
    is_of_rails = path.name == "structure.sql" or _OF_RAILS in text
    return is_of_rails or _DUMP.match(text) is not None


def read_plain(path: Path, text: str, layout: str) -> ScriptText:
    """A file whose tool is not known: SET LOCAL shows that a transaction was expected around it."""
    if layout == "supabase":
        return whole(path, text, "supabase", path.stem)
    if layout == "dump":
        return whole(path, text, "dump", path.stem, transactional=False)
    expects_one = _SET_LOCAL.search(text) is not None and _BEGIN.search(text) is None
    return whole(path, text, "plain", path.stem, transactional=expects_one)
