"""What yoyo would get wrong without a word is refused, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.migration_files import write_migration

from runner.errors import MigrationFileError
from runner.ledger.files import LARGEST_FILE, read_migrations
from runner.ledger.rules import check_files


def refusal(folder: Path) -> str:
    with pytest.raises(MigrationFileError) as raised:
        check_files(read_migrations([folder]))
    return raised.value.message.replace(f"{folder}/", "")


def test_good_files_pass(tmp_path: Path) -> None:
    write_migration(
        tmp_path,
        "0001_expand_a",
        "-- why: because\nCREATE TABLE t (id int);\nSAVEPOINT s;\nROLLBACK TO s;\n"
        "DO $$ BEGIN COMMIT; END $$;\nCOPY t TO '/tmp/x';\nSELECT E'a;\\'', $q$;$q$;",
        "-- no-op: nothing is left of it\n",
    )
    write_migration(
        tmp_path, "0002_expand_b", "VACUUM;", depends="0001_expand_a", transactional=False
    )
    check_files(read_migrations([tmp_path]))


def test_statements_that_yoyo_sends_together_pass(tmp_path: Path) -> None:
    write_migration(
        tmp_path, "0001_expand_a", "COMMENT ON TABLE a IS 'C:\\';\nSELECT E'a\\'b; %s';"
    )
    check_files(read_migrations([tmp_path]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- a\n-- Transactional: false\nSELECT 1;", "2: yoyo ignores 'Transactional'"),
        (
            "-- transaction: false\nSELECT 1;",
            "1: yoyo ignores 'transaction'; write 'transactional'",
        ),
        ("-- depend: x\nSELECT 1;", "1: yoyo ignores 'depend'; write 'depends'"),
        ("SELECT 1;\n-- depends: 0000_x\n", "2: yoyo ignores 'depends' here"),
        ("/*\n transactional: false\n*/\nSELECT 1;", "2: yoyo ignores 'transactional' here"),
        ("-- a\nBEGIN;\nSELECT 1;\nCOMMIT;", "2: BEGIN in a file"),
        ("START TRANSACTION;", "1: START in a file"),
        ("SELECT 1;\nROLLBACK;", "2: ROLLBACK in a file"),
        ("SELECT 1;\nEND;", "2: END in a file"),
        ("PREPARE TRANSACTION 'a';", "1: PREPARE TRANSACTION in a file"),
        ("\\set x 1\nSELECT 1;", "1: a backslash starts a psql command"),
        ("SELECT 1;\nCOPY t (a, b) FROM STDIN;", "2: COPY from or to the client"),
        ("\ufeff-- transactional: false\nSELECT 1;", "1: a byte-order mark"),
        ("-- only a comment\n", "1: the file holds no statement"),
        ("SELECT 'never ends;", "1: the string never ends"),
        ("SELECT 1 /* /* */ ; */;\nSELECT 4;", "1: yoyo would split this statement"),
        ("SELECT 'C:\\';\nSELECT ';';", "1: yoyo would split this statement"),
        ("SELECT 1;\nSELECT 'C:\\', 'a;b';\nSELECT 2;", "2: yoyo would split this statement"),
    ],
)
def test_a_forward_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT 1;")
    (tmp_path / "0001_expand_a.sql").write_text(text, encoding="utf-8")
    assert f"0001_expand_a.sql:{message}" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "1: the file holds no statement; one meant to do nothing says `-- no-op: reason`",
        ),
        ("-- transactional: false\nSELECT 1;", "1: yoyo ignores 'transactional' in a rollback"),
        ("COMMIT;", "1: COMMIT in a file"),
    ],
)
def test_a_rollback_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT 1;", text)
    assert f"0001_expand_a.rollback.sql:{message}" in refusal(tmp_path)


def test_a_missing_rollback_is_refused(tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT 1;", None)
    assert refusal(tmp_path).startswith("0001_expand_a.sql:1: there is no 0001_expand_a.rollback")


@pytest.mark.parametrize("side", ["forward", "rollback"])
def test_a_non_transactional_file_holds_one_statement(tmp_path: Path, side: str) -> None:
    two = "SELECT 1;\n\nSELECT 2;"
    forward, rollback = (two, "SELECT 1;") if side == "forward" else ("SELECT 1;", two)
    write_migration(tmp_path, "0001_expand_a", forward, rollback, transactional=False)
    assert "a non-transactional file holds one statement" in refusal(tmp_path)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    for number in range(1, 31):
        write_migration(tmp_path, f"{number:04}_expand_a", "COMMIT;")
    message = refusal(tmp_path)
    assert message.count("COMMIT in a file") == 20
    assert message.endswith("and 10 more")


@pytest.mark.parametrize("value", ["no", "false -- why", "off"])
def test_a_value_that_yoyo_fails_on_is_refused(tmp_path: Path, value: str) -> None:
    write_migration(tmp_path, "0001_expand_a", f"-- transactional: {value}\nSELECT 1;")
    with pytest.raises(MigrationFileError, match=r"0001_expand_a\.sql:3: transactional is"):
        read_migrations([tmp_path])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("0002_expand_b.py", "yoyo runs a Python file"),
        ("post-apply.sql", "yoyo runs a post-apply file after every run"),
        ("0002_expand_b.SQL", "yoyo ignores it"),
        ("0002_expand_b.rollback.sql", "it would undo 0002_expand_b.sql, which does not exist"),
        ("0002_expand_b.down.sql", "yoyo would run it forward"),
    ],
)
def test_a_file_that_yoyo_would_take_for_something_else_is_refused(
    tmp_path: Path, name: str, message: str
) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT 1;")
    (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationFileError, match=f"{name}: {message}"):
        read_migrations([tmp_path])


@pytest.mark.parametrize(
    "mark", ["-- migrate:down", "-- +goose Down", "-- Down Migration", "--changeset ann:1"]
)
def test_a_file_with_both_directions_of_another_tool_is_refused(tmp_path: Path, mark: str) -> None:
    write_migration(tmp_path, "0001_a", f"SELECT 1;\n{mark}\nDROP TABLE t;")
    assert "yoyo would run all of the file forward; apply it with that tool" in refusal(tmp_path)


def test_depends_in_a_rollback_changes_nothing(tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_a", "SELECT 1;", "-- depends:\n\nSELECT 2;")
    check_files(read_migrations([tmp_path]))


def test_numbers_that_sort_otherwise_as_text_are_refused(tmp_path: Path) -> None:
    for name in ("0002_expand_a", "10_expand_b", "9_expand_c"):
        write_migration(tmp_path, name, "SELECT 1;")
    with pytest.raises(MigrationFileError, match=r"10_expand_b\.sql and 9_expand_c\.sql have num"):
        read_migrations([tmp_path])


def test_dated_ids_with_dots_and_dashes_stand_beside_numbers(tmp_path: Path) -> None:
    names = ("0001.create-foo", "0101_expand_a", "20240105_01_k2PqZ", "20240212_01_Xb7Ra-state")
    for name in names:
        write_migration(tmp_path, name, "SELECT 1;")
    found = read_migrations([tmp_path])
    assert [m.id for m in found] == list(names)
    assert [m.number for m in found] == ["0001", "0101", "20240105", "20240212"]
    assert [m.rollback_path is not None for m in found] == [True] * 4


@pytest.mark.parametrize("name", ["0001.a.rolback.sql", "0001.a.down.sql", "0001.b.up.sql"])
def test_a_dot_before_a_direction_is_a_slip(tmp_path: Path, name: str) -> None:
    write_migration(tmp_path, "0001.a", "SELECT 1;")
    (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationFileError, match="yoyo would run it forward"):
        read_migrations([tmp_path])


def test_a_file_of_ten_megabytes_is_refused(tmp_path: Path) -> None:
    path = write_migration(tmp_path, "0001_expand_a", "SELECT 1;")
    path.write_text("SELECT 1;" * 1_200_000)
    with pytest.raises(
        MigrationFileError, match=rf"has 10,800,000 bytes, more than {LARGEST_FILE:,}"
    ):
        read_migrations([tmp_path])


def test_the_shipped_files_pass() -> None:
    root = Path(__file__).parents[2] / "sql"
    folders = sorted({path.parent for path in root.rglob("*.sql")})
    for folder in folders:
        legacy = root / folder.relative_to(root).parts[0] / "legacy"
        online = legacy.with_name("online")
        common = legacy.with_name("common")
        sources = dict.fromkeys([legacy, common, online, online / "switch", folder])
        check_files(read_migrations(sources))


def test_each_folder_counts_in_its_own_way(tmp_path: Path) -> None:
    """A project's own ids, dotted or of few digits, beside generated ones in one yoyo.ini."""
    for name in ("1.2.0-towns", "2.0.0-members", "202401051200_a", "20250101_b"):
        write_migration(tmp_path / "own", name, "SELECT 1;")
    write_migration(tmp_path / "online", "0101_expand_a", "SELECT 1;")
    found = read_migrations([tmp_path / "own", tmp_path / "online"])
    assert [m.id for m in found][-2:] == ["20250101_b", "0101_expand_a"]


def test_lines_within_strings_are_data(tmp_path: Path) -> None:
    """A file that stores other tools' files, or a recipe with keys of its own."""
    rows = (
        "'Package: a\nDepends: libc6\ntransactional: no\n'",
        "$y$\njob: build\ndepends:\n  - compile\n-- migrate:down\n$y$",
        "E'it\\'s\n-- depends: 0000_none\n'",
    )
    seed = "\n".join(f"INSERT INTO t VALUES ({row});" for row in rows)
    write_migration(tmp_path, "0001_a", seed, seed)
    check_files(read_migrations([tmp_path]))
    # The same line outside of them is still one that yoyo ignores.
    write_migration(tmp_path, "0001_a", f"{seed}\n-- depends: 0000_none\n", "SELECT 1;")
    assert "yoyo ignores 'depends' here" in refusal(tmp_path)
