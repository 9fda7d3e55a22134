"""The gate fails safe: what a server forgot, does not count or cannot know never opens it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg
import pytest
from psycopg import sql
from support.processes import eventually
from support.runs import query
from support.variants import SHIPPED, Service

from runner.postgres.binaries import find_binaries
from runner.postgres.embedded import FAST, EmbeddedServer, start_server
from runner.workload.recorded import read_recorded

VIEW = "public.models"


@pytest.fixture(scope="module")
def own() -> Iterator[EmbeddedServer]:
    """A server that tests may crash, with pg_stat_statements where there is one."""
    library = find_binaries().directory.parent.glob("lib/**/pg_stat_statements.so")
    preloaded = {"shared_preload_libraries": "pg_stat_statements"} if any(library) else {}
    settings = {**FAST, **preloaded, "max_prepared_transactions": "2"}
    with start_server(settings=settings) as server:
        server.create_database("live")
        Service(server.dsn("live"), SHIPPED).up("switch")
        yield server


@pytest.fixture
def live(own: EmbeddedServer) -> str:
    """A database after the switch, whose counters have just been read."""
    dsn = own.dsn("live")
    read(dsn)
    assert gate(dsn) == ""
    return dsn


@contextmanager
def session(dsn: str, role: str = "") -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        if role:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        yield connection


def run(dsn: str, *statements: str) -> None:
    """What one client does; what it counted can be seen when it is gone."""
    with session(dsn) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        pid, version = connection.info.backend_pid, connection.info.server_version
    there = "SELECT FROM pg_stat_activity WHERE pid = %s"
    eventually(lambda: query(dsn, there, pid) == [])
    if version < 150000:
        time.sleep(1.2)  # a process of its own writes what was counted


def read(dsn: str) -> None:
    run(dsn, f"CALL trueup.read_odometer('{VIEW}')")


def use_as_often_as_read(dsn: str, times: int) -> None:
    """The counter of a server that forgot shows what was read, though it was used meanwhile."""
    shows = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'models_used'"
    ((now,),) = query(dsn, shows)
    run(dsn, *["SELECT FROM models"] * (times - now))
    assert query(dsn, shows) == [(times,)]


def times_read(dsn: str) -> int:
    ((queries,),) = query(dsn, "SELECT queries FROM trueup.odometer WHERE compat_view = %s", VIEW)
    assert isinstance(queries, int)
    return queries


def gate(dsn: str, waiting_period: str = "0") -> str:
    """Why the gate is shut, in the words of the file; empty when it is open."""
    with session(dsn) as connection:
        connection.execute(
            "SELECT set_config('trueup.waiting_period', %s, false)", [waiting_period]
        )
        try:
            connection.execute("CALL trueup.require_unused(%s)", [VIEW])
        except psycopg.errors.ObjectInUse as error:
            return f"{error.diag.message_primary}\n{error.diag.message_hint}"
    return ""


UNUSED_SINCE = (
    "SELECT CASE WHEN bool_and(unused_since IS NOT NULL) THEN max(unused_since) END"
    " FROM trueup.witnesses(%s)"
)


def unused_since(dsn: str) -> datetime | None:
    ((since,),) = query(dsn, UNUSED_SINCE, VIEW)
    assert since is None or isinstance(since, datetime)
    return since


def said(dsn: str, witness: str) -> str:
    """What a witness says, after `not heard` where it was not."""
    ((heard, says),) = query(
        dsn, "SELECT heard, says FROM trueup.witnesses(%s) WHERE witness = %s", VIEW, witness
    )
    return f"{says}" if heard else f"not heard: {says}"


# What makes a server forget


def kill_a_backend(own: EmbeddedServer) -> None:
    other = psycopg.connect(own.dsn(), autocommit=True)
    with psycopg.connect(own.dsn()) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        # The server ends every session before it starts again.
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT pg_sleep(60)")

    def is_up() -> bool:
        try:
            return query(own.dsn(), "SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    eventually(is_up)


def stop_immediately(own: EmbeddedServer) -> None:
    own.crash()
    own.restart()


@pytest.mark.parametrize("end", [kill_a_backend, stop_immediately])
def test_a_crash_loses_the_reading_with_the_counters(
    own: EmbeddedServer, live: str, end: Callable[[EmbeddedServer], None]
) -> None:
    times = times_read(live)
    end(own)
    shut = gate(live)
    assert "counter: has no reading" in shut
    assert "trueup status" in shut
    assert f"CALL trueup.read_odometer('{VIEW}')" in shut
    use_as_often_as_read(live, times)
    assert "counter: has no reading" in gate(live)
    read(live)
    assert gate(live) == ""


def test_a_clean_restart_forgets_nothing(own: EmbeddedServer, live: str) -> None:
    before = unused_since(live)
    assert before is not None
    own.restart()
    assert unused_since(live) == before
    run(live, "SELECT FROM models")
    assert unused_since(live) != before


def test_a_reading_is_compared_whatever_the_settings_of_a_session(live: str) -> None:
    run(live, "SELECT pg_stat_reset()")  # from now on there is a date in it
    read(live)
    with session(live) as connection:
        connection.execute("SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German'")
        connection.execute("SET IntervalStyle = 'iso_8601'; SET standard_conforming_strings = off")
        connection.execute("SET trueup.waiting_period = 0; SET search_path = ''")
        connection.execute(f"CALL trueup.require_unused('{VIEW}')")


@pytest.mark.parametrize(
    "reset",
    [
        "SELECT pg_stat_reset()",
        "SELECT pg_stat_reset_single_table_counters('trueup.models_used'::regclass)",
    ],
)
def test_a_reset_of_the_counters_shuts_the_gate(live: str, reset: str) -> None:
    run(live, reset)
    assert "counter: is not the one that was read" in gate(live)
    use_as_often_as_read(live, times_read(live))
    assert "counter: is not the one that was read" in gate(live)


def test_a_reset_of_other_counters_does_not(live: str) -> None:
    run(live, "SELECT pg_stat_reset_shared('bgwriter')", "SELECT pg_stat_reset_slru(NULL)")
    assert gate(live) == ""


def test_a_copy_of_the_database_proves_nothing(own: EmbeddedServer, live: str) -> None:
    eventually(
        lambda: query(own.dsn(), "SELECT FROM pg_stat_activity WHERE datname = 'live'") == []
    )
    own.create_database("copy", template="live")
    copy = own.dsn("copy")
    assert "counter: is not the one that was read" in gate(copy)
    use_as_often_as_read(copy, times_read(copy))
    assert "counter: is not the one that was read" in gate(copy)
    own.drop_database("copy")


def test_a_restored_dump_proves_nothing(own: EmbeddedServer, live: str) -> None:
    programs = own.binaries.directory
    if not (programs / "pg_dump").exists() or not (programs / "psql").exists():
        pytest.skip("this PostgreSQL installation has no pg_dump, or no psql")
    own.create_database("restored")
    restored = own.dsn("restored")
    dump = subprocess.run([programs / "pg_dump", live], capture_output=True, check=True)
    subprocess.run(
        [programs / "psql", "-qX", "-v", "ON_ERROR_STOP=1", restored],
        input=dump.stdout,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    assert query(restored, "SELECT compat_view FROM trueup.odometer WHERE compat_view = %s", VIEW)
    use_as_often_as_read(restored, times_read(restored))
    assert "counter: is not the one that was read" in gate(restored)
    own.drop_database("restored")


# What is not counted


OFF = {
    "the database": (
        "ALTER DATABASE live SET track_counts = off",
        "ALTER DATABASE live RESET track_counts",
    ),
    "role quiet": (
        "ALTER ROLE quiet SET track_counts = 'f'",
        "ALTER ROLE quiet RESET track_counts",
    ),
    "role loud": (
        "ALTER ROLE loud IN DATABASE live SET track_counts = off",
        "ALTER ROLE loud IN DATABASE live RESET track_counts",
    ),
    "function public.hush()": (
        "CREATE FUNCTION public.hush() RETURNS void LANGUAGE sql SET track_counts = off"
        " AS 'SELECT'",
        "DROP FUNCTION public.hush()",
    ),
    "this session": (
        "ALTER SYSTEM SET track_counts = off",
        "ALTER SYSTEM RESET track_counts",
    ),
}


@pytest.fixture
def roles(own: EmbeddedServer) -> Iterator[None]:
    run(own.dsn(), "CREATE ROLE quiet LOGIN", "CREATE ROLE loud LOGIN")
    yield
    run(own.dsn("live"), "DROP OWNED BY quiet, loud", "DROP ROLE quiet", "DROP ROLE loud")


@pytest.mark.parametrize("place", OFF)
@pytest.mark.usefixtures("roles")
def test_track_counts_that_is_off_anywhere_shuts_the_gate(live: str, place: str) -> None:
    set_off, set_on = OFF[place]
    on = query(live, "SHOW track_counts")
    run(live, set_off, "SELECT pg_reload_conf()")
    try:
        if place == "this session":
            eventually(lambda: query(live, "SHOW track_counts") != on)
        shut = gate(live)
        assert "counter: track_counts is off for " in shut
        assert place in shut.splitlines()[0]
        read(live)
    finally:
        run(live, set_on, "SELECT pg_reload_conf()")
    eventually(lambda: query(live, "SHOW track_counts") == on)
    # What was not counted meanwhile would be taken for no use.
    assert "counter: has no reading" in gate(live)


def test_a_session_that_sets_track_counts_itself_knows_nothing_of_others(live: str) -> None:
    with session(live) as connection:
        connection.execute("SET track_counts = on; SET trueup.waiting_period = 0")
        with pytest.raises(psycopg.errors.ObjectInUse, match="off for this session"):
            connection.execute(f"CALL trueup.require_unused('{VIEW}')")


def test_a_setting_of_another_database_is_no_matter(own: EmbeddedServer, live: str) -> None:
    own.create_database("elsewhere")
    run(own.dsn(), "ALTER DATABASE elsewhere SET track_counts = off")
    assert gate(live) == ""
    own.drop_database("elsewhere")


def test_what_a_session_has_not_written_yet_is_a_use_of_now(live: str) -> None:
    with session(live) as connection:
        ((moment,),) = connection.execute("SELECT clock_timestamp()").fetchall()
        connection.execute("SELECT FROM models")
        ((since,),) = connection.execute(UNUSED_SINCE, [VIEW]).fetchall()
    assert since is None or since >= moment


# What somebody does to the marker


@pytest.mark.parametrize(
    "upkeep",
    [
        "VACUUM trueup.models_used",
        "VACUUM (FULL) trueup.models_used",
        "REINDEX TABLE trueup.models_used",
        "REFRESH MATERIALIZED VIEW trueup.models_used",
        "ANALYZE trueup.models_used",
        "CREATE UNIQUE INDEX i ON trueup.models_used (used); CLUSTER trueup.models_used USING i;"
        " REFRESH MATERIALIZED VIEW CONCURRENTLY trueup.models_used; DROP INDEX trueup.i",
    ],
)
def test_no_upkeep_of_the_marker_hides_a_use(live: str, upkeep: str) -> None:
    ((moment,),) = query(live, "SELECT clock_timestamp()")
    run(live, "SELECT FROM models", upkeep)
    since = unused_since(live)
    assert since is None or since >= moment


@pytest.mark.usefixtures("roles")
def test_a_login_without_rights_can_do_nothing_to_the_gate(live: str) -> None:
    def readings() -> object:
        return query(live, "SELECT o::text FROM trueup.odometer o ORDER BY 1")

    run(live, "SELECT FROM models")
    before = readings()
    with session(live, "quiet") as connection:
        for statement in (
            "SELECT pg_stat_reset()",
            "SELECT pg_stat_reset_single_table_counters('trueup.models_used'::regclass)",
            "SELECT FROM trueup.models_used",
            "BEGIN; LOCK TABLE trueup.models_used IN ACCESS SHARE MODE",
            "UPDATE trueup.odometer SET read_at = '2000-01-01'",
            "DELETE FROM trueup.odometer",
            f"CALL trueup.read_odometer('{VIEW}')",
            f"CALL trueup.read_odometer('{VIEW}', '{{}}')",
            "REFRESH MATERIALIZED VIEW trueup.models_used WITH NO DATA",
            "DROP MATERIALIZED VIEW trueup.models_used CASCADE",
            "ALTER MATERIALIZED VIEW trueup.models_used RENAME TO other",
            "CREATE OR REPLACE VIEW public.models AS SELECT 1",
            "CREATE FUNCTION trueup.witnesses(regclass) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "ALTER ROLE quiet SET track_counts = off",
            "SET track_counts = off",
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(statement.encode())
            connection.rollback()
    assert readings() == before


# Who names it


@pytest.fixture
def statements(own: EmbeddedServer) -> Iterator[str]:
    """The same, with pg_stat_statements."""
    dsn = own.dsn("live")
    if query(dsn, "SHOW shared_preload_libraries") == [("",)]:
        pytest.skip("this PostgreSQL installation has no pg_stat_statements")
    run(
        dsn,
        "CREATE EXTENSION pg_stat_statements",
        "CREATE TABLE job (id int, model_id varchar, models text)",
        "CREATE TABLE models_of_job ()",
    )
    read(dsn)
    yield dsn
    run(dsn, "DROP EXTENSION pg_stat_statements", "DROP TABLE job, models_of_job")


JOIN = "SELECT j.id FROM job j LEFT JOIN models m ON m.id = j.model_id"
# Of statements that differ in spelling alone, pg_stat_statements keeps the first text.
UNSEEN = [
    JOIN,
    "SELECT j.* FROM job j LEFT JOIN /* old */ public . Models m ON m.id = j.model_id",
    "SELECT j.models FROM job j LEFT JOIN -- one\n models m ON m.id = j.model_id",
    'SELECT j.model_id FROM job j LEFT JOIN live."public"."models" AS m ON m.id = j.model_id',
    "SELECT j.id, (SELECT display_name FROM ONLY models m WHERE m.id = j.model_id) FROM job j",
    "SELECT j.id FROM job j, models m WHERE m.id = j.model_id",
    "UPDATE job SET id = 1 WHERE model_id IN (SELECT m.id FROM(models m JOIN job ON true))",
    "SELECT FROM models LIMIT 0",
    "SELECT CASE WHEN false THEN (SELECT count(*) FROM models) END",
]


@pytest.mark.parametrize("statement", UNSEEN)
def test_a_statement_that_never_reaches_the_view_is_heard(statements: str, statement: str) -> None:
    assert gate(statements) == ""
    run(statements, *[statement] * 3)
    assert "may still be in use" in gate(statements)
    assert said(statements, "pg_stat_statements").startswith(statement[:7])
    # What was called before a reading is over; what is called again is not.
    read(statements)
    assert gate(statements) == ""
    run(statements, statement)
    assert said(statements, "pg_stat_statements").startswith(statement[:7])


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) AS models FROM model",
        "SELECT id, models FROM job",
        "SELECT id FROM job WHERE id = 1 AND models = 'models' ORDER BY id, models",
        "SELECT FROM trueup.models_used, models_of_job LIMIT 0",
        "INSERT INTO job (id, models) VALUES (1, 'from models')",
    ],
)
def test_a_statement_that_only_has_the_word_is_no_use(statements: str, statement: str) -> None:
    run(statements, statement)
    assert gate(statements) == ""


def test_what_pg_stat_statements_cannot_tell_is_said(statements: str) -> None:
    assert said(statements, "pg_stat_statements").startswith("no statement names it")
    with session(statements) as connection:
        connection.execute("SET pg_stat_statements.track = none")
        ((told,),) = connection.execute(
            "SELECT says FROM trueup.witnesses(%s) WHERE NOT heard", [VIEW]
        ).fetchall()
        assert told == "pg_stat_statements.track is none"
    run(statements, "SELECT pg_stat_statements_reset()")
    assert said(statements, "pg_stat_statements") == (
        "not heard: has forgotten statements since the last reading"
    )
    run(statements, JOIN)
    assert "pg_stat_statements: SELECT j.id" in gate(statements)


def test_a_view_in_the_place_of_one_of_the_extension_is_not_read(statements: str) -> None:
    """As anybody may put it there, where the extension has none as it is of an older server."""
    run(
        statements,
        "DROP EXTENSION pg_stat_statements",
        "CREATE EXTENSION pg_stat_statements VERSION '1.8'",
        "CREATE FUNCTION stranger() RETURNS bigint LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE 'read'; END $$",
        "CREATE VIEW pg_stat_statements_info AS SELECT stranger() AS dealloc, now() AS stats_reset",
    )
    told = "ALTER EXTENSION pg_stat_statements UPDATE"
    try:
        assert said(statements, "pg_stat_statements").endswith(f"in the server's version: {told}")
        with session(statements) as connection:
            assert read_recorded(connection)[0]
    finally:
        run(statements, "DROP VIEW pg_stat_statements_info", "DROP FUNCTION stranger")
    run(statements, told)
    assert said(statements, "pg_stat_statements").startswith("no statement names it")


def test_a_role_that_may_not_see_others_statements_says_so(statements: str) -> None:
    run(statements, "CREATE ROLE blind", "GRANT SELECT ON trueup.odometer TO blind")
    with session(statements, "blind") as connection:
        ((told,),) = connection.execute(
            "SELECT says FROM trueup.witnesses(%s) WHERE NOT heard", [VIEW]
        ).fetchall()
    assert told == "GRANT pg_read_all_stats TO blind;"
    run(statements, "DROP OWNED BY blind", "DROP ROLE blind")


def test_a_reading_without_pg_stat_statements_is_told_from_one_with_it(own: EmbeddedServer) -> None:
    dsn = own.dsn("live")
    read(dsn)
    assert said(dsn, "pg_stat_statements") == "not heard: the extension is not in this database"
    if query(dsn, "SHOW shared_preload_libraries") == [("",)]:
        return
    run(dsn, "CREATE EXTENSION pg_stat_statements")
    assert said(dsn, "pg_stat_statements") == "not heard: not heard at the last reading"
    run(dsn, "DROP EXTENSION pg_stat_statements")


def test_a_session_that_holds_a_lock_on_the_view_is_named(live: str) -> None:
    with psycopg.connect(live, application_name="billing") as client:
        client.execute("SELECT FROM models LIMIT 0")
        shut = gate(live)
        assert f"locks: process {client.info.backend_pid} (" in shut
        assert "billing)" in shut
    eventually(lambda: gate(live) == "")
    with session(live) as connection, connection.transaction():
        connection.execute("LOCK TABLE models; SET LOCAL trueup.waiting_period = 0")
        connection.execute(f"CALL trueup.require_unused('{VIEW}')")  # the file's own


def test_a_prepared_transaction_that_holds_one_is_told(live: str) -> None:
    run(live, "BEGIN", "SELECT FROM models LIMIT 0", "PREPARE TRANSACTION 'left over'")
    try:
        assert "locks: a prepared transaction, see pg_prepared_xacts" in gate(live)
    finally:
        run(live, "ROLLBACK PREPARED 'left over'")
    assert gate(live) == ""


@pytest.mark.parametrize(
    ("definition", "named"),
    [
        ("CREATE VIEW v AS SELECT id FROM models", "view public.v"),
        (
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS"
            " 'SELECT count(*) FROM public.models'",
            "function public.f()",
        ),
        (
            "CREATE FUNCTION f(x int) RETURNS void LANGUAGE plpgsql AS"
            " $$ BEGIN EXECUTE format('UPDATE %I SET id = id', 'models'); END $$",
            "function public.f(integer)",
        ),
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS"
            " $$ DECLARE t text := 'models'; BEGIN EXECUTE 'TABLE ' || t; END $$",
            "function public.f()",
        ),
        (
            "CREATE TABLE t (m varchar(36) CONSTRAINT k REFERENCES model (id__old))",
            "foreign key k of public.t",
        ),
    ],
)
def test_what_is_defined_on_the_old_name_is_named(live: str, definition: str, named: str) -> None:
    run(live, definition)
    try:
        assert f"definitions: {named}" in gate(live)
    finally:
        run(live, "DROP VIEW IF EXISTS v", "DROP FUNCTION IF EXISTS f", "DROP TABLE IF EXISTS t")
    assert gate(live) == ""


def test_a_function_that_only_has_the_word_is_no_matter(live: str) -> None:
    run(
        live,
        "CREATE FUNCTION f(models text) RETURNS text LANGUAGE sql AS"
        " $$ SELECT models FROM concat(models, 'models') $$",
    )
    try:
        assert gate(live) == ""
    finally:
        run(live, "DROP FUNCTION f")


def test_a_name_that_was_typed_passes_the_file_too(live: str) -> None:
    run(live, "SELECT FROM models")
    with session(live) as connection:
        connection.execute("""SET trueup.force = '["public.models"]'""")
        connection.execute(f"CALL trueup.require_unused('{VIEW}')")
        with pytest.raises(psycopg.errors.ObjectInUse):
            connection.execute("CALL trueup.require_unused('public.requests')")
