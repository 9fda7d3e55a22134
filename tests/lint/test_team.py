"""A team's habits: settings, what is known, what was changed, reports for other programs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from runner.cli import cli
from runner.errors import UsageError
from runner.lint import lint
from runner.lint.settings import find_settings, read_settings, schema
from runner.review.commit import commit_of

ROOT = Path(__file__).parents[2]
DROP = "SET lock_timeout = '1s';\n\nDROP TABLE users;\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one migration, in which the commands run."""
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "0001_a.sql").write_text(DROP, encoding="utf-8")
    git(tmp_path, "init", "-q", "-b", "main")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["lint", "--no-squawk", *arguments])
    return result.exit_code, result.output or str(result.exception)


def findings(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("--json", *arguments)[1])["findings"]
    return found


def settings(folder: Path, text: str, name: str = "trueup.toml") -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_a_rule_is_off_or_has_another_level(project: Path) -> None:
    settings(project, '[rules]\ndrop-table = "off"\n')
    assert findings("db") == []
    settings(project, '[rules]\ndrop-table = "warning"\n')
    assert [(f["rule"], f["level"]) for f in findings("db")] == [("drop-table", "warning")]
    assert run("db")[0] == 0
    settings(project, 'strict = true\n[rules]\ndrop-table = "warning"\n')
    assert run("db")[0] == 1


def test_pyproject_holds_the_same_and_the_closest_file_counts(project: Path) -> None:
    settings(project, '[tool.trueup.rules]\ndrop-table = "off"\n', "pyproject.toml")
    assert findings("db") == []
    settings(project / "db", "[tool.other]\nx = 1\n", "pyproject.toml")
    assert find_settings(project / "db").file == project / "pyproject.toml"
    settings(project, "", "trueup.toml")
    assert [f["rule"] for f in findings("db")] == ["drop-table"]


def test_paths_and_exclude_and_rules_of_some_files(project: Path) -> None:
    (project / "db" / "old").mkdir()
    (project / "db" / "old" / "0000_z.sql").write_text(DROP, encoding="utf-8")
    settings(project, 'paths = ["db"]\nexclude = ["db/old"]\n')
    code, text = run()
    assert (code, text.count("drop-table")) == (1, 1)
    assert "excluded by the settings: 1 of 2 files" in text
    settings(project, 'paths = ["db"]\n[per-file-ignores]\n"db/old/*" = ["drop-table"]\n')
    assert [f["file"] for f in findings()] == ["db/0001_a.sql"]
    assert run("--exclude", "db")[0] == 0


def test_what_the_servers_do_not_have_yet_is_an_error(project: Path) -> None:
    text = "CREATE TABLE t (a int, b int UNIQUE NULLS NOT DISTINCT, c uuid DEFAULT uuidv7());\n"
    (project / "db" / "0001_a.sql").write_text(text, encoding="utf-8")
    assert findings("db") == []
    settings(project, "postgresql = 14\n")
    told = [f["message"] for f in findings("db") if f["rule"] == "newer-than-server"]
    assert told == [
        "NULLS NOT DISTINCT is new in PostgreSQL 15, and the servers have 14",
        "uuidv7() is new in PostgreSQL 18, and the servers have 14",
    ]
    settings(project, "postgresql = 18\n")
    assert findings("db") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rule = {}", "there is no setting 'rule'[^$]*did you mean rules"),
        ("[rules]\ndrop-tabel = 'off'", "'drop-tabel', which is not a rule[^$]*mean drop-table"),
        ("[rules]\ndrop-table = 'low'", "rules.drop-table is 'low', expected off or error"),
        ("postgresql = 9", "postgresql is 9, expected a major version, 14 to 18"),
        ("postgresql = '15'", "postgresql is '15', expected a major version"),
        ("exclude = 'db'", "exclude is 'db', expected a list of texts"),
        ("layout = 'word'", "there is no layout 'word'"),
        ("[rules", "cannot be read"),
        ("exclude = " + "[" * 90_000, "nested too deeply"),
        ("postgresql = 0x" + "f" * 9_000, "postgresql is too large, expected a major version"),
    ],
)
def test_settings_that_say_what_cannot_be_are_refused(
    project: Path, text: str, message: str
) -> None:
    settings(project, text)
    with pytest.raises(UsageError, match=message):
        read_settings(project / "trueup.toml")


