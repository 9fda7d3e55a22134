"""Servers that are set otherwise, and neighbours that mean no good: nothing is different."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.runs import query, run_trueup, run_yoyo
from support.variants import (
    FIRST,
    ODD,
    SHIPPED,
    TEXT,
    MakeService,
    Service,
    write_generated,
)

from runner.errors import LedgerError, StatementError
from runner.postgres.embedded import FAST, start_server

FOLDERS = {
    "online": [SHIPPED / name for name in ("common", "online", "online/switch", "online/contract")],
    "window": [SHIPPED / "common", SHIPPED / "window"],
}
LOOK = ("--service", str(SHIPPED))
LAST = {"online": "contract", "window": "window"}
TOOLKIT = sorted(
    p for p in (SHIPPED / "common").glob("*_toolkit_*.sql") if ".rollback" not in p.name
)
NOT_FOR_YOYO = ("exit_on_error", "DateStyle")  # it goes on after an error; its driver reads times

# What a file sets for itself. A server that does not know one is spared it.
SET_BY_FILES = {
    "idle_in_transaction_session_timeout": "60s",
    "row_security": "off",
    "quote_all_identifiers": "on",
    "DateStyle": "German",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "xmloption": "document",
    "check_function_bodies": "off",
    "client_min_messages": "error",
    "plpgsql.variable_conflict": "use_column",
    "plpgsql.extra_errors": "all",
    "restrict_nonsystem_relation_kind": "view",
    "exit_on_error": "on",
    "synchronous_commit": "off",
}


@contextmanager
def set_for_database(dsn: str, settings: dict[str, str]) -> Iterator[None]:
    """Let a database set something for all of its sessions."""
    name = sql.Identifier(str(conninfo_to_dict(dsn)["dbname"]))
    with psycopg.connect(dsn, autocommit=True) as admin:
        for setting, value in settings.items():
            known = admin.execute("SELECT FROM pg_settings WHERE name = %s", [setting]).fetchone()
            if known is not None or "." in setting:
                admin.execute(
                    sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                        name, sql.SQL(setting), sql.Literal(value)
                    )
                )
    yield
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(name))


def yoyo(verb: str, service: Service, strategy: str, *arguments: str) -> None:
    sources = [SHIPPED / "legacy", *FOLDERS[strategy]]
    dsn = make_conninfo(service.dsn, options="-c trueup.waiting_period=0")
    run_yoyo(verb, *arguments, *map(str, sources), dsn=dsn)


@pytest.mark.parametrize("tool", ["trueup", "yoyo"])
@pytest.mark.parametrize("strategy", ["online", "window"])
def test_no_file_depends_on_what_a_database_sets(
    make_service: MakeService, strategy: str, tool: str
) -> None:
    plain, odd = make_service(ODD), make_service(ODD)
    before = plain.rows()
    plain.up(LAST[strategy])
    taken = NOT_FOR_YOYO if tool == "yoyo" else ()
    settings = {name: value for name, value in SET_BY_FILES.items() if name not in taken}
    with set_for_database(odd.dsn, settings):
        if tool == "yoyo":
            yoyo("apply", odd, strategy)
        else:
            odd.up(LAST[strategy])
    assert odd.rows() == plain.rows()
    with set_for_database(odd.dsn, settings):
        if tool == "yoyo":
            yoyo("rollback", odd, strategy, "--revision", FIRST)
        else:
            odd.down(strategy)
    assert odd.rows() == before


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("statement_timeout", "10min"),
        ("lock_timeout", "5ms"),
        ("default_transaction_isolation", "serializable"),
        ("default_transaction_isolation", "repeatable read"),
        ("transaction_timeout", "10min"),
        ("standard_conforming_strings", "off"),
    ],
)
def test_a_run_sets_what_a_file_cannot_and_a_file_says_what_to_set(
    make_service: MakeService, setting: str, value: str
) -> None:
    service = make_service(ODD)
    if not query(service.dsn, "SELECT name FROM pg_settings WHERE name = %s", setting):
        pytest.skip(f"this server knows no {setting}")
    toolkit = b"".join(path.read_bytes() for path in TOOLKIT)
    with set_for_database(service.dsn, {setting: value}):
        with (
            psycopg.connect(service.dsn) as connection,
            pytest.raises(psycopg.Error, match=rf"{setting} = |{value}, and would") as refused,
        ):
            connection.execute(toolkit)
        assert f"SET {setting} = " in (refused.value.diag.message_hint or "")
        service.up("contract")
        service.down("online")


def test_a_default_tablespace_is_refused_before_it_moves_an_index(
    make_service: MakeService,
) -> None:
    service = make_service(ODD)
    with (
        set_for_database(service.dsn, {"default_tablespace": "pg_default"}),
        pytest.raises(StatementError, match="default_tablespace"),
    ):
        service.up("expand")
    assert query(service.dsn, "SELECT to_regclass('public.model')") == [(None,)]


def test_a_function_in_the_search_path_never_runs_with_our_rights(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    query(service.dsn, "GRANT CREATE, USAGE ON SCHEMA public TO mallory")
    with psycopg.connect(make_conninfo(service.dsn, user=mallory), autocommit=True) as attacker:
        attacker.execute(TRAPS)
    run_trueup("check", "--no-statements", *LOOK, dsn=service.dsn)
    run_trueup("verify", *LOOK, dsn=service.dsn)
    run_trueup("apply", "--dry-run", *LOOK, dsn=service.dsn)
    for strategy in ("online", "window"):
        service.up(LAST[strategy])
        run_trueup("status", *LOOK, dsn=service.dsn)
        service.down(strategy)
        # yoyo has queries of its own, by the role's search_path: the files alone.
        for folder in FOLDERS[strategy]:
            run_as_they_are(service.dsn, sorted(folder.glob("*[!k].sql")))
        for folder in reversed(FOLDERS[strategy]):
            run_as_they_are(service.dsn, sorted(folder.glob("*.rollback.sql"), reverse=True))
        assert query(service.dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'") == [
            (False,)
        ]


def run_as_they_are(dsn: str, files: list[Path]) -> None:
    """Run files as yoyo does, each on a connection of its own."""
    for file in files:
        forward = file.with_name(file.name.replace(".rollback.sql", ".sql"))
        alone = "-- transactional: false" in forward.read_text()
        with psycopg.connect(dsn, autocommit=alone) as connection:
            connection.execute("SET trueup.waiting_period = '0'")
            connection.execute(file.read_bytes())


TRAPS = """
CREATE FUNCTION public.spring() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'ALTER ROLE mallory SUPERUSER';
EXCEPTION WHEN OTHERS THEN NULL;
END $$;
CREATE FUNCTION public.upper(varchar) RETURNS text LANGUAGE plpgsql AS $$
BEGIN PERFORM public.spring(); RETURN pg_catalog.upper($1::text); END $$;
CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE plpgsql AS $$
BEGIN PERFORM public.spring(); RETURN pg_catalog.lower($1::text); END $$;
CREATE FUNCTION public.format(text, varchar) RETURNS text LANGUAGE plpgsql AS $$
BEGIN PERFORM public.spring(); RETURN pg_catalog.format($1, $2::text); END $$;
CREATE FUNCTION public.hashtext(varchar) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN PERFORM public.spring(); RETURN pg_catalog.hashtext($1::text); END $$;
CREATE FUNCTION public.pg_relation_size(text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN PERFORM public.spring(); RETURN pg_catalog.pg_relation_size($1::regclass); END $$;
CREATE FUNCTION public.to_regclass(varchar) RETURNS regclass LANGUAGE plpgsql AS $$
BEGIN PERFORM public.spring(); RETURN pg_catalog.to_regclass($1::text); END $$;
CREATE FUNCTION public.same(varchar, varchar) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM public.spring(); RETURN $1::text OPERATOR(pg_catalog.=) $2::text; END $$;
CREATE FUNCTION public.differs(varchar, varchar) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM public.spring(); RETURN $1::text OPERATOR(pg_catalog.<>) $2::text; END $$;
CREATE FUNCTION public.same(name, varchar) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM public.spring(); RETURN $1::text OPERATOR(pg_catalog.=) $2::text; END $$;
CREATE OPERATOR public.= (FUNCTION = public.same, LEFTARG = varchar, RIGHTARG = varchar);
CREATE OPERATOR public.<> (FUNCTION = public.differs, LEFTARG = varchar, RIGHTARG = varchar);
CREATE OPERATOR public.= (FUNCTION = public.same, LEFTARG = name, RIGHTARG = varchar);
"""


def test_a_table_that_a_subscription_fills_is_refused(make_service: MakeService) -> None:
    service = make_service(ODD)
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute(
            "CREATE SUBSCRIPTION s CONNECTION 'dbname=nowhere' PUBLICATION p"
            " WITH (connect = false, slot_name = NONE)"
        )
        # As if its publisher had told which tables there are.
        admin.execute("SET allow_system_table_mods = on")
        admin.execute(
            "INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate)"
            " SELECT oid, 'models'::regclass, 'i' FROM pg_subscription WHERE subname = 's'"
        )
        try:
            with pytest.raises(StatementError, match="a subscription fills it"):
                service.up("expand")
            checked = run_trueup("check", "--no-statements", *LOOK, dsn=service.dsn)
            assert "is filled by a subscription" in " ".join(checked.stdout.split())
        finally:
            admin.execute("DROP SUBSCRIPTION s")


def test_a_publication_of_all_tables_is_refused_where_somebody_subscribes() -> None:
    with (
        start_server(settings={**FAST, "wal_level": "logical"}) as server,
        psycopg.connect(server.dsn(), autocommit=True) as admin,
    ):
        admin.execute("CREATE PUBLICATION everything FOR ALL TABLES")
        admin.execute("SELECT pg_create_logical_replication_slot('subscriber', 'pgoutput')")
        with pytest.raises(LedgerError, match="everything is FOR ALL TABLES"):
            Service(server.dsn(), SHIPPED).up("expand")
        with pytest.raises(psycopg.Error, match="everything would send tables of trueup"):
            admin.execute(TOOLKIT[0].read_bytes())
        admin.execute("SELECT pg_drop_replication_slot('subscriber')")
        Service(server.dsn(), SHIPPED).up("expand")


@pytest.mark.parametrize(
    "copies", ["INSERT INTO log SELECT NEW.*", "EXECUTE 'INSERT INTO log SELECT ($1).*' USING NEW"]
)
def test_a_trigger_that_inserts_whole_rows_is_refused(
    make_service: MakeService, copies: str
) -> None:
    service = make_service(ODD)
    query(service.dsn, "CREATE TABLE log (LIKE models)")
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        body = f"BEGIN {copies}; RETURN NEW; END"
        admin.execute(
            f"CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $f$ {body} $f$".encode()
        )
        admin.execute(
            "CREATE TRIGGER log AFTER INSERT ON models FOR EACH ROW EXECUTE FUNCTION log()"
        )
    with pytest.raises(StatementError, match="is not as this file was written for"):
        service.up("expand")
    assert query(service.dsn, "SELECT to_regclass('model')") == [(None,)]
    checked = run_trueup("check", "--no-statements", *LOOK, dsn=service.dsn)
    assert checked.returncode == 1
    said = " ".join(checked.stdout.split())
    assert "trigger log on public.models runs public.log()" in said
    assert "only the window strategy can convert it" in said
    assert "were generated from another schema" in said


def test_rows_that_are_hidden_are_refused(make_service: MakeService, mallory: str) -> None:
    service = make_service(ODD)
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute("ALTER TABLE models OWNER TO mallory")
        admin.execute("ALTER TABLE models ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    with psycopg.connect(service.dsn) as connection:
        for path in TOOLKIT:
            connection.execute(path.read_bytes())
        connection.execute("GRANT EXECUTE ON ALL ROUTINES IN SCHEMA trueup TO mallory")
        connection.execute("SET ROLE mallory")
        check = (SHIPPED / "common" / "0061_check_model_and_request.sql").read_bytes()
        with pytest.raises(psycopg.Error, match="row security hides rows") as refused:
            connection.execute(check)
        assert "BYPASSRLS" in (refused.value.diag.message_hint or "")


def test_sessions_that_fire_no_trigger_are_told(make_service: MakeService) -> None:
    service = make_service(ODD)
    with set_for_database(service.dsn, {"session_replication_role": "replica"}):
        checked = run_trueup("check", "--no-statements", *LOOK, dsn=service.dsn)
    assert checked.returncode == 1
    assert "fires no trigger" in " ".join(checked.stdout.split())


VIEW = """
    CREATE TABLE seen (by name);
    GRANT INSERT ON seen TO PUBLIC;
    CREATE FUNCTION look() RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.seen VALUES (current_user);
        RETURN true;
    END $$;
    CREATE {} public.every AS SELECT id, status FROM models WHERE look();
"""


@pytest.mark.parametrize(
    ("kind", "owned"), [("VIEW", "function look()"), ("MATERIALIZED VIEW", "view every")]
)
def test_the_query_of_a_view_never_runs_what_somebody_else_made(
    make_service: MakeService, tmp_path: Path, mallory: str, kind: str, owned: str
) -> None:
    service = make_service(TEXT)
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute(sql.SQL(VIEW).format(sql.SQL(kind)))
        write_generated(SHIPPED / "standard.toml", service.dsn, tmp_path)
        changed = f"ALTER {kind} every" if owned == "view every" else "ALTER FUNCTION look()"
        named = re.escape(f"{owned.replace(' ', ' public.')} belongs to mallory, whose code")
        admin.execute("GRANT CREATE ON SCHEMA public TO mallory")
        admin.execute(f"{changed} OWNER TO mallory".encode())
        admin.execute("TRUNCATE seen")
        with pytest.raises(StatementError, match=named):
            Service(service.dsn, tmp_path).up("expand")
        assert admin.execute("SELECT * FROM seen").fetchall() == []
        standard = str(SHIPPED / "standard.toml")
        checked = run_trueup("check", "--no-statements", "--standard", standard, dsn=service.dsn)
        assert checked.returncode == 1
        assert re.search(named, " ".join(checked.stdout.split()))
        assert admin.execute("SELECT * FROM seen").fetchall() == []
        admin.execute(f"{changed} OWNER TO CURRENT_USER".encode())
    Service(service.dsn, tmp_path).up("expand")
