"""Files of every tool are read as that tool runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import MigrationFileError
from runner.lint import lint
from runner.lint.docs import write_example
from runner.lint.layouts import Pair, chains, find_files


def read(folder: Path, **files: str) -> list[list[Pair]]:
    for name, text in files.items():
        path = folder / name.replace("__slash__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return chains(find_files([folder]))


def rules(folder: Path, example: str) -> set[str]:
    write_example(folder, example)
    return {finding.rule for finding in lint([folder], with_squawk=False).findings}


def test_yoyo_pairs_a_file_with_its_rollback_and_follows_depends(tmp_path: Path) -> None:
    (chain,) = read(
        tmp_path,
        **{
            "0001_a.sql": "-- depends: 0002_b\nSELECT 1;",
            "0002_b.sql": "-- transactional: false\nSELECT 2;",
            "0002_b.rollback.sql": "SELECT 3;",
        },
    )
    assert [pair.up.id for pair in chain] == ["0002_b", "0001_a"]
    assert [pair.up.transactional for pair in chain] == [False, True]
    assert [pair.down is not None for pair in chain] == [True, False]


def test_depends_in_a_loop_ends(tmp_path: Path) -> None:
    (chain,) = read(
        tmp_path,
        **{
            "0001_a.sql": "-- depends: 0002_b\nSELECT 1;",
            "0002_b.sql": "-- depends: 0001_a\nSELECT 2;",
        },
    )
    assert {pair.up.id for pair in chain} == {"0001_a", "0002_b"}


def test_dbmate_sections_keep_their_lines(tmp_path: Path) -> None:
    text = "-- migrate:up transaction:false\nSELECT 1;\n\n-- migrate:down\nSELECT\n2;\n"
    ((pair,),) = read(tmp_path, **{"20240101_a.sql": text})
    assert pair.down is not None
    assert not pair.up.transactional
    assert pair.down.transactional
    assert [s.text for s in pair.up.statements] == ["SELECT 1"]
    assert pair.down.text.count("\n") == text.count("\n")
    assert text[pair.down.statements[0].offset :].startswith("SELECT\n2")


def test_goose_and_flyway_and_up_down_and_sqitch(tmp_path: Path) -> None:
    goose = "-- +goose NO TRANSACTION\n-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n"
    files = {
        "goose/1_a.sql": goose,
        "flyway/V2__b.sql": "SELECT 1;",
        "flyway/V10__c.sql": "SELECT 1;",
        "flyway/U2__b.sql": "SELECT 2;",
        "updown/1_a.up.sql": "SELECT 1;",
        "updown/1_a.down.sql": "SELECT 2;",
        "sqitch/deploy/a.sql": "SELECT 1;",
        "sqitch/deploy/b.sql": "SELECT 1;",
        "sqitch/revert/a.sql": "SELECT 2;",
        "sqitch/sqitch.plan": "%project=x\n\nb 2024-01-01T00:00:00Z me\na [b] 2024-01-01 me\n",
    }
    found = {chain[0].up.layout: chain for chain in read(tmp_path, **files)}
    assert set(found) == {"goose", "flyway", "up-down", "sqitch"}
    assert not found["goose"][0].up.transactional
    assert [pair.up.id for pair in found["flyway"]] == ["V2__b", "V10__c"]
    assert [pair.down is not None for pair in found["flyway"]] == [True, False]
    assert found["up-down"][0].down is not None
    assert [pair.up.id for pair in found["sqitch"]] == ["b", "a"]


def test_online_and_its_contract_are_one_chain_with_and_without_a_baseline(tmp_path: Path) -> None:
    files = {
        "online/0101_expand_a.sql": "SELECT 1;",
        "online/contract/0401_contract_a.sql": "-- depends: 0101_expand_a\nSELECT 2;",
    }
    (chain,) = read(tmp_path, **files)
    assert [pair.up.id for pair in chain] == ["0101_expand_a", "0401_contract_a"]
    (chain,) = read(tmp_path, **{"legacy/0001_baseline_a.sql": "SELECT 0;"})[:1]
    assert [pair.up.id for pair in chain][1:] == ["0101_expand_a", "0401_contract_a"]


def test_plain_files_without_numbers_know_nothing_of_each_other(tmp_path: Path) -> None:
    apart = "CREATE TABLE t (a int);\n-- file: other.sql\nSET lock_timeout = '1s';\nSELECT 1;"
    write_example(tmp_path, apart)
    (tmp_path / "0001_example.sql").rename(tmp_path / "example.sql")
    assert len(chains(find_files([tmp_path]))) == 2


def test_plain_files_with_numbers_are_a_chain(tmp_path: Path) -> None:
    first = "SET lock_timeout = '1s';\nALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;\n"
    assert rules(tmp_path, first) == {"not-valid-never-validated"}
    second = first + "-- file: 0002_b.sql\nALTER TABLE t VALIDATE CONSTRAINT c;"
    assert rules(tmp_path, second) == set()


def test_psql_commands_and_template_variables_are_no_errors(tmp_path: Path) -> None:
    text = "\\set ON_ERROR_STOP on\nSELECT :'name', :number;\nGRANT SELECT ON ${schema}.t TO app;\n"
    assert rules(tmp_path, text) == set()


def test_a_statement_that_cannot_be_parsed_does_not_hide_the_next(tmp_path: Path) -> None:
    write_example(tmp_path, "SELEC 1;\nDROP TABLE users;\n")
    found = {f.rule: f.line for f in lint([tmp_path], with_squawk=False).findings}
    assert found["syntax"] == 1
    assert found["drop-table"] == 2


def test_a_quote_that_never_ends_is_a_finding(tmp_path: Path) -> None:
    assert rules(tmp_path, "SELECT 1;\nSELECT 'x") == {"syntax"}


def test_places_are_characters_also_after_letters_that_take_more_bytes(tmp_path: Path) -> None:
    write_example(tmp_path, "/* äöü € */ SELECT 'ß';\n  DROP TABLE zwölf;\n")
    (finding,) = [f for f in lint([tmp_path]).findings if f.rule == "drop-table"]
    assert (finding.line, finding.column) == (2, 3)


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MigrationFileError, match="does not exist"):
        lint([tmp_path / "none"])
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    with pytest.raises(MigrationFileError, match=r"is no \.sql file"):
        lint([tmp_path / "a.txt"])


def test_a_file_alone_is_judged_with_what_its_folder_knows(tmp_path: Path) -> None:
    write_example(
        tmp_path,
        "CREATE TABLE t (c varchar(50));\n-- file: 0002_b.sql\n"
        "SET lock_timeout = '1s';\nALTER TABLE t ALTER COLUMN c TYPE varchar(20);\n",
    )
    report = lint([tmp_path / "0002_b.sql"], with_squawk=False)
    assert report.files == 1
    assert [f.rule for f in report.findings] == ["alter-column-type"]
    assert "from varchar(50) to varchar(20)" in report.findings[0].message


def test_deep_and_strange_text_does_not_stop_lint(tmp_path: Path) -> None:
    (tmp_path / "deep.sql").write_text(f"SELECT {'(' * 3000}1{')' * 3000};", encoding="utf-8")
    (tmp_path / "empty.sql").write_text("", encoding="utf-8")
    (tmp_path / "marks.sql").write_text("\ufeff;;;\r\n-- x\r\n", encoding="utf-8")
    assert lint([tmp_path]).files == 3