def test_the_schema_for_editors_is_published() -> None:
    published = json.loads((ROOT / "docs" / "trueup.schema.json").read_text("utf-8"))
    assert published == schema(), "run: python -m runner.lint.docs docs"


def test_known_findings_are_left_out_wherever_they_move(project: Path) -> None:
    code, text = run("--write-baseline", "db")
    assert code == 0
    assert "wrote 1 finding of 1 file" in text
    settings(project, 'baseline = "trueup-baseline.json"\n')
    assert run("db") == (
        0,
        "note: left out, as the baseline has them: 1 known finding\n\n"
        "0 errors, 0 warnings in 1 file\n",
    )
    moved = "-- a new line\n" + DROP + "DROP TABLE orders;\n"
    (project / "db" / "0001_a.sql").write_text(moved, encoding="utf-8")
    assert [f["line"] for f in findings("db")] == [5]
    (project / "db" / "0001_a.sql").write_text("SELECT 1;\n", encoding="utf-8")
    assert "gone since the baseline: 1 finding" in run("db")[1]


def test_a_baseline_is_written_over_nothing_else(project: Path) -> None:
    (project / "mine").write_text("mine", encoding="utf-8")
    for target in ("mine", "not there", "../not there"):
        (project / "trueup-baseline.json").symlink_to(project / target)
        assert run("--write-baseline", "db")[0] != 0
        (project / "trueup-baseline.json").unlink()
    for named in ("mine", "../not there"):
        settings(project, f'baseline = "{named}"')
        code, text = run("--write-baseline", "db")
        assert code != 0
        assert "--baseline FILE" in text  # the way on
    assert (project / "mine").read_text(encoding="utf-8") == "mine"
    assert not (project / "not there").exists()
    assert not (project.parent / "not there").exists()


def test_a_baseline_that_is_not_there_or_is_none_is_told(project: Path) -> None:
    assert "the baseline none.json cannot be read" in run("--baseline", "none.json", "db")[1]
    (project / "x.json").write_text("[]", encoding="utf-8")
    assert "is not a baseline" in run("--baseline", "x.json", "db")[1]


def test_only_changed_files_are_reported_and_judged_with_the_others(project: Path) -> None:
    created = f"CREATE TABLE t (c varchar(50));\n{DROP}"
    (project / "db" / "0001_a.sql").write_text(created, encoding="utf-8")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "a")
    git(project, "checkout", "-qb", "branch")
    second = "SET lock_timeout = '1s';\nALTER TABLE t ALTER c TYPE varchar(20);\n"
    (project / "db" / "0002_b.sql").write_text(second, encoding="utf-8")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "b")
    assert [f["rule"] for f in findings("--since", "main", "db")] == ["alter-column-type"]
    assert findings("--changed", "db") == []
    (project / "db" / "0003_ü.sql").write_text(DROP, encoding="utf-8")
    assert [f["rule"] for f in findings("--changed", "db")] == ["drop-table", "not-there"]
    assert "only files changed after main were looked at" in run("--since", "main", "db")[1]
    assert "git merge-base nothing HEAD" in run("--since", "nothing", "db")[1]
    assert "'--help' is not a commit" in run("--since", "--help", "db")[1]


def test_a_folder_that_is_a_repository_of_its_own_runs_nothing(project: Path) -> None:
    git(project, "init", "-q", "--bare", "bare")
    files = (project / "bare").rename(project / "db" / "1")
    (files / "0001_a.sql").write_text(DROP, encoding="utf-8")
    (files / ".gitattributes").write_text("*.sql filter=f\n", encoding="utf-8")
    git(files, "--work-tree=.", "add", "0001_a.sql")
    git(files, "--work-tree=.", "commit", "-qm", "a")
    (files / "hooks" / "post-index-change").write_text("#!/bin/sh\ntouch ../../pwned\n")
    (files / "hooks" / "post-index-change").chmod(0o755)
    (files / "config").write_text(
        "[core]\nbare = false\nworktree = .\nfsmonitor = touch ../../pwned\n"
        '[filter "f"]\nclean = touch ../../pwned\n'
    )
    git(project, "add", "-A")
    git(project, "commit", "-qm", "a")
    (files / "0001_a.sql").write_text(f"{DROP}-- changed\n", encoding="utf-8")
    assert "drop-table" in {f["rule"] for f in findings("--changed", "db/1")}
    assert run("--diff", "db/1")[0] == 0
    assert commit_of(files).id.endswith("+changes")
    assert not (project / "pwned").exists()


