"""Files of every tool are read as that tool runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import MigrationFileError, UsageError
from runner.lint import lint
from runner.lint.docs import write_example
from runner.lint.layouts import Pair, chains, find_files
from runner.quoting import told_name


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


def texts(pair: Pair) -> tuple[list[str], list[str]]:
    down = pair.down.statements if pair.down else ()
    return [s.text.strip() for s in pair.up.statements], [s.text.strip() for s in down]


def test_prisma_is_a_chain_of_folders_that_goes_forward_only(tmp_path: Path) -> None:
    files = {
        "migrations/20240102000000_b/migration.sql": "CREATE INDEX CONCURRENTLY i ON t (a);",
        "migrations/20240101000000_a/migration.sql": "SELECT 1;",
        "migrations/migration_lock.toml": 'provider = "postgresql"',
    }
    (chain,) = read(tmp_path, **files)
    assert [pair.up.id for pair in chain] == ["20240101000000_a", "20240102000000_b"]
    assert {pair.up.layout for pair in chain} == {"prisma"}
    # It sends the file in one message: one statement alone is in no transaction.
    assert [pair.up.transactional for pair in chain] == [True, False]
    assert "rollback-missing" not in rules(tmp_path, "")


def test_what_diesel_and_hasura_undo_with_is_not_run_forward(tmp_path: Path) -> None:
    files = {
        "migrations/default/1_a/up.sql": "SELECT 1;",
        "migrations/default/1_a/down.sql": "SELECT 2;",
        "diesel/2024-01-01-000000_b/up.sql": "SELECT 3;",
        "diesel/2024-01-01-000000_b/down.sql": "SELECT 4;",
        "diesel/2024-01-01-000000_b/metadata.toml": "run_in_transaction = false\n",
    }
    diesel, hasura = read(tmp_path, **files)
    assert [texts(pair) for pair in diesel] == [(["SELECT 3"], ["SELECT 4"])]
    assert [texts(pair) for pair in hasura] == [(["SELECT 1"], ["SELECT 2"])]
    assert (diesel[0].up.transactional, hasura[0].up.transactional) == (False, True)


def test_nested_changes_of_sqitch_come_in_the_order_of_its_plan(tmp_path: Path) -> None:
    plan = (
        "%syntax-version=1.0.0\n%project=x\n\ntables/t 2024-01-01 A <a@b> # t\n"
        "a [tables/t] 2024-01-02 A <a@b>\n@v1 2024-01-03 A <a@b>\n"
        "tables/t [tables/t@v1] 2024-01-04 A <a@b>\n"
    )
    files = {
        "sqitch.plan": plan,
        "deploy/a.sql": "SELECT 2;",
        "deploy/tables/t.sql": "SELECT 3;",
        "deploy/tables/t@v1.sql": "SELECT 1;",
        "revert/tables/t.sql": "SELECT 4;",
        "verify/tables/t.sql": "SELECT 1/0;",
    }
    (chain,) = read(tmp_path, **files)
    assert [pair.up.id for pair in chain] == ["tables/t@v1", "a", "tables/t"]
    assert texts(chain[2]) == (["SELECT 3"], ["SELECT 4"])


def test_node_pg_migrate_has_both_ways_in_a_file(tmp_path: Path) -> None:
    files = {
        "1700000000000_x.sql": "-- Up Migration\nSELECT 1;\n-- Down Migration\nSELECT 2;\n",
        "1700000000001_y.sql": "SELECT 3;\n---- down migration ----\nSELECT 4;\n",
    }
    (chain,) = read(tmp_path, **files)
    both = (["SELECT 3", "SELECT 4"], ["SELECT 4"])  # without a mark of the way there, it runs all
    assert [texts(p) for p in chain] == [(["SELECT 1"], ["SELECT 2"]), both]


def test_liquibase_changesets_are_migrations_in_the_order_of_the_changelog(tmp_path: Path) -> None:
    first = (
        "--liquibase formatted sql\n\n--changeset ann:1\nSELECT 1;\n--rollback SELECT 2;\n"
        '--changeset "ann":two runInTransaction:false\nSELECT 3;\n/* liquibase rollback\n'
        "SELECT 4;\n*/\n--changeset ann:3 dbms:mysql\nSELECT `x`;\n"
        "--changeset ann:4 endDelimiter:/\nSELECT 5\n/\nSELECT 6\n/\n--rollback not required\n"
    )
    files = {
        "db/changelog-master.yaml": "databaseChangeLog:\n- include:\n    file: db/z.sql\n"
        "- includeAll:\n    path: more\n    relativeToChangelogFile: true\n",
        "db/z.sql": first,
        "db/more/a.sql": "-- liquibase formatted sql\n-- changeset bob:1\nSELECT 7;\n",
    }
    (chain,) = read(tmp_path, **files)
    assert [pair.up.id for pair in chain] == ["ann:1", "ann:two", "ann:4", "bob:1"]
    assert [texts(pair) for pair in chain] == [
        (["SELECT 1"], ["SELECT 2"]),
        (["SELECT 3"], ["SELECT 4"]),
        (["SELECT 5", "SELECT 6"], []),
        (["SELECT 7"], []),
    ]
    assert [pair.up.transactional for pair in chain] == [True, False, True, True]
    down = chain[0].down
    assert down is not None
    assert first[down.statements[0].offset :].startswith("SELECT 2;")
    assert rules(tmp_path, "") == set()


def test_alembic_scripts_follow_their_revisions(tmp_path: Path) -> None:
    files = {
        "a.sql": "BEGIN;\n\n-- Running upgrade 1a -> 2b\n\nSELECT 2;\n\nCOMMIT;\n",
        "b.sql": "BEGIN;\n\n-- Running upgrade  -> 1a\n\nSELECT 1;\n\nCOMMIT;\n",
        "c.sql": "BEGIN;\n\n-- Running downgrade 2b -> 1a\n\nSELECT 3;\n\nCOMMIT;\n",
    }
    (chain,) = read(tmp_path, **files)
    assert [pair.up.id for pair in chain] == ["b", "a"]
    assert texts(chain[1])[1] == ["BEGIN", "SELECT 3", "COMMIT"]


def test_what_django_prints_is_a_chain_with_transactions_of_its_own(tmp_path: Path) -> None:
    files = {
        "0001_initial.sql": "BEGIN;\n--\n-- Create model A\n--\nSELECT 1;\nCOMMIT;\n",
        "0002_a_b.sql": "--\n-- Concurrently\n--\nCREATE INDEX CONCURRENTLY i ON t (a);\n",
    }
    (chain,) = read(tmp_path, **files)
    assert [pair.up.transactional for pair in chain] == [False, False]
    assert "concurrently-in-transaction" not in rules(tmp_path, "")


def test_structure_sql_of_rails_is_no_part_of_a_chain(tmp_path: Path) -> None:
    dump = "--\n-- PostgreSQL database dump\n--\n\\restrict x\nCREATE TABLE t (a int);\n"
    files = {"structure.sql": dump, "0001_a.sql": "SELECT 1;"}
    found = read(tmp_path, **files)
    assert sorted(len(chain) for chain in found) == [1, 1]
    assert {chain[0].up.layout for chain in found} == {"dump", "plain"}


def test_supabase_puts_a_transaction_around_each_file(tmp_path: Path) -> None:
    (chain,) = read(tmp_path, **{"supabase/migrations/20240101000000_a.sql": "SELECT 1;"})
    assert (chain[0].up.layout, chain[0].up.transactional) == ("supabase", True)


def test_flyway_searches_its_location_to_the_bottom(tmp_path: Path) -> None:
    files = {
        "db/migration/2024/V10__c.sql": "SELECT 3;",
        "db/migration/V2__b.sql": "SELECT 2;",
        "db/migration/R__view.sql": "SELECT 4;",
        "db/migration/afterMigrate.sql": "SELECT 5;",
    }
    found = read(tmp_path, **files)
    assert [[pair.up.id for pair in chain] for chain in found] == [
        ["V2__b", "V10__c", "R__view"],
        ["afterMigrate"],
    ]


def test_a_number_is_a_number_where_the_tool_reads_it_so(tmp_path: Path) -> None:
    goose = dict.fromkeys(("goose/2_a.sql", "goose/10_b.sql"), "-- +goose Up\nSELECT 1;")
    golang = dict.fromkeys(("golang/2_a.up.sql", "golang/10_b.up.sql"), "SELECT 1;")
    found = read(tmp_path, **goose, **golang)
    assert [[pair.up.id for pair in chain] for chain in found] == [["2_a", "10_b"]] * 2


def test_one_file_without_a_number_does_not_break_the_chain(tmp_path: Path) -> None:
    found = read(tmp_path, **dict.fromkeys(("1_a.sql", "2_b.sql", "seed.sql"), "SELECT 1;"))
    assert [len(chain) for chain in found] == [2, 1]


def test_rows_of_copy_are_data_and_what_follows_is_read(tmp_path: Path) -> None:
    text = (
        "COPY t (a, b) FROM stdin;\n1\tit's; a <b>\n\\N\tx\n\\.\n"
        "COPY empty FROM STDIN WITH (FORMAT csv);\n\\.\nDROP TABLE users;\n"
    )
    write_example(tmp_path, text)
    found = [(f.rule, f.line) for f in lint([tmp_path], with_squawk=False).findings]
    assert ("drop-table", 7) in found
    assert "syntax" not in {rule for rule, _ in found}


def test_encodings_are_told_once_and_hide_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_bytes("SELECT 1;".encode("utf-16"))
    (tmp_path / "2_b.sql").write_bytes(b"\xef\xbb\xbf-- migrate:up\nSELECT 1;\n-- migrate:down\n")
    (tmp_path / "3_c.sql").write_bytes(b"-- migrate:up\r\nSELECT 1;\r\n-- migrate:down\r\n")
    (tmp_path / "4_d.sql").write_bytes(b"SELECT '\xe9';")
    report = lint([tmp_path], with_squawk=False)
    told = [
        (f.path.name, f.message.split(":")[0]) for f in report.findings if f.rule == "file-encoding"
    ]
    assert [name for name, _ in told] == ["1_a.sql", "2_b.sql", "4_d.sql"]
    assert [message[:20] for _, message in told] == [
        "it is UTF-16, not UT",
        "a byte-order mark co",
        "byte 0xe9 is not UTF",
    ]
    assert [note for note in report.notes if "CRLF" in note and "3_c.sql" in note]


def test_a_way_back_that_cannot_be_read_does_not_hide_the_file(tmp_path: Path) -> None:
    read(tmp_path, **{"1_a/up.sql": "SET lock_timeout = '1s';\nDROP TABLE users;"})
    (tmp_path / "1_a" / "down.sql").write_bytes("SELECT 1;".encode("utf-16"))
    report = lint([tmp_path], with_squawk=False)
    assert [f.rule for f in report.findings] == ["file-encoding", "drop-table"]
    assert report.files == 2


def test_what_was_not_looked_at_is_told(tmp_path: Path) -> None:
    read(tmp_path, **{"1_a.up.sql": "SELECT 1;", "2_b.down.sql": "SELECT 1;"})
    (tmp_path / "3_c.go").touch()
    report = lint([tmp_path], with_squawk=False)
    assert report.files == 1
    assert [note for note in report.notes if "no .sql files" in note and "3_c.go" in note]
    assert [note for note in report.notes if "2_b.down.sql" in note]


def test_a_folder_without_sql_is_no_clean_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is nothing to lint: no \.sql file"):
        lint([tmp_path])


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


def test_files_for_other_databases_are_not_read(tmp_path: Path) -> None:
    for name in ("mysql", "sqlite3", "cockroach"):
        (tmp_path / f"20240101_a.{name}.up.sql").write_text("CREATE TABLE `t` (a int);\n")
    (tmp_path / "20240101_a.up.sql").write_text("DROP TABLE everything;\n")
    (tmp_path / "20240101_a.postgres.up.sql").write_text("CREATE TABLE t (a int);\n")
    (tmp_path / "20240101_a.postgres.down.sql").write_text("DROP TABLE t;\n")
    (tmp_path / "20240102_b.up.sql").write_text("CREATE TABLE u (a int);\n")
    (tmp_path / "20240102_b.down.sql").write_text("DROP TABLE u;\n")
    index = "DROP INDEX CONCURRENTLY IF EXISTS i;\nCREATE INDEX CONCURRENTLY i ON u (a);\n"
    (tmp_path / "20240103_c.postgres.autocommit.up.sql").write_text(index)
    (tmp_path / "20240103_c.autocommit.down.sql").write_text("DROP INDEX CONCURRENTLY i;\n")
    report = lint([tmp_path], with_squawk=False)
    assert report.findings == ()
    assert any("20240101_a.cockroach.up.sql" in note for note in report.notes)


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("2_b.mysql.up.sql", "1_a.up.sql"),
        ("2_b.mysql.autocommit.up.sql", "2_b.down.sql"),
        ("2_b.tx.mysql.up.sql", "2_b.up.sql"),
        ("2_b.tx.up.sql", "2_b.up.sql"),
        ("2_b.up.sql", "2_b.tx.up.sql"),
        ("2_b.up.sql", "2_b.postgres.up.sql"),
        ("2_b.tx.down.sql", "2_b.down.sql"),
    ],
)
def test_no_name_hides_a_migration(name: str, beside: str, tmp_path: Path) -> None:
    for other in ("2_b.up.sql", beside) if ".down" in name else (beside,):
        (tmp_path / other).write_text("CREATE TABLE t (a int);\n", encoding="utf-8")
    (tmp_path / name).write_text("DROP TABLE users CASCADE;\n", encoding="utf-8")
    found = {(f.rule, f.path.name) for f in lint([tmp_path], with_squawk=False).findings}
    both_back = ("duplicate-version", "2_b.up.sql")
    assert (both_back if ".down" in name else ("drop-cascade", name)) in found


_YOYO = {"0001_a.sql": "CREATE TABLE t (a int);", "0001_a.rollback.sql": "DROP TABLE t;"}
_GOOSE = {"1_a.sql": "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1;\n"}
_MIGRATE = {"1_a.sql": "-- +migrate Up\nSELECT 1;\n-- +migrate Down\nSELECT 1;\n"}
_DBMATE = {"1_a.sql": "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n"}
_NODE = {"1_a.sql": "-- Up Migration\nSELECT 1;\n-- Down Migration\nSELECT 1;\n"}
_PLAIN = {"0001_a.sql": "SELECT 1;", "0002_b.sql": "SELECT 1;"}
_LIQUIBASE = {"a.sql": "--liquibase formatted sql\n--changeset a:1\nSELECT 1;\n"}
_DROP = "DROP TABLE users CASCADE;\n"


@pytest.mark.parametrize(
    ("others", "name", "text"),
    [
        (_YOYO, "0002_b.sql", f"SELECT 1;\n-- migrate:down\n{_DROP}"),
        (_YOYO, "0002_b.sql", f"SELECT 1;\n-- down migration\n{_DROP}"),
        (_YOYO, "0002_b.sql", f"--liquibase formatted sql\n--changeset a:1 dbms:mysql\n{_DROP}"),
        (_YOYO, "0002_b.sql", f"-- Running downgrade a -> b\n{_DROP}"),
        (_YOYO, "U2__b.sql", _DROP),
        (_YOYO, "0002_b.down.sql", _DROP),
        (_YOYO, "0002_window_b.sql", "ALTER TABLE users ALTER a TYPE bigint;\n"),
        (_YOYO, "0002_b.sql", f"SELECT a AS\ncopy\nFROM stdin;\n{_DROP}"),
        (_PLAIN, "0003_c.sql", f"-- migrate:up\nSELECT 1;\n-- migrate:down\n{_DROP}"),
        ({"a.up.sql": "", "a.down.sql": ""}, "2_b.up.sql", f"SELECT 1;\n-- migrate:down\n{_DROP}"),
        (_GOOSE, "2_b.sql", f"-- +goose Up\nSELECT 1;\n-- +goose Down the road\n{_DROP}"),
        (_GOOSE, "2_b.sql", f"-- +goose Up\nSELECT 1;\n-- migrate:down\n{_DROP}"),
        (_MIGRATE, "2_b.sql", f"-- +migrate Up\nSELECT 1;\n-- +migrate down\n{_DROP}"),
        (
            _MIGRATE,
            "2_b.sql",
            f"-- +migrate Up\n-- +migrate Down\nSELECT 1;\n-- +migrate Up\n{_DROP}",
        ),
        (_DBMATE, "2_b.sql", f"-- migrate:up\n-- MIGRATE:DOWN\n{_DROP}-- migrate:down\n"),
        (_DBMATE, "2_b.sql", f"-- migrate:up\n  -- migrate:down\n{_DROP}-- migrate:down\n"),
        (_NODE, "2_b.sql", f"SELECT 1;\n-- Down Migration\n{_DROP}"),
        (_NODE, "2_b.sql", f"-- Down Migration\n-- Up Migration\n-- Down Migration\n{_DROP}"),
        (_LIQUIBASE, "b.sql", f"--liquibase formatted sql\n--changeset a:2 dbms:!h2\n{_DROP}"),
        (_LIQUIBASE, "b.sql", f"--liquibase formatted sql\n--changeset a:2 dbms:all\n{_DROP}"),
        ({}, "supabase/migrations/20250101_b.rollback.sql", _DROP),
    ],
)
def test_what_only_another_tool_leaves_out_is_read(
    others: dict[str, str], name: str, text: str, tmp_path: Path
) -> None:
    read(tmp_path, **others, **{name: text})
    found = {(f.rule, f.path.name) for f in lint([tmp_path], with_squawk=False).findings}
    rule = "drop-cascade" if _DROP in text else "alter-column-type"
    assert (rule, Path(name).name) in found


def test_plain_files_with_numbers_are_a_chain(tmp_path: Path) -> None:
    first = "SET lock_timeout = '1s';\nALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;\n"
    assert rules(tmp_path, first) == {"not-valid-never-validated"}
    second = first + "-- file: 0002_b.sql\nALTER TABLE t VALIDATE CONSTRAINT c;"
    assert rules(tmp_path, second) == set()


def test_a_dot_in_a_name_is_no_schema(tmp_path: Path) -> None:
    write_example(
        tmp_path,
        "CREATE TABLE a.b (n int);\n-- file: 0002_b.sql\n"
        'CREATE TABLE "a.b" (n int);\nCREATE INDEX i ON a.b (n);\nCREATE INDEX i ON "a.b" (n);\n'
        '-- file: 0003_c.sql\nALTER TABLE "a.b" RENAME TO "c.d";\nDROP INDEX a.i;\nDROP TABLE c.d;',
    )
    found = lint([tmp_path], with_squawk=False).findings
    assert [(f.path.name, f.line) for f in found if f.rule == "create-index"] == [("0002_b.sql", 2)]
    (renamed,) = [f for f in found if f.rule == "rename-table"]
    assert renamed.message.startswith('clients that still say "a.b" fail')
    assert 'AS SELECT n FROM "c.d"' in renamed.instead
    assert {f.rule for f in found if f.line == 3} >= {"drop-table"}
    assert "not-there" not in {f.rule for f in found}
    # As the costs of a rehearsal are kept: by a table's name.
    assert told_name("a.b", "c") != told_name("a", "b.c")
    assert [told_name("public", "t"), told_name('a"b')] == ["public.t", '"a""b"']


def test_psql_commands_and_template_variables_are_no_errors(tmp_path: Path) -> None:
    text = "\\set ON_ERROR_STOP on\nSELECT :'name', :number;\nGRANT SELECT ON ${schema}.t TO app;\n"
    assert rules(tmp_path, text) == set()
    write_example(
        tmp_path,
        "SET lock_timeout = '1s';\nDROP TABLE {{ index .Options \"Namespace\" }}.users;\n"
        "INSERT INTO t (a) VALUES ('{{1,2},{3,4}}');\n",
    )
    (finding,) = lint([tmp_path], with_squawk=False).findings
    assert (finding.rule, "index__options__namespace" in finding.message) == ("drop-table", True)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '{{ '; DROP TABLE users CASCADE; SELECT ' }}';",
        "SELECT '${'; DROP TABLE users CASCADE; SELECT '}';",
        "SELECT 1 /* {{ */; DROP TABLE users CASCADE /* }} */;",
        "/* ${ */ DROP TABLE users CASCADE /* } */;",
        "-- {{ \rDROP TABLE users CASCADE -- }}\n;",
        "SELECT $${x}$$; DROP TABLE users CASCADE; SELECT $$x$$;",
        "SELECT $a${x}$a$; DROP TABLE users CASCADE; SELECT '$a__x_$a$';",
        "SELECT '\n\\'; DROP TABLE users CASCADE; SELECT '\n';",
        'SELECT 1 AS "\n\\"; DROP TABLE users CASCADE; SELECT 1 AS "\n";',
        "SELECT $$\n\\$$; DROP TABLE users CASCADE; SELECT $$\n$$;",
        "SELECT '\n\\a',\n'\nCOPY t FROM STDIN;\n'; DROP TABLE users CASCADE; SELECT '\n\\.\n';",
        "\\echo a \\\\ DROP TABLE users CASCADE;\n",
        "SELECT 1\n\\; DROP TABLE users CASCADE;\n",
        "SELECT 1 \\; DROP TABLE users CASCADE;\n",
        "/*\n\\a */ DROP TABLE users CASCADE; /*\n*/",
    ],
)
def test_what_looks_like_a_template_or_a_command_hides_no_sql(text: str, tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").write_text(text, encoding="utf-8", newline="")
    found = lint([tmp_path], with_squawk=False).findings
    assert "drop-cascade" in {f.rule for f in found}


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
    with pytest.raises(MigrationFileError, match=r"is not a \.sql file"):
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
    # Minutes each, where the time grows with the square of the length.
    (tmp_path / "lines.sql").write_text("--\n" * 200_000, encoding="utf-8")
    (tmp_path / "ways.sql").write_text("-- up migration\n" * 20_000, encoding="utf-8")
    (tmp_path / "nested.sql").write_text("/*" * 100_000 + "*/" * 100_000, encoding="utf-8")
    # The parser needs a stack for each step, and would end the process.
    for name, step in (("plus", "+1"), ("union", " UNION SELECT 1")):
        (tmp_path / f"{name}.sql").write_text(f"SELECT 1{step * 60_000};\n", encoding="utf-8")
    assert lint([tmp_path], with_squawk=False).files == 8
