"""The GitHub Action's steps run in a repository with a pull request, as GitHub runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CREATE = "CREATE TABLE public.shop (id bigint PRIMARY KEY);\n"
ADD = "SET lock_timeout = '200ms';\nALTER TABLE public.shop ADD COLUMN note text;\n"
DROP = "ALTER TABLE public.shop DROP COLUMN note;\n"


def script(step: str) -> str:
    """What a step of action.yml runs."""
    text = (ROOT / "action.yml").read_text("utf-8")
    found = re.search(rf"- name: {step}\n(?:.*\n)*?      run: \|\n((?:        .*\n|\n)+)", text)
    assert found is not None
    return re.sub(r"^ {8}", "", found[1], flags=re.MULTILINE)


class Job:
    """A job of a pull request that adds a migration to a project of goose."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder.parent / "output"
        self.summary = folder.parent / "summary"
        self.temp = folder.parent / "temp"
        self.made = self.temp / "trueup"
        self.write(
            "migrations/00001_a.sql", f"-- +goose Up\n{CREATE}-- +goose Down\nDROP TABLE shop;\n"
        )
        self.git("init", "-q", "-b", "main")
        self.commit()
        self.base = self.git("rev-parse", "HEAD").strip()

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def git(self, *arguments: str) -> str:
        names = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        command = ["git", *names, *arguments]
        done = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "change")

    def run(self, step: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run a step with bash as GitHub calls it."""
        names = "PATHS SERVICE SOURCES LAYOUT BASE SINCE ALL REPORT COMMENT NUMBER".split()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            **dict.fromkeys(names, ""),
            "SINCE": self.base,
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_REPOSITORY": "shop/orders",
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "PATH": os.pathsep.join(
                [
                    str(self.folder.parent / "bin"),
                    str(Path(sys.executable).parent),
                    os.environ["PATH"],
                ]
            ),
            **inputs,
        }
        environment.pop("TRUEUP_DSN", None)
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script(step)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "project").mkdir()
    return Job(tmp_path / "project")


def test_a_sound_migration_is_reviewed_and_told(job: Job) -> None:
    job.write("migrations/00002_b.sql", f"-- +goose Up\n{ADD}-- +goose Down\n{DROP}")
    job.commit()
    done = job.run("Lint", PATHS="migrations")
    assert done.returncode == 0, done.stderr
    assert "in 1 file" in done.stdout
    assert f"sarif={job.made / 'trueup.sarif'}" in job.output.read_text()
    assert json.loads((job.made / "trueup.sarif").read_text("utf-8"))["version"] == "2.1.0"
    done = job.run("Review", SOURCES="migrations")
    assert done.returncode == 0, done.stderr
    assert (job.made / "trueup-report.html").is_file()
    certificate = json.loads((job.made / "trueup-rehearsal.json").read_text("utf-8"))
    assert "00002_b" in json.dumps(certificate)
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("::stop-commands::")
    assert last == f"::{first.removeprefix('::stop-commands::')}::"
    done = job.run("Tell", REPORT="https://example.com/report", COMMENT="true")
    assert done.returncode == 0, done.stderr
    told = job.summary.read_text("utf-8")
    assert told.startswith("# ✅ Migration review: project")
    assert "(https://example.com/report)" in told


def test_a_hazard_fails_the_job_beside_its_line(job: Job) -> None:
    text = (
        "-- +goose Up\nSET lock_timeout = '1s';\nDROP TABLE public.shop;\n-- +goose Down\n" + CREATE
    )
    job.write("migrations/00002_b.sql", text)
    job.commit()
    done = job.run("Lint", PATHS="migrations")
    assert done.returncode == 1
    assert "::error file=migrations/00002_b.sql,line=3" in done.stdout
    assert json.loads((job.made / "trueup.sarif").read_text("utf-8"))["runs"][0]["results"]


def test_a_pull_request_without_migrations_passes(job: Job) -> None:
    job.write("README.md", "x\n")
    # What it brings under the names of the review is neither told nor written to.
    secret = job.folder.parent / "environ"
    secret.write_text("GH_TOKEN=s3cret")
    for name in ("trueup-review.md", "trueup-report.html", "trueup.sarif"):
        (job.folder / name).symlink_to(secret)
    job.commit()
    assert job.run("Lint", PATHS="migrations").returncode == 0
    done = job.run("Review", SOURCES="migrations")
    assert (done.returncode, "nothing to review" in done.stdout) == (0, True)
    assert job.run("Tell").returncode == 0
    assert not job.summary.exists()
    assert secret.read_text() == "GH_TOKEN=s3cret"


def test_no_step_takes_a_program_or_a_value_from_the_pull_request() -> None:
    for step in ("Install", "Lint", "Review", "Tell"):
        assert "${{" not in script(step)
        assert "python -m" not in script(step)


def test_names_with_spaces_and_signs_are_no_commands(job: Job) -> None:
    done = job.run("Lint", PATHS="$(touch${IFS}hacked) ;touch hacked")
    assert done.returncode == 2
    assert not (job.folder / "hacked").exists()


def test_paths_stand_one_a_line_or_side_by_side(job: Job) -> None:
    for name in ("a b/00001_a.sql", "c/00001_a.sql", "d/00001_a.sql"):
        job.write(name, "SET lock_timeout = '1s';\nDROP TABLE public.shop;\n")
    job.commit()
    done = job.run("Lint", PATHS="a b\nc d\n")
    assert "3 errors, 0 warnings in 3 files" in done.stdout


# What gh is asked is written down; it knows one comment of the action's, and one of another.
GH = """#!/bin/bash
echo "$*" >> "{asked}"
case "$*" in *--jq*) [ "$MARK" = "<!-- trueup: migrations -->" ] && echo {known} ;; esac
"""


@pytest.mark.parametrize(
    ("known", "asked"), [("", "POST repos/shop/orders/issues/7/comments"), ("41", "PATCH")]
)
def test_a_second_push_changes_the_comment_of_the_first(job: Job, known: str, asked: str) -> None:
    gh = job.folder.parent / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH.format(asked=job.folder.parent / "asked", known=known), encoding="utf-8")
    gh.chmod(0o755)
    job.made.mkdir(parents=True)
    (job.made / "trueup-review.md").write_text("# reviewed\n", encoding="utf-8")
    done = job.run("Tell", SOURCES="migrations", COMMENT="true", NUMBER="7")
    assert done.returncode == 0, done.stderr
    *_, told = (job.folder.parent / "asked").read_text("utf-8").splitlines()
    assert asked in told
    assert told.endswith(f"--field body=@{job.made / 'trueup-review.md'}")
    assert ("issues/comments/41" in told) == bool(known)


def test_files_that_a_pull_request_brings_are_not_taken_for_the_review(job: Job) -> None:
    job.write("trueup-review.md", "# all is well\n")
    (job.folder / "trueup.sarif").symlink_to(job.folder.parent / "target")
    job.commit()
    assert job.run("Lint", PATHS="migrations").returncode == 0
    assert job.run("Tell").returncode == 0
    assert not job.summary.exists()
    assert not (job.folder.parent / "target").exists()