def test_an_ignore_may_stand_in_a_block_comment_or_cover_the_file(project: Path) -> None:
    path = project / "db" / "0001_a.sql"
    for text in (
        f"/* trueup: ignore drop-table because nobody reads it */\n{DROP.splitlines()[2]}",
        f"/*\n * Release 12.\n * trueup: ignore drop-table because nobody reads it\n */\n"
        f"{DROP.splitlines()[2]}",
        f"{DROP}DROP TABLE b;\n-- trueup: ignore-file drop-table because nobody reads them\n",
    ):
        path.write_text(text, encoding="utf-8")
        assert "drop-table" not in {f["rule"] for f in findings("db")}
    text = f"{DROP}SELECT '-- trueup: ignore drop-table because it is a string';\n"
    path.write_text(text, encoding="utf-8")
    assert {f["rule"] for f in findings("db")} == {"drop-table"}


def test_reports_for_other_programs_name_files_from_the_repository(project: Path) -> None:
    absolute = str(project / "db")
    (sarif,) = json.loads(run("--format", "sarif", absolute)[1])["runs"]
    (result,) = sarif["results"]
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": "db/0001_a.sql", "uriBaseId": "SRCROOT"}
    assert "file=db/0001_a.sql,line=3" in run("--format", "github", absolute)[1]
    (issue,) = json.loads(run("--format", "gitlab", absolute)[1])
    assert issue["location"] == {"path": "db/0001_a.sql", "lines": {"begin": 3, "end": 3}}
    assert (issue["check_name"], issue["severity"]) == ("drop-table", "critical")
    assert issue["fingerprint"] == result["partialFingerprints"]["trueup/v1"]
    suites = ElementTree.fromstring(run("--format", "junit", absolute)[1])
    (suite,) = suites
    (case,) = suite
    assert (suite.get("name"), suite.get("failures")) == ("db/0001_a.sql", "1")
    assert case.find("failure") is not None


def test_a_clean_run_is_a_passed_case_in_junit(project: Path) -> None:
    (project / "db" / "0001_a.sql").write_text("SELECT 1;\n", encoding="utf-8")
    suites = ElementTree.fromstring(run("--format", "junit", "db")[1])
    assert (suites.get("tests"), suites.get("failures")) == ("1", "0")


def test_what_was_looked_at_before_is_known_until_it_changes(project: Path) -> None:
    path = project / "db" / "0001_a.sql"
    assert findings("db")
    assert not Path(os.environ["XDG_CACHE_HOME"], "trueup").exists()  # it is read sooner
    with path.open("a", encoding="utf-8") as text:
        text.write(f"-- {'as long as a large schema ' * 1000}\n")
    first = findings("db")
    kept = list(Path(os.environ["XDG_CACHE_HOME"], "trueup", "lint").iterdir())
    assert len(kept) == 1
    assert findings("db") == first == findings("--no-cache", "db")
    # An answer that can be told from a fresh one shows that it is the one that was kept.
    answer = json.loads(kept[0].read_text("utf-8"))
    answer[0]["message"] = "as it was kept"
    kept[0].write_text(json.dumps(answer), encoding="utf-8")
    assert [f["message"] for f in findings("db")] == ["as it was kept"]
    settings(project, "postgresql = 15\n")
    assert findings("db") == first
    settings(project, "")
    kept[0].write_text("[{}]", encoding="utf-8")
    assert findings("db") == first
    path.write_text("SELECT 1;\n", encoding="utf-8")
    assert findings("db") == []


def test_a_cache_that_cannot_be_written_changes_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project / "db" / "0001_a.sql"
    path.write_text(f"{path.read_text()}-- {'long ' * 10_000}\n", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    assert [f["rule"] for f in findings("db")] == ["drop-table"]


def test_the_library_takes_settings_too(project: Path) -> None:
    settings(project, '[rules]\ndrop-table = "style"\n')
    report = lint([project], settings=read_settings(project / "trueup.toml"), with_squawk=False)
    assert [f.level for f in report.findings] == ["style"]
