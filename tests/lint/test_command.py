"""The verb: forms of output, exit codes, Squawk."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.runs import run_trueup

from runner.cli import cli
from runner.errors import MigrationFileError, UsageError
from runner.lint import all_rules, lint
from runner.lint.docs import document
from runner.lint.engine import MOST_CHANGES
from runner.lint.squawk import find_program

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.sql"
    path.write_text("SET lock_timeout = '1s';\n\nDROP TABLE users;\n", encoding="utf-8")
    return path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["lint", "--no-squawk", *arguments])
    return result.exit_code, result.output


def test_text_says_where_why_and_what_instead(bad: Path) -> None:
    code, text = run(str(bad))
    assert code == 1
    assert f"{bad}:3:1: error: drop-table" in text
    assert "why:" in text
    assert "ALTER TABLE users RENAME TO users_unused;" in text
    assert text.endswith("1 error, 0 warnings in 1 file\n")


def test_text_is_no_wider_than_the_terminal(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    told = run(str(bad))[1].split("  safe:")[0].splitlines()[1:]
    assert 50 < max(map(len, told)) <= 60


def test_a_clean_file_exits_with_0(tmp_path: Path) -> None:
    (tmp_path / "good.sql").write_text("SELECT 1;\n", encoding="utf-8")
    assert run(str(tmp_path)) == (0, "0 errors, 0 warnings in 1 file\n")


def test_a_warning_fails_only_with_strict(tmp_path: Path) -> None:
    path = tmp_path / "warning.sql"
    path.write_text("ALTER TABLE t ADD COLUMN a int;\n", encoding="utf-8")
    assert run(str(path))[0] == 0
    assert run("--strict", str(path))[0] == 1


def test_json_tells_its_version_and_holds_all_there_is(bad: Path) -> None:
    _, text = run("--format", "json", str(bad))
    value = json.loads(text)
    (finding,) = value["findings"]
    assert value["version"] == 1
    assert (finding["rule"], finding["line"], finding["column"]) == ("drop-table", 3, 1)
    assert finding["file"] == str(bad)
    assert finding["instead"]
    assert run("--json", str(bad))[1] == text


def test_sarif_has_rules_and_results(bad: Path) -> None:
    _, text = run("--format", "sarif", str(bad))
    (sarif,) = json.loads(text)["runs"]
    driver = sarif["tool"]["driver"]
    assert driver["version"]
    assert driver["informationUri"]
    (rule,) = driver["rules"]
    assert rule["shortDescription"]["text"]
    (result,) = sarif["results"]
    assert rule["id"] == result["ruleId"] == "drop-table"
    assert result["level"] == "error"
    place: dict[str, Any] = result["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 3, "startColumn": 1, "endLine": 3}
    assert result["partialFingerprints"]


def test_github_annotations_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "a,b.sql"
    path.write_text("SET lock_timeout = '1s';\nDROP TABLE \"100%\";\n", encoding="utf-8")
    _, text = run("--format", "github", str(path))
    line = text.splitlines()[0]
    assert line.startswith(f"::error file={tmp_path}/a%2Cb.sql,line=2,endLine=2,col=1,title=drop-")
    assert "100%25" in line


def test_mistakes_on_the_command_line_are_told(tmp_path: Path) -> None:
    for arguments, message in (
        (["--layout", "word", "."], "there is no layout 'word'"),
        (["--schema", "x.sql", "."], "--schema is for --trace"),
        ([str(tmp_path / "none")], "does not exist"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "runner", "lint", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_a_file_of_more_changes_than_can_be_compared_is_refused_unless_it_is_excluded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "0001_a.sql"
    path.write_text("INSERT INTO a VALUES (1);\n" * (MOST_CHANGES + 1), encoding="utf-8")
    assert run(str(path))[0] == 0
    path.write_text("DROP VIEW a;\n" * (MOST_CHANGES + 1), encoding="utf-8")
    with pytest.raises(MigrationFileError, match=f"makes {MOST_CHANGES + 1:,} changes, more than"):
        lint([path])
    (tmp_path / "0002_b.sql").write_text("DROP TABLE b;\n", encoding="utf-8")
    (tmp_path / "trueup.toml").write_text('exclude = ["0001*"]\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code, text = run(".")
    assert code == 1
    assert "0002_b.sql:1:1: error: drop-table" in text


def test_rules_are_listed() -> None:
    code, text = run("--rules")
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()] == [rule.name for rule in all_rules()]


def test_squawk_adds_what_no_rule_of_ours_looks_at(tmp_path: Path) -> None:
    assert find_program() is not None, "the extra lint is part of the development tools"
    path = tmp_path / "domain.sql"
    path.write_text("CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');\n", encoding="utf-8")
    (finding,) = lint([path], with_squawk=True).findings
    assert finding.rule == "squawk-ban-create-domain-with-constraint"
    assert (finding.source, finding.line) == ("squawk", 1)
    assert lint([path], with_squawk=False).findings == ()


def test_squawk_reports_nothing_twice_and_nothing_of_a_rollback(tmp_path: Path) -> None:
    path = tmp_path / "1_a.sql"
    path.write_text(
        "-- migrate:up\nCREATE INDEX i ON t (a);\n-- migrate:down\n"
        "DROP INDEX i;\nCREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');\n",
        encoding="utf-8",
    )
    found = {finding.rule for finding in lint([path], with_squawk=True).findings}
    assert found == {"create-index", "missing-lock-timeout"}


def test_squawk_that_is_missing_is_told(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.lint.engine.find_program", lambda: None)
    with pytest.raises(UsageError, match="squawk is not installed"):
        lint([bad], with_squawk=True)


def test_without_the_parser_the_way_on_is_told(bad: Path) -> None:
    program = "import sys; sys.modules['postgast'] = None; from runner.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "lint", str(bad)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'trueup[lint]'" in done.stderr


def test_the_documentation_is_what_the_rules_say() -> None:
    page = (ROOT / "docs" / "lint.md").read_text("utf-8")
    assert page == document(), "run: python -m runner.lint.docs docs"


def test_the_pre_commit_hook_runs_lint() -> None:
    hook = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    assert "entry: trueup lint\n" in hook
    assert 'additional_dependencies: [./pyorm, ".[lint]"]\n' in hook  # both of this checkout


def test_a_service_without_files_is_no_clean_one(tmp_path: Path) -> None:
    (tmp_path / "standard.toml").touch()
    done = run_trueup("lint", "--service", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is nothing to lint: none of these folders exists" in done.stderr


def test_many_files_are_looked_at_in_several_processes_with_the_same_result(tmp_path: Path) -> None:
    for project in range(8):
        folder = tmp_path / f"project_{project}"
        folder.mkdir()
        for number in range(20):
            text = f"ALTER TABLE t{number} ADD COLUMN c int;\n" + f"SELECT {project};\n" * 400
            (folder / f"{number:04}_a.sql").write_text(text, encoding="utf-8")
    alone = lint([tmp_path], with_squawk=False)
    together = lint([tmp_path], with_squawk=False, jobs=2)
    assert len(alone.findings) == 160
    assert together == alone
    done = run_trueup("lint", "--no-squawk", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")


def test_whoever_calls_it_has_the_collector_as_before(bad: Path) -> None:
    CliRunner().invoke(cli, ["lint", "--no-squawk", str(bad)])
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_a_run_loads_nothing_that_it_does_not_need(bad: Path) -> None:
    program = (
        "import sys; from runner.cli import cli\n"
        "try: cli.main(['lint', '--no-squawk', sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "print([n for n in ('psycopg', 'yoyo', 'rich', 'jinja2', 'inflect', 'pygments',"
        " 'sqlparse', 'multiprocessing') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(bad)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
