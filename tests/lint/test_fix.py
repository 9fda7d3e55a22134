"""`trueup lint --fix`: what it rewrites, and all that it leaves alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from lint.hazards import HAZARDS, SCHEMA
from lint.test_hazards import run
from psycopg import sql

from runner.cli import cli
from runner.lint import lint
from runner.lint.fix import fix


def fixed(folder: Path, text: str, name: str = "0002_change.sql") -> str:
    """The text of a file after `--fix`."""
    path = folder / name
    path.write_bytes(text.encode())
    fix([folder], write=True)
    return path.read_bytes().decode()


def test_an_index_is_built_concurrently_and_all_else_stays_byte_for_byte(tmp_path: Path) -> None:
    text = (
        "/* Häuser */ SET lock_timeout = '1s';\r\n\r\n"
        'CREATE  UNIQUE INDEX -- eindeutig\r\n\t"Größe" ON "Häuser" ("Größe" DESC)'
        " WHERE weg = false; -- Ende\r\n"
    )
    assert fixed(tmp_path, text) == text.replace("INDEX -- eind", "INDEX CONCURRENTLY -- eind")


def test_a_constraint_is_added_not_valid_and_validated_behind_it(tmp_path: Path) -> None:
    text = "SET lock_timeout = '1s';\nALTER TABLE a\n    ADD CHECK (n > 0) -- positive\n;\n"
    assert fixed(tmp_path, text) == (
        "SET lock_timeout = '1s';\nALTER TABLE a\n"
        "    ADD CONSTRAINT a_n_check CHECK (n > 0) NOT VALID -- positive\n;\n"
        "ALTER TABLE a VALIDATE CONSTRAINT a_n_check;\n"
    )


def test_not_null_takes_the_way_over_a_check(tmp_path: Path) -> None:
    text = 'SET lock_timeout = \'1s\';\n  ALTER TABLE "User" ALTER "mail" SET NOT NULL;\n'
    added = (
        '  ALTER TABLE "User" ADD CONSTRAINT "User_mail_filled"'
        " CHECK (mail IS NOT NULL) NOT VALID;\n"
        '  ALTER TABLE "User" VALIDATE CONSTRAINT "User_mail_filled";\n'
    )
    dropped = '  ALTER TABLE "User" DROP CONSTRAINT "User_mail_filled";\n'
    line = text.splitlines(keepends=True)
    assert fixed(tmp_path, text) == line[0] + added + line[1] + dropped


def test_in_a_transaction_only_the_timeout_is_added(tmp_path: Path) -> None:
    text = "BEGIN;\nALTER TABLE a ADD CHECK (n > 0);\nCREATE INDEX i ON a (n);\nCOMMIT;\n"
    assert fixed(tmp_path, text) == text.replace(
        "BEGIN;\n", "BEGIN;\nSET LOCAL lock_timeout = '200ms';\n"
    )


def test_a_file_of_yoyo_leaves_its_transaction_for_one_statement_alone(tmp_path: Path) -> None:
    index = "-- depends: 0001_base\n-- Find users by mail.\nCREATE INDEX i ON users (mail);\n"
    (tmp_path / "0002_change.rollback.sql").write_text("DROP INDEX i;\n")
    assert fixed(tmp_path, index) == "-- transactional: false\n" + index.replace(
        "INDEX i", "INDEX CONCURRENTLY i"
    )


def test_a_file_of_yoyo_with_two_statements_keeps_its_transaction(tmp_path: Path) -> None:
    text = "-- depends: 0001_base\nSET LOCAL lock_timeout = '1s';\nCREATE INDEX i ON users (id);\n"
    assert fixed(tmp_path, text) == text


def test_a_section_of_dbmate_leaves_its_transaction(tmp_path: Path) -> None:
    text = "-- migrate:up\nCREATE INDEX i ON users (mail);\n-- migrate:down\nDROP INDEX i;\n"
    assert fixed(tmp_path, text) == (
        "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON users (mail);\n"
        "-- migrate:down\nDROP INDEX i;\n"
    )


@pytest.mark.parametrize("name", HAZARDS)
def test_the_second_time_nothing_is_left_to_fix_and_nothing_new_is_found(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "0001_schema.sql").write_text(SCHEMA)
    path = tmp_path / "0002_change.sql"
    path.write_text(HAZARDS[name][1] + "\n")
    before = [finding.rule for finding in lint([path], with_squawk=False).findings]
    done = fix([path], write=True)
    after = [finding.rule for finding in lint([path], with_squawk=False).findings]
    assert not fix([path], write=True).files
    assert set(after) <= set(before)
    for file in done.files:
        assert not set(file.rules) & set(after)


@pytest.mark.parametrize(
    "name", ["index, partial unique", "check", "foreign key", "set not null, quoted", "reindex"]
)
def test_a_fixed_file_runs_and_leaves_what_the_file_left(
    database: str, tmp_path: Path, name: str
) -> None:
    run(database, SCHEMA)
    run(database, fixed(tmp_path, HAZARDS[name][1] + "\n"))
    with psycopg.connect(database) as connection:
        invalid = connection.execute(
            "SELECT conname FROM pg_constraint WHERE NOT convalidated AND conname <> %s"
            " UNION ALL SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
            " UNION ALL SELECT conname FROM pg_constraint WHERE conname LIKE '%%_filled'",
            ["payments_amount_check"],
        ).fetchall()
    assert invalid == []


def lint_command(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["lint", "--no-squawk", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_diff_shows_the_change_and_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "0001_index.sql"
    path.write_text("CREATE INDEX i ON users (mail);\n")
    status, shown = lint_command("--diff", tmp_path)
    assert status == 1
    assert "-CREATE INDEX i ON users (mail);\n+CREATE INDEX CONCURRENTLY i ON users" in shown
    assert path.read_text() == "CREATE INDEX i ON users (mail);\n"
    assert lint_command("--fix", tmp_path)[0] == 0
    assert lint_command("--diff", tmp_path) == (0, "nothing that can be fixed by itself\n")


def test_the_diff_of_a_file_with_crlf_is_a_patch_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("0001_index.sql")
    path.write_bytes(b"SET lock_timeout = '1s';\r\nCREATE INDEX i ON users (mail);\r\n")
    patch = CliRunner().invoke(cli, ["lint", "--no-squawk", "--diff", str(path)]).stdout_bytes
    subprocess.run(["git", "apply", "-"], input=patch, check=True)
    assert path.read_bytes().endswith(b"\r\nCREATE INDEX CONCURRENTLY i ON users (mail);\r\n")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=folder, check=True
    )


def test_a_file_on_the_branch_that_is_deployed_stays_as_it_is(tmp_path: Path) -> None:
    old, new = tmp_path / "0001_old.sql", tmp_path / "0002_new.sql"
    old.write_text("CREATE INDEX i ON users (mail);\n")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "old")
    git(tmp_path, "switch", "-q", "-c", "feature")
    new.write_text("CREATE INDEX j ON users (name);\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "new")
    status, shown = lint_command("--fix", tmp_path)
    assert status == 1
    assert "0001_old.sql: it is on main: it may have been applied" in shown
    assert "CONCURRENTLY" not in old.read_text()
    assert "CONCURRENTLY" in new.read_text()
    assert lint_command("--fix", "--also-applied", tmp_path)[0] == 0
    assert "CONCURRENTLY" in old.read_text()


def test_a_file_that_the_ledger_holds_stays_as_it_is(database: str, tmp_path: Path) -> None:
    for name in ("0001_old", "0002_new"):
        (tmp_path / f"{name}.sql").write_text("-- depends:\nCREATE INDEX i ON users (mail);\n")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE _yoyo_version (version int); CREATE TABLE _yoyo_migration"
            " (migration_hash text, migration_id text, applied_at_utc timestamp)"
        )
        connection.execute(sql.SQL("INSERT INTO _yoyo_migration VALUES ('x', '0001_old', now())"))
    shown = lint_command("--fix", "--dsn", database, tmp_path)[1]
    assert "0001_old.sql: it is recorded as applied" in shown
    assert "CONCURRENTLY" not in (tmp_path / "0001_old.sql").read_text()
    assert "CONCURRENTLY" in (tmp_path / "0002_new.sql").read_text()


def test_a_file_whose_state_nobody_knows_is_changed_and_said(tmp_path: Path) -> None:
    (tmp_path / "0001_index.sql").write_text("CREATE INDEX i ON users (mail);\n")
    assert "neither git's base branch nor a ledger" in lint_command("--fix", tmp_path)[1]


def test_the_rights_of_a_file_stay(tmp_path: Path) -> None:
    path = tmp_path / "0001_index.sql"
    path.write_text("CREATE INDEX i ON users (mail);\n")
    path.chmod(0o640)
    fix([path], write=True)
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["0001_index.sql"]
