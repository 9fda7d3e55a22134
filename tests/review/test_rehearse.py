"""Rehearsing migrations before they meet a live database."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from objects.things import STANDARD, things
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support import terminal
from support.databases import DatabaseFactory
from support.journey import Journey
from support.migration_files import write_migration
from support.runs import query, run_trueup

from runner.errors import RehearsalError, ScratchError
from runner.ledger.files import read_migrations
from runner.review import certificate as certificates
from runner.review.certificate import Certificate
from runner.review.rehearse import Options, rehearsal, rehearse
from runner.review.rehearse.live import Live, look


def rehearsed(live: str, files: Path, server_dsn: str) -> Certificate:
    return rehearse(live, read_migrations([files]), options=Options(rows=1000, scratch=server_dsn))


def test_a_rehearsal_on_a_sample_measures_and_extrapolates_to_the_live_size(
    live: str, files: Path, server_dsn: str
) -> None:
    before = query(live, "SELECT count(*) FROM pg_class")
    found = rehearsed(live, files, server_dsn)
    assert found.problems == ()
    assert query(live, "SELECT count(*) FROM pg_class") == before

    sizes = {size.relation: size for size in found.sizes}
    assert sizes["public.item"].live_rows == 4000
    small, large = sizes["public.item"].rows
    assert 0 < small < large < 4000

    added = found.cost("0001_expand_note")
    assert added is not None
    assert [(k.table, k.mode) for k in added.locks] == [("public.Order", "ACCESS EXCLUSIVE")]
    assert added.at_live is not None

    built = found.cost("0002_enforce_name")
    assert built is not None
    (statement,) = built.statements
    assert statement.sampled
    assert statement.at_live is not None
    assert statement.at_live.low <= statement.at_live.likely <= statement.at_live.high
    assert statement.locks[0].mode == "SHARE UPDATE EXCLUSIVE"
    assert found.cost("0002_enforce_name", "down") is not None


def test_the_clients_of_the_rehearsal_see_no_failure_of_safe_files(
    live: str, files: Path, server_dsn: str
) -> None:
    load = rehearsed(live, files, server_dsn).load
    assert load is not None
    assert load.queries > 50
    assert load.errors == ()
    assert [span.direction for span in load.files] == ["up", "up", "down", "down"]


def test_rows_are_made_up_where_none_may_be_read(live: str, files: Path, server_dsn: str) -> None:
    options = Options(rows=500, scratch=server_dsn, made_up=True)
    found = rehearse(live, read_migrations([files]), options=options)
    assert found.problems == ()
    assert "made-up" in found.schema_from
    assert max(size.rows[-1] for size in found.sizes) == 500


@pytest.fixture
def plain(server_dsn: str, database: str) -> Iterator[str]:
    """A database whose role is no superuser, and owns all that is in it."""
    query(server_dsn, "CREATE ROLE trueup_test_backup LOGIN")
    name = conninfo_to_dict(database)["dbname"]
    query(server_dsn, f'ALTER DATABASE "{name}" OWNER TO trueup_test_backup')
    query(database, "ALTER SCHEMA public OWNER TO trueup_test_backup")
    yield make_conninfo(database, user="trueup_test_backup")
    query(server_dsn, f'DROP DATABASE "{name}" WITH (FORCE)')
    query(server_dsn, "DROP ROLE trueup_test_backup")


def test_a_restored_backup_is_rehearsed_on_as_it_is(
    live: str, files: Path, server_dsn: str, plain: str, make_shop: Callable[[str], None]
) -> None:
    make_shop(plain)
    options = Options(scratch=server_dsn, backup=plain)
    found = rehearse(live, read_migrations([files]), options=options)
    assert found.problems == ()
    assert {size.relation: size.rows for size in found.sizes} == {
        "public.Order": (4000,),
        "public.item": (4000,),
    }
    # It was given for that, and it is not dropped.
    assert query(plain, "SELECT count(*) FROM item") == [(4000,)]


def test_no_file_runs_in_a_backup_as_a_superuser(live: str, files: Path, server_dsn: str) -> None:
    options = Options(scratch=server_dsn, backup=live)
    with pytest.raises(ScratchError, match="read files and start programs") as raised:
        rehearse(live, read_migrations([files]), options=options)
    assert "--role" in raised.value.hint


def test_the_files_of_the_base_need_no_rollback(tmp_path: Path, server_dsn: str) -> None:
    write_migration(tmp_path, "0001_a", "CREATE TABLE public.a (id int PRIMARY KEY);", None)
    write_migration(
        tmp_path,
        "0002_b",
        "ALTER TABLE public.a ADD COLUMN b int;",
        "ALTER TABLE public.a DROP COLUMN b;",
        depends="0001_a",
    )
    options = Options(rows=100, scratch=server_dsn, base="0001_a")
    found = rehearse(None, read_migrations([tmp_path]), options=options)
    assert found.problems == ()
    assert list(found.files) == ["0002_b"]


VIEWS = """
CREATE TABLE public.a (id int PRIMARY KEY);
CREATE MATERIALIZED VIEW public.filled AS SELECT id FROM public.a;
CREATE MATERIALIZED VIEW public.empty AS SELECT id FROM public.a WITH NO DATA;
"""


@pytest.mark.parametrize("from_files", [True, False], ids=["files", "live"])
def test_materialized_views_hold_data_where_they_did(
    tmp_path: Path, database_factory: DatabaseFactory, server_dsn: str, from_files: bool
) -> None:
    again = """
        DROP MATERIALIZED VIEW public.filled, public.empty;
        CREATE MATERIALIZED VIEW public.filled AS SELECT id FROM public.a;
        CREATE MATERIALIZED VIEW public.empty AS SELECT id FROM public.a WITH NO DATA;
    """
    write_migration(tmp_path, "0002_again", again, again)
    if from_files:
        write_migration(tmp_path, "0001_views", VIEWS, None)
        dsn, options = None, Options(rows=100, scratch=server_dsn, base="0001_views")
    else:
        dsn, options = database_factory(), Options(rows=100, scratch=server_dsn)
        query(dsn, VIEWS)
    found = rehearse(dsn, read_migrations([tmp_path]), options=options)
    assert found.problems == ()
    # What is made again has the same name, so whoever reads it waits, on the way back too.
    back = found.cost("0002_again", "down")
    assert back is not None
    assert {k.table for k in back.locks if k.mode == "ACCESS EXCLUSIVE"} >= {"public.filled"}


def test_a_scratch_server_without_the_rights_is_one_clear_error(
    live: str, files: Path, server_dsn: str
) -> None:
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute("CREATE ROLE trueup_test_plain LOGIN")
    try:
        plain = make_conninfo(server_dsn, user="trueup_test_plain")
        with pytest.raises(ScratchError, match="not a superuser"):
            rehearse(live, read_migrations([files]), options=Options(scratch=plain))
    finally:
        with psycopg.connect(server_dsn, autocommit=True) as connection:
            connection.execute("DROP ROLE trueup_test_plain")


def test_a_schema_that_is_closed_to_the_role_is_one_clear_error(
    live: str, files: Path, server_dsn: str
) -> None:
    query(live, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
    query(server_dsn, "CREATE ROLE trueup_test_closed LOGIN")
    try:
        closed = make_conninfo(live, user="trueup_test_closed")
        with pytest.raises(RehearsalError, match="permission denied for") as raised:
            rehearse(closed, read_migrations([files]), options=Options(scratch=server_dsn))
        assert raised.value.hint.startswith("it needs SELECT on every table")
    finally:
        query(server_dsn, "DROP ROLE trueup_test_closed")


def test_each_hazard_of_a_hand_made_project_is_found(hazardous: Certificate) -> None:
    problems = "\n".join(hazardous.problems)
    assert 'relation "public.customers" does not exist' in problems
    assert "column note: type is 'character varying(150)', expected 'character varying(200)'" in (
        problems
    )
    filled = hazardous.cost("0002_add_order_channel")
    assert filled is not None
    update = filled.statements[1]
    assert update.dead_tuples == 2000
    # The lock of the first statement lasts through the UPDATE and the index.
    (lock,) = filled.statements[0].locks
    assert lock.mode == "ACCESS EXCLUSIVE"
    assert lock.held > update.seconds
    rewritten = hazardous.cost("0004_shorten_note")
    assert rewritten is not None
    assert rewritten.statements[0].touches[0].rewritten
    assert not hazardous.passed


def test_a_file_that_fails_is_reported_with_its_place(
    tmp_path: Path, live: str, server_dsn: str
) -> None:
    write_migration(tmp_path, "0001_expand_wrong", "ALTER TABLE public.item DROP COLUMN nam;")
    found = rehearsed(live, tmp_path, server_dsn)
    assert not found.passed
    assert '0001_expand_wrong.sql:3:1: column "nam" of relation "item"' in found.problems[0]


def test_a_missing_rollback_is_a_problem(tmp_path: Path, live: str, server_dsn: str) -> None:
    write_migration(tmp_path, "0001_expand_a", "CREATE TABLE public.a ();", rollback=None)
    found = rehearsed(live, tmp_path, server_dsn)
    assert found.problems == ("0001_expand_a has no rollback file: nothing proves a way back",)


def test_rows_that_do_not_come_back_are_a_problem(
    tmp_path: Path, live: str, server_dsn: str
) -> None:
    write_migration(tmp_path, "0001_backfill_lost", "UPDATE public.item SET name = 'lost';")
    found = rehearsed(live, tmp_path, server_dsn)
    assert found.problems == (
        "after the way down: table public.item: rows have other values than before",
    )


@pytest.mark.parametrize("switch", ["", 'switch = "expand"\n'])
def test_what_follows_expand_is_rehearsed_from_there(
    database_factory: DatabaseFactory, tmp_path: Path, server_dsn: str, switch: str
) -> None:
    service = Journey(database_factory, tmp_path).start(things(), switch + STANDARD)
    service.up("expand")
    after = ("enforce", "switch", "contract")
    files = [m for m in service.migrations("online") if m.phase not in after]
    assert files[-1].phase == "backfill"
    options = Options(rows=100, scratch=server_dsn, clients=False)
    assert rehearse(service.dsn, files, options=options).problems == ()


# What no operator of PostgreSQL fits exactly, and a query of ours would take.
TRAP = """
    CREATE TABLE public.sprung (at timestamptz);
    CREATE FUNCTION public.divided(real, integer) RETURNS float8 LANGUAGE sql
        AS $$ INSERT INTO public.sprung VALUES (now()); SELECT 1.0::float8 $$;
    CREATE OPERATOR public./ (FUNCTION = public.divided, LEFTARG = real, RIGHTARG = integer);
