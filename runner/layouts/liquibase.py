"""Liquibase's formatted SQL: several changesets a file, their undo in comments behind them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.layouts.model import Pair, ScriptText
from runner.layouts.text import blank, masked, part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.layouts.text import Texts

_FORMATTED = re.compile(r"\ufeff?\s*--\s*liquibase\s+formatted\s+sql\b", re.IGNORECASE)
_CHANGESET = re.compile(
    r"^[ \t]*--[ \t]*changeset[ \t]+(?P<author>\"[^\"\n]*\"|[^:\n]+?):(?P<id>\"[^\"\n]*\"|\S+)"
    r"(?P<options>[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_OPTION = re.compile(r"(\w+):(\"[^\"]*\"|\S+)")
_ROLLBACK = re.compile(
    r"^[ \t]*--[ \t]*rollback[ \t]+(?P<line>[^\r\n]*)"
    r"|/\*[ \t]*liquibase[ \t]+rollback\b(?P<block>.*?)\*/",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_NOT_NEEDED = re.compile(r"\s*(?:not\s+required|empty)\b[\s;]*$", re.IGNORECASE)
_ELSEWHERE = re.compile(r"\s*changeSetId:", re.IGNORECASE)
_NO_OP = "-- no-op"
_CHANGELOG = (".xml", ".yaml", ".yml", ".json")
_INCLUDED = re.compile(
    r"\b(?P<all>includeAll\b.{0,40}?\bpath|file)\b[\"']?\s*[:=]\s*[\"']?(?P<path>[^\"'\s,}>]+)",
    re.DOTALL,
)
_LEVELS = 4  # a changelog stands at most that many folders above the files it includes


def is_formatted(text: str) -> bool:
    """Whether a file is Liquibase's formatted SQL."""
    return _FORMATTED.match(text) is not None


def read_changesets(path: Path, text: str) -> Iterator[Pair[ScriptText]]:
    """The changesets of a file, in their order; those for other databases are left out."""
    marks = list(_CHANGESET.finditer(text))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        end = following.start() if following else len(text)
        options = {k.lower(): v.strip('"') for k, v in _OPTION.findall(mark["options"])}
        if not _is_ours(options.get("dbms", "")):
            continue
        author, name = mark["author"].strip(' "'), mark["id"].strip('"')
        id_ = f"{author}:{name}"
        transactional = options.get("runintransaction", "true").lower() != "false"
        body = text[mark.end() : end]
        undo = _undo(body)
        whole = blank(text[: mark.end()]) + _delimited(body, options) + blank(text[end:])
        up = part(path, text, whole, "liquibase", id_, up=True, transactional=transactional)
        down = None
        if undo is not None:
            masked_undo = masked(text[: mark.end()] + undo + text[end:], mark.end(), end)
            down = part(
                path, text, masked_undo, "liquibase", id_, up=False, transactional=transactional
            )
        yield Pair(up, down)


def _is_ours(dbms: str) -> bool:
    """Whether a changeset runs on PostgreSQL: it names databases, or with a `!` those that not."""
    names = {name.strip().lower() for name in dbms.split(",")} - {""}
    if not names or "all" in names or "postgresql" in names:
        return True
    return any(name.startswith("!") for name in names) and "!postgresql" not in names


def _delimited(body: str, options: dict[str, str]) -> str:
    """The body with semicolons in the place of another end of statements."""
    delimiter = options.get("enddelimiter", ";")
    if delimiter == ";":
        return body
    mark = re.compile(rf"^[ \t]*{re.escape(delimiter)}[ \t]*$|{re.escape(delimiter)}[ \t]*$", re.M)
    return mark.sub(lambda m: ";" + " " * (len(m[0]) - 1), body)


def _undo(body: str) -> str | None:
    """A changeset's text with all but its undo blanked; None when it has none."""
    shown, last, found = "", 0, False
    for match in _ROLLBACK.finditer(body):
        which = "line" if match["line"] is not None else "block"
        if _ELSEWHERE.match(match[which]):
            continue
        found = True
        start, end = match.span(which)
        text = body[start:end]
        shown += blank(body[last:start])
        if _NOT_NEEDED.match(text):
            shown = shown[: len(shown) - (start - match.start())] + _NO_OP.ljust(
                end - match.start()
            )
        else:
            shown += text
        last = end
    return shown + blank(body[last:]) if found else None


def changelog_of(folder: Path) -> Path | None:
    """The changelog that files of a folder are included from, a master's first; else None."""
    found = None
    for _ in range(_LEVELS):
        for candidate in sorted(folder.glob("*changelog*")):
            if candidate.suffix in _CHANGELOG and (found is None or _is_master(candidate)):
                found = candidate
        if folder.parent == folder or (folder / ".git").exists():
            break
        folder = folder.parent
    return found


def _is_master(path: Path) -> bool:
    return any(word in path.name.lower() for word in ("master", "root", "main"))


def included(changelog: Path, texts: Texts, seen: set[Path] | None = None) -> Iterator[Path]:
    """The SQL files that a changelog includes, in its order, those of included ones too.

    Args:
        changelog: an XML, YAML or JSON file.
        texts: the files that were read.
        seen: changelogs that are being read.
    """
    seen = {changelog} if seen is None else seen
    for match in _INCLUDED.finditer(texts[changelog]):
        place = _place(changelog, match["path"])
        if place is None:
            continue
        inside = sorted(place.iterdir()) if place.is_dir() else [place]
        for path in inside:
            if path.suffix == ".sql":
                yield path
            elif path.suffix in _CHANGELOG and path not in seen:
                seen.add(path)
                yield from included(path, texts, seen)


def _place(changelog: Path, reference: str) -> Path | None:
    """Where a reference leads: from the changelog, or from a folder above as the class path is."""
    reference = reference.removeprefix("classpath:").lstrip("/")
    folder = changelog.parent
    for _ in range(_LEVELS + 1):
        if (folder / reference).exists():
            return folder / reference
        folder = folder.parent
    return None
