"""Generated files <-> a service's folder: new ones are added, one that is there is never edited."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from errno import EEXIST
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from runner.catalog import Catalog, read_catalog, with_dependents
from runner.errors import ConnectionFailedError, LockedError, StandardError
from runner.generate import Generated, generate
from runner.generate.files import MigrationText
from runner.generate.kinds.toolkit import made_by
from runner.ledger.records import read_ledger
from runner.postgres.connect import OURS, connect
from runner.postgres.scratch import scratch_server
from runner.service.asked import misfits
from runner.standard import load_standard
from runner.standard.model import Standard

_LOCK_TIMEOUT = "5s"
_DEPENDS = re.compile(r"^-- depends: (.+)$", re.MULTILINE)
_BASES = ("common", "online", "window")  # there even when empty
FOLDERS = ("common", "online", "online/switch", "online/contract", "window")


@dataclass(frozen=True, slots=True)
class Written:
    """What generating a service's files came to.

    Args:
        added: paths below the service's folder that were not there.
        unchanged: paths that were there and say the same.
        differing: paths that were there and say something else, or are generated no more; they
            were left as they are.
        only_window: why some units of tables have files for the window strategy alone.
        converted: the tables that have their new name already: their files stay as they are.
        replaced: paths that said something else, and were written anew.
        removed: paths of generated files that are generated no more.
    """

    added: tuple[str, ...]
    unchanged: tuple[str, ...]
    differing: tuple[str, ...]
    only_window: tuple[str, ...] = ()
    converted: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def describe(written: Written, *, dry: bool) -> list[str]:
    """What generating came to, as lines of text."""
    folders = Counter(path.rpartition("/")[0] for path in written.added)
    verb = "missing" if dry else "added"
    lines = [f"{verb}: {_files(count)} in {folder}/" for folder, count in folders.items()]
    for done, paths in (("replaced", written.replaced), ("removed", written.removed)):
        if paths:
            lines.append(f"{done}: {_files(len(paths))}: {', '.join(paths[:5])}")
            lines[-1] += " and more" if paths[5:] else ""
    lines += [f"differs: {path}" for path in written.differing]
    lines += [
        f"only the window strategy: {reason}" for reason in dict.fromkeys(written.only_window)
    ]
    if written.converted:
        lines.append(f"converted already, no files needed: {', '.join(written.converted)}")
    if written.unchanged or not lines:
        lines.append(f"unchanged: {_files(len(written.unchanged))}")
    return lines


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"


def recorded_ids(dsn: str) -> frozenset[str]:
    """The migrations that a database has recorded, as applied or as begun.

    Args:
        dsn: the database.

    Raises:
        LedgerError: its records cannot be read.
    """
    with connect(dsn, application_name="trueup generate", settings=OURS) as connection:
        ledger = read_ledger(connection)
    return frozenset(ledger.applied).union(r.migration_id for r in ledger.unfinished())


def generate_service(
    folder: Path, *, dsn: str | None, dry: bool, recorded: Collection[str] | None = None
) -> Written:
    """Generate the files of a service.

    Args:
        folder: the service's folder, with `standard.toml` and `legacy/`.
        dsn: a database at the old contract; None takes what `legacy/` makes on the embedded
            server.
        dry: write nothing, only compare.
        recorded: files that say something else, or are generated no more, are replaced, but for
            those ids, which a database has recorded; None replaces none.

    Returns:
        What was added, and what is there already.

    Raises:
        StandardError: the standard does not fit, or an existing file would have to change.
        LockedError: somebody holds a table's strongest lock for longer than a few seconds.
        ConnectionFailedError: the database could not be reached, or the connection was lost.
    """
    standard = load_standard(folder / "standard.toml")
    if not standard.tables:
        raise StandardError(
            f"{folder / 'standard.toml'} names no table: there is nothing to generate",
            hint="Write it with `trueup propose`, or add a section [table.NAME] for each table.",
        )
    existing = [name for sub in FOLDERS for name in _ids(folder / sub)]
    if recorded is not None:
        existing = [name for name in existing if name in recorded]
    with _old_contract(folder, dsn) as connection:
        catalog = read_catalog(connection, with_dependents(connection, standard.places))
        generated = _generated(folder, standard, catalog, existing)
        for unit in generated.units:
            for misfit in misfits(connection, unit.tables, unit.dependents):
                raise StandardError(misfit.reason, hint=misfit.hint)
    written = _compare(folder, generated)
    stale = _stale(folder, generated)
    if recorded is None:
        written = replace(written, differing=(*written.differing, *stale))
    else:
        written = _replacing(written, stale, recorded)
    if written.differing and not dry:
        raise StandardError(
            f"{len(written.differing)} files differ from what would be generated, or are no "
            f"longer generated, and may have been applied: "
            f"{', '.join(written.differing[:5])}",
            hint="Where no database has them recorded: --replace. Where one has them: "
            f"{_OTHERWISE}",
        )
    if not dry:
        for path in written.removed:
            (folder / path).unlink()
        for name in FOLDERS:
            if (folder / name).is_file():  # found before the first folder is made
                raise FileExistsError(EEXIST, os.strerror(EEXIST), str(folder / name))
        for name in {*_BASES, *(file.folder for file in generated.files)}:
            (folder / name).mkdir(parents=True, exist_ok=True)
        added = {*written.added, *written.replaced}
        for path, text in _texts(generated.files):
            if path in added:
                with open(f"{folder}/{path}", "w", encoding="utf-8") as file:
                    file.write(text)
    return written


_OTHERWISE = (
    "`trueup rollback` there first, or leave standard.toml as it was for these tables, and make "
    "the change in a later migration of your own."
)


def _stale(folder: Path, generated: Generated) -> tuple[str, ...]:
    """The generated files that are generated no more: of tables with another standard."""
    wanted = {path for path, _ in _texts(generated.files)}
    return tuple(
        str(path.relative_to(folder))
        for sub in FOLDERS
        for path in sorted((folder / sub).glob("*.sql"))
        # Those of tables that have their new name already are needed, and not generated.
        if not generated.converted
        and str(path.relative_to(folder)) not in wanted
        and _is_generated(path)
    )


def _replacing(written: Written, stale: tuple[str, ...], recorded: Collection[str]) -> Written:
    """The same with what differs replaced, and what is generated no more removed."""
    if written.converted:
        raise StandardError(
            f"the database has the new names of {', '.join(written.converted)} already: what was "
            "applied there cannot be generated anew from it",
            hint=f"Instead: {_OTHERWISE}",
        )
    touched = [p for p in (*written.differing, *stale) if _id(p) in recorded]
    if touched:
        raise StandardError(
            f"{len(touched)} files that would change or go are recorded in the database: "
            f"{', '.join(touched[:5])}",
            hint=f"Instead: {_OTHERWISE}",
        )
    return replace(written, differing=(), replaced=written.differing, removed=stale)


def _id(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".sql").removesuffix(".rollback")


def _is_generated(path: Path) -> bool:
    """Whether a file, or the one that it undoes, has the header of generated ones."""
    forward = path.with_name(f"{_id(path.name)}.sql")
    text = forward.read_text(encoding="utf-8") if forward.exists() else ""
    keys = re.findall(r"^-- (does|locks|cost|undo):", text, re.MULTILINE)
    return keys[:4] == ["does", "locks", "cost", "undo"]


def compare_service(folder: Path, standard: Standard, catalog: Catalog) -> Written:
    """Compare the files of a service with what its database needs now.

    Args:
        folder: the service's folder.
        standard: its standard.
        catalog: the database at the old contract, with what stands on its tables.

    Raises:
        StandardError: the standard does not fit the catalog.
    """
    existing = [name for sub in FOLDERS for name in _ids(folder / sub)]
    generated = _generated(folder, standard, catalog, existing)
    written = _compare(folder, generated)
    return replace(written, differing=(*written.differing, *_stale(folder, generated)))


def _generated(
    folder: Path, standard: Standard, catalog: Catalog, existing: Sequence[str]
) -> Generated:
    legacy = sorted(_ids(folder / "legacy"))
    return generate(
        standard,
        catalog,
        baseline=legacy[-1] if legacy else None,
        existing=existing,
        made=_made(folder, existing),
        depends=_depends(folder, existing),
    )


def _made(folder: Path, existing: Collection[str]) -> dict[str, frozenset[str]]:
    """What the files of the toolkit that are there make, by their ids."""
    return {
        path.stem: made_by(path.read_text(encoding="utf-8"))
        for sub in FOLDERS
        for path in (folder / sub).glob("*_toolkit_*.sql")
        if path.stem in existing
    }


def _depends(folder: Path, existing: Collection[str]) -> dict[str, list[str]]:
    """What the files that are there come after, by their ids."""
    return {
        path.stem: found[1].split()
        for sub in FOLDERS
        for path in (folder / sub).glob("*.sql")
        if path.stem in existing
        and (found := _DEPENDS.search(path.read_text(encoding="utf-8"))) is not None
    }


def _texts(files: Sequence[MigrationText]) -> list[tuple[str, str]]:
    return [
        pair
        for f in files
        for pair in (
            (f"{f.folder}/{f.id}.sql", f.sql),
            (f"{f.folder}/{f.id}.rollback.sql", f.rollback),
        )
    ]


def _compare(folder: Path, generated: Generated) -> Written:
    added, unchanged, differing = [], [], []
    there = {f"{sub}/{path.name}" for sub in FOLDERS for path in (folder / sub).glob("*.sql")}
    for path, text in _texts(generated.files):
        if path not in there:
            added.append(path)
        elif (folder / path).read_text(encoding="utf-8") == text:
            unchanged.append(path)
        else:
            differing.append(path)
    return Written(
        tuple(added),
        tuple(unchanged),
        tuple(differing),
        generated.only_window,
        generated.converted,
    )


def _ids(folder: Path) -> list[str]:
    return [path.stem for path in folder.glob("*.sql") if not path.name.endswith(".rollback.sql")]


@contextmanager
def _old_contract(folder: Path, dsn: str | None) -> Iterator[Connection[Any]]:
    """A database at the old contract: the one that is named, or what `legacy/` makes."""
    if dsn is not None:
        settings = {**OURS, "lock_timeout": _LOCK_TIMEOUT}
        try:
            with connect(dsn, application_name="trueup generate", settings=settings) as connection:
                yield connection
        except psycopg.errors.LockNotAvailable as error:
            raise LockedError(
                f"generate waited for a lock for {_LOCK_TIMEOUT}: {error.diag.message_primary}",
                hint="Somebody is changing a table's definition; try again when it is done.",
            ) from None
        except psycopg.OperationalError as error:
            raise ConnectionFailedError(f"the server ended generate: {error}") from None
        return
    # The files may be somebody else's.
    with scratch_server() as scratch:
        made = scratch.create()
        with connect(made, application_name="trueup generate") as connection:
            for name in sorted(_ids(folder / "legacy")):
                path = folder / "legacy" / f"{name}.sql"
                try:
                    connection.execute(path.read_bytes())
                except psycopg.Error as error:
                    raise StandardError(
                        f"{path} cannot be run: {error}",
                        hint="It must be plain SQL that makes the old contract in an empty "
                        "database; else name one that holds it with --dsn.",
                    ) from None
        with _old_contract(folder, made) as connection:
            yield connection
