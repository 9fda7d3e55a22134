"""Migrations of any team's tool are planned and rehearsed as that tool runs them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.databases import DatabaseFactory
from support.processes import eventually
from support.runs import query, run_trueup

from runner.errors import LedgerError, MigrationFileError, UsageError
from runner.layouts.migrations import read_migrations
from runner.postgres.connect import connect
from runner.postgres.plain import Allowance
from runner.review.plan import make_plan
from runner.review.rehearse import Options, rehearse
from runner.review.rehearse.run import run_file

CREATE = "CREATE TABLE public.shop (id bigint PRIMARY KEY);\n"
ADD = "ALTER TABLE public.shop ADD COLUMN note text;\n"
DROP = "ALTER TABLE public.shop DROP COLUMN note;\n"

BOTH_WAYS = {
    "dbmate": {
        "20240101_a.sql": f"-- migrate:up\n{CREATE}-- migrate:down\nDROP TABLE public.shop;\n",
        "20240102_b.sql": f"-- migrate:up\n{ADD}-- migrate:down\n{DROP}",
    },
    "goose": {
        "9_a.sql": f"-- +goose Up\n{CREATE}-- +goose Down\nDROP TABLE public.shop;\n",
        "10_b.sql": f"-- +goose Up\n{ADD}-- +goose Down\n{DROP}",
    },
    "node-pg-migrate": {
        "1700_a.sql": f"-- Up Migration\n{CREATE}-- Down Migration\nDROP TABLE public.shop;\n",
        "1701_b.sql": f"-- Up Migration\n{ADD}-- Down Migration\n{DROP}",
    },
    "diesel": {
        "2024-01-01-000000_a/up.sql": CREATE,
        "2024-01-01-000000_a/down.sql": "DROP TABLE public.shop;",
        "2024-01-02-000000_b/up.sql": ADD,
        "2024-01-02-000000_b/down.sql": DROP,
    },
    "up-down": {
        "001_a.up.sql": CREATE,
        "001_a.down.sql": "DROP TABLE public.shop;",
        "002_b.up.sql": ADD,
        "002_b.down.sql": DROP,
    },
    "sqitch": {
        "sqitch.plan": "%project=x\n\nshop/z 2024-01-01 A <a@b>\nshop/a 2024-01-02 A <a@b>\n",
        "deploy/shop/z.sql": f"BEGIN;\n{CREATE}COMMIT;\n",
        "revert/shop/z.sql": "BEGIN;\nDROP TABLE public.shop;\nCOMMIT;\n",
        "deploy/shop/a.sql": f"BEGIN;\n{ADD}COMMIT;\n",
        "revert/shop/a.sql": f"BEGIN;\n{DROP}COMMIT;\n",
        "verify/shop/a.sql": "SELECT note FROM public.shop WHERE false;\n",
    },
    "liquibase": {
        "shop.sql": f"--liquibase formatted sql\n--changeset ann:a\n{CREATE}"
        f"--rollback DROP TABLE public.shop;\n--changeset ann:b\n{ADD}--rollback {DROP}",
    },
}
ONE_WAY = {
    "prisma": {
        "20240101000000_a/migration.sql": CREATE,
        "20240102000000_b/migration.sql": ADD,
    },
    "flyway": {"V9__a.sql": CREATE, "V10__b.sql": ADD},
    "supabase": {
        "supabase/migrations/20240101000000_a.sql": CREATE,
        "supabase/migrations/20240102000000_b.sql": ADD,
    },
    "django": {
        "0001_a.sql": f"BEGIN;\n--\n-- Create model\n--\n{CREATE}COMMIT;\n",
        "0002_b.sql": f"BEGIN;\n--\n-- Add field\n--\n{ADD}COMMIT;\n",
    },
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("tool", BOTH_WAYS)
def test_each_direction_runs_from_where_the_tool_has_it(
    tmp_path: Path, server_dsn: str, tool: str
) -> None:
    found = read_migrations([write(tmp_path, BOTH_WAYS[tool])])
    first, second = found
    assert [[s.text.strip() for s in m.statements] for m in found] == [
        [CREATE.strip()],
        [ADD.strip()],
    ]
    options = Options(rows=100, scratch=server_dsn, base=first.id, clients=False)
    certificate = rehearse(None, found, options=options)
    assert certificate.problems == ()
    assert list(certificate.files) == [second.id]
    assert certificate.cost(second.id, "down") is not None
    assert not [note for note in certificate.notes if "up only" in note]


@pytest.mark.parametrize("tool", ONE_WAY)
def test_a_project_that_goes_forward_only_is_rehearsed_up_and_says_so(
    tmp_path: Path, server_dsn: str, tool: str
) -> None:
    found = read_migrations([write(tmp_path, ONE_WAY[tool])])
    first, second = found
    assert [m.transactional for m in found] == [True, True]
    options = Options(rows=100, scratch=server_dsn, base=first.id, clients=False)
    certificate = rehearse(None, found, options=options)
    assert certificate.problems == ()
    assert certificate.cost(second.id, "down") is None
    (note,) = [note for note in certificate.notes if "up only" in note]
    assert "1 file of 1 without a way back" in note


def test_a_way_back_that_does_not_lead_back_is_found(tmp_path: Path, server_dsn: str) -> None:
    files = BOTH_WAYS["goose"] | {"10_b.sql": f"-- +goose Up\n{ADD}-- +goose Down\nSELECT 1;\n"}
    found = read_migrations([write(tmp_path, files)])
    options = Options(rows=100, scratch=server_dsn, base="9_a", clients=False)
    assert not rehearse(None, found, options=options).passed


def test_each_direction_has_a_transaction_of_its_own(tmp_path: Path, server_dsn: str) -> None:
    index = (
        "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON public.shop (id);\n"
        "-- migrate:down\nSET LOCAL lock_timeout = '1s';\nDROP INDEX public.i;\n"
    )
    files = BOTH_WAYS["dbmate"] | {"20240103_c.sql": index}
    found = read_migrations([write(tmp_path, files)])
    options = Options(rows=100, scratch=server_dsn, base="20240102_b", clients=False)
    certificate = rehearse(None, found, options=options)
    assert certificate.problems == ()
    assert (found[2].transactional, found[2].rollback_transactional) == (False, True)


@pytest.mark.parametrize(
    ("table", "rows", "tool", "applied"),
    [
        (
            "goose_db_version (id int, version_id bigint, is_applied bool)",
            "(1, 0, true), (2, 9, true), (3, 10, true), (4, 10, false)",
            "goose",
            1,
        ),
        ("schema_migrations (version text)", "('20240101')", "dbmate", 1),
        ("schema_migrations (version bigint, dirty bool)", "(2, false)", "up-down", 2),
        (
            "_prisma_migrations (migration_name text, finished_at date, rolled_back_at date)",
            "('20240101000000_a', now(), NULL), ('20240102000000_b', NULL, NULL)",
            "prisma",
            1,
        ),
        ("flyway_schema_history (script text, success bool)", "('V9__a.sql', true)", "flyway", 1),
        ("__diesel_schema_migrations (version text)", "('20240101000000')", "diesel", 1),
        ("pgmigrations (name text)", "('1700_a')", "node-pg-migrate", 1),
        ("databasechangelog (id text, author text)", "('a', 'ann')", "liquibase", 1),
    ],
)
def test_what_the_tool_has_applied_is_not_planned_again(
    tmp_path: Path,
    database_factory: DatabaseFactory,
    table: str,
    rows: str,
    tool: str,
    applied: int,
) -> None:
    dsn = database_factory()
    query(dsn, f"CREATE TABLE public.{table}")
    query(dsn, f"INSERT INTO public.{table.partition(' ')[0]} VALUES {rows}")
    found = read_migrations([write(tmp_path, (BOTH_WAYS | ONE_WAY)[tool])])
    plan = make_plan(dsn, found)
    assert [file.migration for file in plan.files] == [m.id for m in found[applied:]]


def test_a_table_of_that_name_of_somebody_else_tells_and_runs_nothing(
    tmp_path: Path, database_factory: DatabaseFactory
) -> None:
    dsn = database_factory()
    query(
        dsn,
        "CREATE SCHEMA app; CREATE TABLE app.pgmigrations (name text);"
        "INSERT INTO app.pgmigrations VALUES ('1700_a');"
        "CREATE SCHEMA a AUTHORIZATION pg_monitor; CREATE TABLE a.pgmigrations (name text);"
        "INSERT INTO a.pgmigrations SELECT name FROM unnest('{1700_a,1701_b}'::text[]) AS name;"
        "ALTER TABLE a.pgmigrations OWNER TO pg_monitor",
    )
    found = read_migrations([write(tmp_path, BOTH_WAYS["node-pg-migrate"])])
    assert [file.migration for file in make_plan(dsn, found).files] == [m.id for m in found[1:]]
    # Its policies would run with the rights of who looks.
    query(dsn, "DROP TABLE app.pgmigrations; ALTER TABLE a.pgmigrations ENABLE ROW LEVEL SECURITY")
    with pytest.raises(LedgerError, match=r"a\.pgmigrations is not the plain table"):
        make_plan(dsn, found)


def test_a_version_that_failed_is_no_base_to_plan_from(
    tmp_path: Path, database_factory: DatabaseFactory
) -> None:
    dsn = database_factory()
    query(dsn, "CREATE TABLE schema_migrations (version bigint, dirty bool)")
    query(dsn, "INSERT INTO schema_migrations VALUES (1, true)")
    with pytest.raises(LedgerError, match="version 1 failed"):
        make_plan(dsn, read_migrations([write(tmp_path, BOTH_WAYS["up-down"])]))


def test_what_lies_below_a_source_of_yoyo_does_not_make_it_another_tool_s(tmp_path: Path) -> None:
    files = {"0001_a.sql": CREATE, "0001_a.rollback.sql": "DROP TABLE public.shop;"}
    write(tmp_path, files | {"scripts/x.sql": "BEGIN;\nSELECT 1;\nCOMMIT;\n"})
    (found,) = read_migrations([tmp_path])
    assert (found.id, found.of_another_tool) == ("0001_a", False)


def test_what_only_the_tool_knows_is_not_run_as_something_else(tmp_path: Path) -> None:
    with pytest.raises(MigrationFileError, match=r"V1__a\.sql:1: what \$\{schema\} stands for"):
        read_migrations([write(tmp_path / "a", {"V1__a.sql": "CREATE TABLE ${schema}.t ();"})])
    with pytest.raises(MigrationFileError, match=r"what \{\{ \.Schema \}\} stands for"):
        read_migrations([write(tmp_path / "p", {"1_a.up.sql": "CREATE TABLE {{ .Schema }}.t ();"})])
    with pytest.raises(MigrationFileError, match=r"the psql command \\i runs what is not in"):
        read_migrations([write(tmp_path / "b", {"deploy/a.sql": "\\i other.sql\n"})])
    (kept,) = read_migrations([write(tmp_path / "c", {"1_a/migration.sql": "SELECT '${x}';"})])
    assert kept.text == "SELECT '${x}';"
    write(tmp_path / "d", {"1_a.sql": "-- +goose Up\nSELECT 1;"})
    (tmp_path / "d" / "2_b.go").touch()
    with pytest.raises(MigrationFileError, match=r"2_b\.go is a migration that is no .sql file"):
        read_migrations([tmp_path / "d"])


def test_without_a_base_the_way_on_is_told(tmp_path: Path) -> None:
    found = read_migrations([write(tmp_path, ONE_WAY["prisma"])])
    with pytest.raises(UsageError, match=r"no migration is called 'baseline'[^$]*--base names"):
        rehearse(None, found, options=Options())


def test_the_command_takes_any_layout(tmp_path: Path) -> None:
    write(tmp_path, ONE_WAY["prisma"])
    done = run_trueup("plan", "--sources", str(tmp_path), "--layout", "prisma")
    assert done.returncode == 0
    assert "20240102000000_b" in done.stdout
    done = run_trueup("plan", "--sources", str(tmp_path), "--layout", "word")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no layout 'word'" in done.stderr


def test_what_a_file_without_a_transaction_committed_is_not_done_again(
    tmp_path: Path, database_factory: DatabaseFactory
) -> None:
    dsn = database_factory()
    query(dsn, CREATE)
    query(dsn, "CREATE TABLE public.seen (at timestamptz)")
    (tmp_path / "1_a.sql").write_text(
        "-- +goose NO TRANSACTION\n-- +goose Up\n"
        f"INSERT INTO public.seen VALUES (now());\n{ADD}-- +goose Down\n{DROP}",
        encoding="utf-8",
    )
    (migration,) = read_migrations([tmp_path])
    with connect(dsn, application_name="holder") as holder, ThreadPoolExecutor(1) as pool:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE public.shop IN ACCESS SHARE MODE")
        running = pool.submit(run_file, dsn, migration, "up", Allowance())
        waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> %s"
        backend = holder.info.backend_pid
        eventually(lambda: bool(query(dsn, "TABLE public.seen")))
        eventually(lambda: bool(holder.execute(waits, [backend]).fetchall()))
        eventually(lambda: not holder.execute(waits, [backend]).fetchall())
        holder.execute("COMMIT")
        ran = running.result(timeout=60)
    assert ran.attempts > 1
    assert query(dsn, "SELECT count(*) FROM public.seen") == [(1,)]
    assert len(ran.traces) == 2