"""
# Whose policy would run with the rights of who reads it.
BAIT = """
    CREATE FUNCTION public.sprung() RETURNS boolean LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'a policy ran'; END $$;
    CREATE TABLE public.bait (id int);
    ALTER TABLE public.bait ENABLE ROW LEVEL SECURITY;
    CREATE POLICY hides ON public.bait USING (public.sprung());
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO pg_monitor;
"""
TO_EVERYBODY = """
    SELECT relname FROM pg_class CROSS JOIN LATERAL aclexplode(relacl) AS a
    WHERE a.grantee = 0 AND relname ~ '^(_yoyo_|yoyo_lock$|ledger$|rehearsal$)'
"""


def test_the_command_rehearses_records_and_applies(live: str, files: Path, server_dsn: str) -> None:
    query(live, TRAP)
    query(live, "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC")
    where = ("--sources", str(files))
    for how in ((), ("--dry-run",)):
        refused = run_trueup("apply", *where, *how, "--require-rehearsal", dsn=live)
        assert refused.returncode == 1
        assert "no rehearsal is stored in the database" in refused.stderr
        assert "Traceback" not in refused.stderr

    certificate = files / "certificate.json"
    done = run_trueup(
        *("rehearse", *where, "--rows", "500", "--scratch", server_dsn),
        *("--output", str(certificate), "--record"),
        dsn=live,
    )
    assert done.returncode == 0, done.stderr
    assert "passed: up, down, up and down" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr

    # A part of it, then the rest: the schema between is known too.
    first = ("--to", "0001_expand_note")
    applied = run_trueup("apply", *where, *first, "--require-rehearsal", dsn=live)
    assert applied.returncode == 0, applied.stderr
    rest = run_trueup("apply", *where, "--require-rehearsal", str(certificate), dsn=live)
    assert rest.returncode == 0, rest.stderr
    assert query(live, "SELECT to_regclass('public.item_name') IS NOT NULL") == [(True,)]
    assert query(live, TO_EVERYBODY) == []
    assert query(live, "SELECT * FROM sprung") == []


def test_no_policy_runs_with_the_rights_of_who_rehearses(
    live: str, files: Path, server_dsn: str
) -> None:
    query(live, BAIT)
    reader = make_conninfo(live, options="-c role=pg_monitor")
    options = Options(rows=10, scratch=server_dsn, clients=False)
    found = rehearse(reader, read_migrations([files]), options=options)
    assert found.passed, found.problems
    assert "no rows of public.bait: row security hides some from this role" in found.notes


def test_a_failed_rehearsal_exits_with_1_and_keeps_its_certificate(
    tmp_path: Path, live: str, server_dsn: str
) -> None:
    files = tmp_path / "migrations"
    in_use = "RAISE 'still in use' USING ERRCODE = '55006', DETAIL = clock_timestamp()::text"
    write_migration(files, "0001_contract_item", f"DO $$ BEGIN {in_use}; END $$;")
    output = tmp_path / "certificate.json"
    done = terminal.run(
        [
            *(sys.executable, "-m", "runner", "rehearse", "--sources", str(files)),
            *("--dsn", live, "--scratch", server_dsn, "--output", str(output), "--no-clients"),
        ],
        columns=80,
        lines=24,
        environment={"NO_COLOR": "1"},
    )
    seen = "\n".join(done.seen(columns=200))
    assert done.exit_code == 1
    assert "FAILED:" in seen
    assert seen.count("(SQLSTATE 55006)") == 1  # although it failed on either sample
    assert "trueup rehearse --to switch" in seen
    assert not terminal.COLOR.search(done.text)
    assert not certificates.read_file(output).passed


def test_another_version_than_the_live_one_is_told_with_the_result(
    files: Path, live: str, server_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(*arguments: Any) -> Live:
        found = look(*arguments)
        found.server = 120_007
        return found

    monkeypatch.setattr(rehearsal, "look", older)
    options = Options(rows=10, scratch=server_dsn, clients=False)
    found = rehearse(live, read_migrations([files])[:1], options=options)
    assert "the live database runs 12, so" in "\n".join(found.notes)


def test_nothing_pending_is_said_so(tmp_path: Path, server_dsn: str) -> None:
    write_migration(tmp_path, "0001_baseline_all", "SELECT 1;")
    done = run_trueup("rehearse", "--sources", str(tmp_path), "--scratch", server_dsn)
    assert done.returncode == 2
    assert "nothing is pending" in done.stderr


def test_owners_are_those_of_the_live_database_as_far_as_they_are_no_superusers(
    database: str, server_dsn: str, tmp_path: Path
) -> None:
    """A superuser gives a view to the owner of its table, in a schema closed to that owner."""
    query(server_dsn, 'CREATE ROLE "trueup test owner"')
    try:
        query(
            database,
            "CREATE SCHEMA shop; CREATE TABLE shop.a (id int PRIMARY KEY);"
            "CREATE TABLE shop.b (id int PRIMARY KEY);"
            'ALTER TABLE shop.a OWNER TO "trueup test owner"',
        )
        views = """
            DO $$ DECLARE t record; BEGIN
                FOR t IN SELECT relname, relowner::regrole AS owner FROM pg_class
                    WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r'
                LOOP
                    EXECUTE format('CREATE VIEW shop.%I AS SELECT id FROM shop.%I',
                        t.relname || '_view', t.relname);
                    EXECUTE format('ALTER VIEW shop.%I OWNER TO %s', t.relname || '_view', t.owner);
                END LOOP;
            END $$;
        """
        write_migration(tmp_path, "0001_views", views, "DROP VIEW shop.a_view, shop.b_view;")
        found = rehearse(database, read_migrations([tmp_path]), options=Options(rows=20))
        assert found.problems == ()
        assert not [note for note in found.notes if note.startswith("not in the scratch copy")]
    finally:
        query(database, "DROP SCHEMA IF EXISTS shop CASCADE")
        query(server_dsn, 'DROP ROLE "trueup test owner"')


@pytest.mark.parametrize("own", [True, False], ids=["embedded", "named"])
def test_a_view_of_a_superuser_that_is_made_again_is_the_same_after_the_way_down(
    own: bool, live: str, tmp_path: Path, server_dsn: str
) -> None:
    view = 'CREATE VIEW public.shut AS SELECT id FROM public."Order" WHERE state = {};'
    query(live, view.format("'shut'").encode())  # type: ignore[arg-type]
    ((owner,),) = query(live, "SELECT quote_ident(current_user)")
    again = f"DROP VIEW public.shut;\n{view}\nALTER VIEW public.shut OWNER TO {owner};"
    write_migration(
        tmp_path, "0001_expand_view", again.format("upper('shut')"), again.format("'shut'")
    )
    scratch = None if own else server_dsn
    found = rehearse(live, read_migrations([tmp_path]), options=Options(rows=50, scratch=scratch))
    assert found.problems == ()
