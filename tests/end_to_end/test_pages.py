"""README.md and docs/*.md: what they mark as runnable is run, on the database they speak of."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from support import pages
from support.databases import DatabaseFactory

from runner.demo.data import fill

ROOT = pages.ROOT
LEGACY = ROOT / "sql" / "model_orchestration" / "legacy" / "0001_baseline_legacy_schema.sql"


def existing_service(dsn: str) -> None:
    """Model Orchestration as it runs: its old tables with rows, and no record of a migration."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(LEGACY.read_bytes())
        fill(connection, 100)


@pytest.fixture
def databases(database_factory: DatabaseFactory) -> Callable[[str], str]:
    kinds = {"an existing service": existing_service, "an empty database": None}
    return lambda kind: database_factory(kinds[kind])


@pytest.mark.parametrize("page", ["README.md", "docs/operating.md"])
def test_a_page_about_the_shipped_service_is_true(
    page: str, databases: Callable[[str], str], tmp_path: Path
) -> None:
    for name in ("sql", "yoyo.ini"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    reader = pages.Reader(tmp_path, databases)
    assert reader.follow((ROOT / page).read_text(encoding="utf-8")) >= 10


def test_the_tutorial_is_true(databases: Callable[[str], str], tmp_path: Path) -> None:
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert pages.Reader(tmp_path, databases).follow(page) >= 15


def test_every_mark_of_every_page_is_understood() -> None:
    known = {"run", "run on", "file", "part of"}
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for step in pages.steps(path.read_text(encoding="utf-8")):
            assert step.what in known, f"{path}: {step.what}"


def test_every_link_within_the_repository_leads_somewhere() -> None:
    pages_here = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "pyorm" / "README.md"]
    for path in pages_here:
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            if not target.startswith(("http", "#")):
                assert (path.parent / target.partition("#")[0]).exists(), f"{path}: {target}"


def test_setup_lists_what_make_does() -> None:
    command = ["make", "--no-print-directory", "help"]  # the tests may be run by make themselves
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"$ make\n{told.stdout}```" in (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
