"""Layouts that are folders: a folder a migration (Prisma, Diesel, Hasura), and Sqitch's three."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.layouts.model import Pair, ScriptText
from runner.layouts.text import outside_only, whole
from runner.ledger.scanner import ScanError, split

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.layouts.text import Texts

_PRISMA, _UP, _DOWN = "migration.sql", "up.sql", "down.sql"
_NO_TRANSACTION = re.compile(r"^[ \t]*run_in_transaction\s*=\s*false", re.MULTILINE)
_CHANGE = re.compile(r"^(?P<name>[^\s%@#:-][^\s@]*)|^@(?P<tag>\S+)", re.MULTILINE)
SQITCH = ("deploy", "revert", "verify")


def migrations_folder(path: Path, layout: str | None) -> Path | None:
    """The folder whose folders are migrations, for a file in one of them; else None."""
    folder = path.parent
    if layout not in (None, "prisma", "diesel") or path.name not in (_PRISMA, _UP, _DOWN):
        return None
    above = folder.parent
    one_of_many = folder.name[:1].isdigit() or (above / "migration_lock.toml").is_file()
    return above if one_of_many or layout is not None else None


def read_folders(above: Path, texts: Texts) -> list[Pair[ScriptText]]:
    """The migrations of a folder, a folder each, in the order of their names."""
    found = []
    for folder in sorted(p for p in above.iterdir() if p.is_dir()):
        prisma, up, down = (folder / name for name in (_PRISMA, _UP, _DOWN))
        if prisma.is_file():
            found.append(_prisma(prisma, down, texts))
        elif up.is_file():
            settings = folder / "metadata.toml"
            inside = not (settings.is_file() and _NO_TRANSACTION.search(texts[settings]))
            found.append(
                Pair(
                    whole(up, texts[up], "diesel", folder.name, transactional=inside),
                    whole(down, texts[down], "diesel", folder.name, up=False, transactional=inside)
                    if down.is_file()
                    else None,
                )
            )
    return found


def _prisma(path: Path, undo: Path, texts: Texts) -> Pair[ScriptText]:
    down = None
    id_ = path.parent.name
    if undo.is_file():
        inside = not stands_alone(texts[undo])
        down = whole(undo, texts[undo], "prisma", id_, up=False, transactional=inside)
    inside = not stands_alone(texts[path])
    return Pair(whole(path, texts[path], "prisma", id_, transactional=inside), down)


def stands_alone(text: str) -> bool:
    """Whether a text is one statement that must run outside a transaction.

    Tools that send a file in one message get a transaction around it, unless it is one statement.
    """
    if not outside_only(text):
        return False
    try:
        return len(split(text)) == 1
    except ScanError:
        return False


def sqitch_project(path: Path) -> Path | None:
    """The folder of the Sqitch project that a file is part of; None when it is of none."""
    for folder in path.parents:
        if folder.name in SQITCH:
            project = folder.parent
            if folder.name == "deploy" or (project / "deploy").is_dir():
                return project
    return None


def read_sqitch(project: Path, texts: Texts) -> list[Pair[ScriptText]]:
    """The changes of a Sqitch project, in the order of its plan; others come last, by name."""
    found: dict[str, Pair[ScriptText]] = {}
    deploy, revert = project / "deploy", project / "revert"
    for path in sorted(deploy.rglob("*.sql")):
        name = path.relative_to(deploy).with_suffix("").as_posix()
        undo = revert / path.relative_to(deploy)
        down = None
        if undo.is_file():
            down = whole(undo, texts[undo], "sqitch", name, up=False, transactional=False)
        up = whole(path, texts[path], "sqitch", name, transactional=False)
        found[name] = Pair(up, down)
    plan = _plan(project)
    names = _planned(texts[plan]) if plan is not None else []
    ordered = [found.pop(name) for name in names if name in found]
    return ordered + list(found.values())


def _plan(project: Path) -> Path | None:
    for folder in (project, project.parent):
        if (folder / "sqitch.plan").is_file():
            return folder / "sqitch.plan"
    return None


def _planned(plan: str) -> Iterator[str]:
    """The files of a plan's changes; that of a change which was reworked has a tag in its name."""
    entries = [(match["name"], match["tag"]) for match in _CHANGE.finditer(plan)]
    for place, (name, _) in enumerate(entries):
        if not name:
            continue
        later = [other for other, _ in entries[place + 1 :]]
        if name in later:
            tag = next((tag for _, tag in entries[place + 1 :] if tag), "")
            yield f"{name}@{tag}"
        else:
            yield name
