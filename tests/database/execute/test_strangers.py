"""What another role made or put in a place never runs with the rights of who looks or migrates."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo
from support.runs import query, run_trueup
from support.variants import (
    AT_ONCE,
    KEPT,
    ODD,
    SHIPPED,
    TEXT,
    MakeService,
    Service,
    write_generated,
)

from runner.errors import StatementError
from runner.execute.engine import rollback
from runner.execute.events import Noticed
from runner.execute.underway import look

LOOK = ("--service", str(SHIPPED))
WEEK = timedelta(days=7)

# Who runs what somebody else made is written down.
SPY = """
    CREATE TABLE public.seen (by name);
    GRANT INSERT ON public.seen TO PUBLIC;
    CREATE FUNCTION public.note() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.seen VALUES (current_user);
    EXCEPTION WHEN read_only_sql_transaction THEN
        RAISE EXCEPTION 'looked';
    END $$;
    CREATE FUNCTION public.look(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN
        PERFORM public.note();
        RETURN true;
    END $$;
"""
# What a table comes to, each by another way, and what of it belongs to somebody else.
WAYS = {
    "function f1(text)": "ALTER TABLE models ADD CONSTRAINT c1 CHECK (f1(display_name)) NOT VALID",
    "function f2(text)": "CREATE INDEX i2 ON models (f2(display_name))",
    "function f3(text)": "CREATE INDEX i3 ON models (id) WHERE f3(display_name)",
    "function f4(text,text)": "CREATE OPERATOR ### (FUNCTION=f4, LEFTARG=text, RIGHTARG=text);"
    " ALTER TABLE models ADD CONSTRAINT c4 CHECK (display_name ### '') NOT VALID",
    "function f5(boolean,text)": "CREATE AGGREGATE every(text) (SFUNC = f5, STYPE = boolean);"
    " CREATE VIEW v5 AS SELECT every(status) FROM models",
    "view v6": "CREATE VIEW v6 AS SELECT look('') AS a;"
    " CREATE VIEW w6 AS SELECT m.status FROM models AS m CROSS JOIN v6",
    "type d7": "CREATE DOMAIN d7 AS text;"
    " CREATE VIEW v7 AS SELECT status::text::d7 AS s FROM models",
    "function f8(text)": "CREATE DOMAIN d8 AS text CHECK (f8(VALUE)); CREATE DOMAIN e8 AS d8;"
    " CREATE VIEW v8 AS SELECT status::text::e8 AS s FROM models",
}
OWN = """
    CALL trueup.require_own('{public.models, public.requests}', '{id, status}')
"""


def test_a_table_comes_to_nothing_of_somebody_elses(
    make_service: MakeService, tmp_path: Path, mallory: str
) -> None:
    service = make_service(TEXT)
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute(SPY.encode())
        for what, made in WAYS.items():
            if what.startswith("function"):
                body = " RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT public.look('') $$"
                admin.execute(f"CREATE {what}{body}".encode())
            admin.execute(made.encode())
        reading = make_conninfo(service.dsn, options="-c search_path=pg_catalog")
        write_generated(SHIPPED / "standard.toml", reading, tmp_path)
        given = {what: f"ALTER {what} OWNER TO".encode() for what in WAYS}
        for alter in given.values():
            admin.execute(alter + b" mallory")
        admin.execute("TRUNCATE seen")
        standard = str(SHIPPED / "standard.toml")
        checked = run_trueup(
            "check", "--all", "--no-statements", "--standard", standard, dsn=service.dsn
        )
        assert checked.returncode == 1
        verified = run_trueup("verify", "--standard", standard, dsn=service.dsn)
        assert "looked" not in verified.stdout + verified.stderr
        with pytest.raises(StatementError, match="belongs to mallory, whose code"):
            Service(service.dsn, tmp_path).up("expand")
        for what, alter in given.items():
            named = what.replace(" ", " public.")
            assert f"{named} belongs to mallory" in " ".join(checked.stdout.split())
            with pytest.raises(psycopg.Error, match="belongs to mallory"):
                admin.execute(OWN)
            admin.execute(alter + b" CURRENT_USER")
        admin.execute(OWN)
        assert admin.execute("SELECT * FROM seen").fetchall() == []


# What an index of a column that stays runs at each write: functions of its range, or of the
# operator class.
RANGES = """
    CREATE FUNCTION diff(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE
        AS $$ SELECT CASE WHEN public.look('') THEN 1.0 ELSE 0.0 END $$;
    CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = diff);
    CREATE DOMAIN wide AS span;
    CREATE DOMAIN wider AS wide;
    CREATE TABLE things (
        id varchar(36) NOT NULL, n float8, during span, throughout wider, sometimes span_multirange
    );
    CREATE INDEX things_idx ON things USING gist (during);
    CREATE FUNCTION hashed(varchar) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
    CREATE OPERATOR CLASS odd FOR TYPE varchar USING hash AS
        OPERATOR 1 =(text, text), FUNCTION 1 hashed(varchar);
    ALTER FUNCTION diff OWNER TO mallory;
    ALTER FUNCTION hashed OWNER TO mallory;
"""


def test_an_index_of_a_column_that_stays_runs_nothing_of_somebody_elses(
    make_service: MakeService, tmp_path: Path, mallory: str
) -> None:
    service = make_service(TEXT)
    standard = tmp_path / "standard.toml"
    standard.write_text(
        '[service]\nname = "spans"\n[table.things]\nname = "thing"\nuuids = ["id"]\n',
        encoding="utf-8",
    )
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute(SPY.encode())
        admin.execute(RANGES.encode())
        write_generated(standard, service.dsn, tmp_path)
        belongs = r"function .*(diff|hashed)\(.* belongs to mallory"
        with pytest.raises(StatementError, match=belongs):
            Service(service.dsn, tmp_path).up("expand")
        for key in (
            "gist (throughout)",
            "gist (sometimes)",
            "gist (span(n, n, '[]'))",
            "hash (id odd)",
        ):
            made = f"CREATE INDEX things_idx ON things USING {key}"
            admin.execute(f"DROP INDEX things_idx; {made}".encode())
            with pytest.raises(psycopg.Error, match=belongs):
                admin.execute("CALL trueup.require_own('{things}')")
        admin.execute("DROP INDEX things_idx")
        admin.execute("CALL trueup.require_own('{things}')")


# What somebody who may make schemas makes in the place of trueup's own.
FAKE = """
    CREATE SCHEMA trueup;
    GRANT ALL ON SCHEMA trueup TO PUBLIC;
    CREATE MATERIALIZED VIEW trueup.models_used AS SELECT 1 AS a;
    CREATE VIEW trueup.v AS SELECT * FROM trueup.models_used;
    CREATE FUNCTION trueup.show_odometer(regclass, boolean) RETURNS jsonb LANGUAGE sql
        AS $$ SELECT to_jsonb(public.look('')) $$;
    CREATE FUNCTION trueup.witnesses(regclass, jsonb, text)
        RETURNS TABLE (witness text, heard boolean, unused_since timestamptz, says text)
        LANGUAGE sql AS $$ SELECT 'a', public.look(''), now(), '' $$;
    CREATE VIEW trueup.progress AS SELECT 'f' AS file, 't' AS table_name, 1::bigint AS rows_done,
        1::bigint AS page, 1::bigint AS pages, now() AS started_at, now() AS updated_at
        WHERE public.look('');
    CREATE VIEW trueup.kept AS SELECT 'public.models' AS name, now() AS since,
        NULL::timestamptz AS forgotten_at WHERE public.look('');
    CREATE TABLE trueup.rehearsal (fingerprint text PRIMARY KEY,
        stored_at timestamptz DEFAULT now(), certificate jsonb);
    CREATE FUNCTION trueup.trap() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM public.look(''); RETURN NEW; END $$;
    CREATE TRIGGER trap BEFORE INSERT ON trueup.rehearsal
        FOR EACH ROW EXECUTE FUNCTION trueup.trap();
    GRANT ALL ON ALL TABLES IN SCHEMA trueup TO PUBLIC;
"""


def test_whoever_looks_at_a_database_calls_nothing_that_somebody_else_put_there(
    make_service: MakeService, tmp_path: Path, mallory: str
) -> None:
    service = make_service(ODD)
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute("DROP SCHEMA trueup CASCADE")
        admin.execute(SPY.encode())
        name = sql.Identifier(admin.info.dbname)
        admin.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO mallory").format(name))
        with psycopg.connect(make_conninfo(service.dsn, user=mallory), autocommit=True) as attacker:
            attacker.execute(FAKE.encode())
        for verb in (
            ("status",),
            ("verify",),
            ("plan",),
            ("apply", "--dry-run"),
            ("apply", "--require-rehearsal"),
            ("report", "--no-check", "--output", str(tmp_path / "report.html")),
            ("rehearse", "--rows", "1", "--no-clients", "--to", "toolkit", "--record"),
        ):
            done = run_trueup(*verb, *LOOK, dsn=service.dsn, cwd=tmp_path)
            assert done.returncode in (0, 1), done.stderr
            assert "looked" not in done.stdout + done.stderr
            assert admin.execute("SELECT * FROM seen").fetchall() == [], verb


SWAPPED = {
    "_yoyo_migration": "public",
    "ledger": "trueup",
    "progress": "trueup",
}


@pytest.mark.parametrize("table", SWAPPED)
def test_a_table_that_was_swapped_for_a_view_is_not_read(
    make_service: MakeService, table: str
) -> None:
    service = make_service(ODD)
    service.up("expand")
    place = SWAPPED[table]
    query(service.dsn, SPY)
    query(service.dsn, f"ALTER TABLE {place}.{table} RENAME TO was")
    query(service.dsn, f"CREATE VIEW {place}.{table} AS SELECT * FROM {place}.was WHERE look('')")
    for verb in ("status", "verify"):
        run_trueup(verb, *LOOK, dsn=service.dsn)
    assert query(service.dsn, "SELECT * FROM seen") == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_owner_of_a_table_gets_no_rights_of_who_migrated(
    make_service: MakeService, mallory: str, when: str
) -> None:
    """Nor does who becomes it once both contracts live, of the one before."""
    service = make_service(ODD)
    query(service.dsn, SPY)
    query(service.dsn, "GRANT CREATE ON SCHEMA public TO mallory")
    give = "ALTER TABLE provider_quotas OWNER TO mallory"
    if when == "before":
        query(service.dsn, give)
    service.up("expand")
    query(service.dsn, give)
    attacker = make_conninfo(service.dsn, user=mallory)
    query(
        attacker,
        "DROP TRIGGER zz_trueup_sync_update ON provider_quotas;"
        "ALTER TABLE provider_quotas DROP CONSTRAINT provider_quotas_in_step;"
        "CREATE DOMAIN trap AS text CHECK (look(VALUE));"
        "ALTER TABLE provider_quotas ALTER COLUMN provider TYPE trap",
    )
    write = (
        "INSERT INTO provider_quotas (id__new, provider__new, daily_tokens_used,"
        " monthly_tokens_used, daily_cost_used, monthly_cost_used)"
        " VALUES (gen_random_uuid(), 'OPENAI', 0, 0, 0, 0)"
    )
    if when == "after":
        hint = re.escape("CALL trueup.hand_over('public.provider_quotas')")
        with pytest.raises(errors.InsufficientPrivilege, match=f"(?s)another owner.*{hint}"):
            query(attacker, write)
        query(service.dsn, "CALL trueup.hand_over('public.provider_quotas')")
    query(attacker, write)
    assert {*query(service.dsn, "SELECT * FROM seen")} == {("mallory",)}


# The owner of one table makes the function of its trigger find his own, and lets it see the rows of
# another one.
TURNED = """
    CREATE SCHEMA his;
    GRANT USAGE ON SCHEMA his TO PUBLIC;
    CREATE FUNCTION his.upper(text) RETURNS text LANGUAGE sql
        AS 'SELECT pg_catalog.upper($1) WHERE public.look($1)';
    ALTER FUNCTION trueup.provider_quota_sync() SECURITY {} SET search_path = his, pg_catalog;
    CREATE TRIGGER aa BEFORE UPDATE ON models
        FOR EACH ROW EXECUTE FUNCTION trueup.provider_quota_sync();
"""


@pytest.mark.parametrize("rights", ["DEFINER", "INVOKER"])
def test_the_owner_of_a_table_turns_its_trigger_against_nobody(
    make_service: MakeService, mallory: str, rights: str
) -> None:
    service = make_service(ODD)
    query(service.dsn, SPY)
    query(service.dsn, "ALTER TABLE provider_quotas OWNER TO mallory")
    query(service.dsn, "ALTER TABLE models OWNER TO trueup_test_owner")
    query(service.dsn, "GRANT SELECT, TRIGGER ON models TO mallory")
    query(
        service.dsn,
        "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO mallory',"
        " current_database()); END $$",
    )
    service.up("expand")
    attacker = make_conninfo(service.dsn, user=mallory)
    query(attacker, TURNED.format(rights))
    query(service.dsn, (service.folder / "online" / "0201_backfill_model.sql").read_text())
    query(service.dsn, "CALL trueup.hand_over('public.models')")
    query(
        attacker,
        "INSERT INTO provider_quotas (id, provider, daily_tokens_used, monthly_tokens_used,"
        " daily_cost_used, monthly_cost_used)"
        " VALUES (gen_random_uuid()::text, 'openai', 0, 0, 0, 0)",
    )
    assert {*query(service.dsn, "SELECT * FROM seen")} <= {("mallory",)}


def test_tables_of_another_role_go_there_and_back_and_clients_need_no_more(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    before = service.rows()
    for table in ("models", "requests", "provider_quotas"):
        query(service.dsn, f"ALTER TABLE {table} OWNER TO mallory")
        query(service.dsn, f"GRANT SELECT, INSERT, DELETE ON {table} TO trueup_test_app")
    client = make_conninfo(service.dsn, user="trueup_test_app")
    for phase, table in (("expand", "models"), ("switch", "models"), ("contract", "model")):
        service.up(phase)
        value = "openai" if table == "models" else "OPENAI"
        write = "INSERT INTO {} (id, model_id, provider, capabilities) VALUES (gen_random_uuid(){},"
        query(
            client,
            write.format(table, "::text" if table == "models" else "")
            + f" '{phase}', '{value}', '{{}}')",
        )
        query(client, f"DELETE FROM {table} WHERE model_id = '{phase}'")
    service.down("online", "switch")
    query(client, "DELETE FROM models WHERE model_id = 'none'")
    service.down("online")
    assert service.rows() == before
    owners = "SELECT count(*) FROM pg_proc WHERE proowner = 'mallory'::regrole"
    assert query(service.dsn, owners) == [(0,)]
    service.up("window")
    service.down("window")
    assert service.rows() == before


def test_an_owner_who_may_not_use_the_schema_is_told_before_clients_meet_it(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    query(service.dsn, "ALTER TABLE provider_quotas OWNER TO mallory")
    query(service.dsn, "REVOKE ALL ON provider_quotas FROM mallory")
    query(service.dsn, "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    grant = "GRANT USAGE ON SCHEMA public TO mallory;"
    checked = run_trueup("check", "--no-statements", *LOOK, dsn=service.dsn)
    assert checked.returncode == 1
    assert "mallory, who may not use the schema" in " ".join(checked.stdout.split())
    with pytest.raises(StatementError, match="mallory may not use the schema public") as refused:
        service.up("expand")
    assert grant in str(refused.value)
    query(service.dsn, grant)
    service.up("toolkit")
    query(service.dsn, "REVOKE USAGE ON SCHEMA trueup FROM PUBLIC")
    query(service.dsn, "GRANT INSERT ON provider_quotas TO trueup_test_app")
    query(service.dsn, "GRANT USAGE ON SCHEMA public TO trueup_test_app")
    service.up("expand")
    query(
        make_conninfo(service.dsn, user="trueup_test_app"),
        "INSERT INTO provider_quotas (id, provider, daily_tokens_used, monthly_tokens_used,"
        " daily_cost_used, monthly_cost_used)"
        " VALUES (gen_random_uuid()::text, 'openai', 0, 0, 0, 0)",
    )


# Who has a right on a function of trueup's triggers, or the rights of its owner, without being it.
MAY_ATTACH = """
    SELECT p.proname, r.rolname
    FROM pg_proc AS p CROSS JOIN pg_roles AS r
    WHERE p.pronamespace = 'trueup'::regnamespace AND p.prosecdef AND NOT r.rolsuper
        AND r.oid <> p.proowner AND r.rolname IN ('mallory', 'trueup_test_owner')
        AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
"""
WRITES = {
    "models": """
        INSERT INTO models (id, model_id, provider, capabilities)
            VALUES (gen_random_uuid()::text, 'own', 'openai', '{chat}');
        INSERT INTO requests
            (id, request_id, request_type, model_id, provider, request_data, success)
            SELECT gen_random_uuid()::text, 'own', 'chat', id, 'openai', '{}', true
            FROM models WHERE model_id = 'own';
        DELETE FROM requests WHERE request_id = 'own';
        DELETE FROM models WHERE model_id = 'own';
    """,
    "model": """
        INSERT INTO model (id, model_id, provider, capabilities)
            VALUES (gen_random_uuid(), 'own', 'OPENAI', '{CHAT}');
        INSERT INTO request
            (id, request_id, request_type, model_id, provider, request_data, success)
            SELECT gen_random_uuid(), 'own', 'CHAT', id, 'OPENAI', '{}', true
            FROM model WHERE model_id = 'own';
        UPDATE request SET provider = 'CUSTOM' WHERE request_id = 'own';
        DELETE FROM request WHERE request_id = 'own';
        DELETE FROM model WHERE model_id = 'own';
    """,
}


def test_clients_write_while_tables_of_several_owners_go_there_and_back(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    before = service.rows()
    give = "GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO trueup_test_app"
    owners = {"models": "mallory", "requests": "trueup_test_owner"}
    for table, owner in owners.items():
        query(service.dsn, f"ALTER TABLE {table} OWNER TO {owner}")
        query(service.dsn, give.format(table))
    query(service.dsn, "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO mallory")
    client = make_conninfo(service.dsn, user="trueup_test_app")
    for phase in ("expand", "switch", "contract"):
        service.up(phase)
        query(client, WRITES["models" if phase == "expand" else "model"])
        assert query(service.dsn, MAY_ATTACH) == []
    for migration in reversed(service.migrations("online")):
        if migration.phase == "contract":
            service.down("online", migration.id)
            query(client, WRITES["model"])
    assert query(service.dsn, MAY_ATTACH) == []
    service.down("online")
    assert service.rows() == before


# What the owner of before could read of a table that is not his any more.
STILL_MAY_READ = """
    SELECT c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'trueup'::regnamespace AND c.relname ~ '_(sides|reversal)$'
        AND has_table_privilege('mallory', c.oid, 'SELECT')
"""
CHANGES = {
    "each table": "ALTER TABLE {0} OWNER TO trueup_test_owner; ALTER TABLE {1} OWNER TO"
    " trueup_test_owner",
    "all that is his": "REASSIGN OWNED BY mallory TO trueup_test_owner; DROP OWNED BY mallory",
}


@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.parametrize("phase", ["expand", "switch", "contract"])
def test_one_call_gives_a_new_owner_what_clients_need(
    make_service: MakeService, mallory: str, phase: str, how: str
) -> None:
    service = make_service(ODD)
    for table in ("models", "requests"):
        query(service.dsn, f"ALTER TABLE {table} OWNER TO mallory")
        query(service.dsn, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO trueup_test_app")
    service.up(phase)
    tables = ("models", "requests") if phase == "expand" else ("model", "request")
    query(service.dsn, CHANGES[how].format(*tables))
    client = make_conninfo(service.dsn, user="trueup_test_app")
    contracts = ("model",) if phase == "contract" else ("models", "model")
    if how == "each table":
        # The table stays; a view reads it with the rights of its own owner.
        query(client, WRITES[tables[0]])
    calls = {f"CALL trueup.hand_over('public.{t}');" for t in tables}
    if (phase, how) == ("expand", "all that is his"):
        calls.remove("CALL trueup.hand_over('public.models');")  # It refers to no other table.
    for verb in ("status", "verify"):
        told = " ".join(run_trueup(verb, *LOOK, "--all", dsn=service.dsn).stdout.split())
        assert all(call in told for call in calls), (verb, told)
    if phase == "expand":  # The next run does it by itself.
        service.up("backfill")
    else:
        for call in calls:
            query(service.dsn, call)
    for contract in contracts:
        query(client, WRITES[contract])
    assert query(service.dsn, STILL_MAY_READ) == []
    for verb in ("status", "verify"):
        assert "hand_over" not in run_trueup(verb, *LOOK, "--all", dsn=service.dsn).stdout
    service.up("contract")
    service.down("online")
    wrong = (
        "SELECT proname FROM pg_proc WHERE pronamespace = to_regnamespace('trueup') AND prosecdef"
    )
    assert query(service.dsn, wrong) == []


# As a toolkit has it that was made before that call was.
EARLIER = r"""
    DO $do$ DECLARE text constant text := pg_get_functiondef('trueup.hand_over'::regproc);
    BEGIN
        DROP PROCEDURE trueup.hand_over(regclass, text[]);
        EXECUTE replace(text, 'functions text[] DEFAULT ''{}''::text[]', 'functions text[]');
    END $do$
"""


def test_status_and_verify_print_what_an_earlier_toolkit_can_do(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    for table in ("models", "requests"):
        query(service.dsn, f"ALTER TABLE {table} OWNER TO mallory")
        query(service.dsn, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO trueup_test_app")
    service.up("switch")
    query(service.dsn, EARLIER)
    query(service.dsn, CHANGES["each table"].format("model", "request"))
    verified = " ".join(run_trueup("verify", *LOOK, "--all", dsn=service.dsn).stdout.split())
    assert "hand_over" not in verified
    assert "ALTER VIEW public.models OWNER TO trueup_test_owner;" in verified
    for _ in range(3):  # With another owner a function may lack a right, which is told then.
        status = run_trueup("status", *LOOK, "--all", dsn=service.dsn).stdout
        told = re.findall(r"(?:ALTER (?:VIEW|FUNCTION)|GRANT) [^;]+;", " ".join(status.split()))
        for statement in told:
            query(service.dsn, statement)
    assert not told
    client = make_conninfo(service.dsn, user="trueup_test_app")
    for contract in ("models", "model"):
        query(client, WRITES[contract])


@pytest.mark.parametrize("phase", ["expand", "switch"])
def test_a_role_that_is_no_superuser_gives_new_owners_what_is_theirs(
    make_service: MakeService, mallory: str, phase: str
) -> None:
    service = make_service(KEPT)
    query(
        service.dsn,
        "DROP SCHEMA IF EXISTS trueup CASCADE;"
        "ALTER SCHEMA public OWNER TO trueup_test_deploy;"
        "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO trueup_test_deploy',"
        " current_database()); END $$",
    )
    yoyos = ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock")
    for table in (*yoyos, "models", "requests", "provider_quotas"):
        query(service.dsn, f"ALTER TABLE {table} OWNER TO trueup_test_deploy")
    deploy = Service(make_conninfo(service.dsn, user="trueup_test_deploy"), service.folder)
    deploy.up(phase)
    schema = "public" if phase == "expand" else "model_orchestration_new"
    for table, owner in (
        ("models", "trueup_test_owner"),
        ("requests", "trueup_test_owner"),
        ("provider_quotas", mallory),  # one whose owner's rights it has not
    ):
        query(service.dsn, f"ALTER TABLE {schema}.{table} OWNER TO {owner}")
    at = next(look(service.dsn, service.migrations("online"), waiting_period=WEEK, unit="models"))
    assert {x.table for x in at.left_behind} == {"models", "requests"}
    found = []
    rollback(
        deploy.dsn,
        deploy.migrations("online"),
        to="baseline",
        unit="models",
        settings=AT_ONCE,
        listener=lambda event: found.append(event) if isinstance(event, Noticed) else None,
    )
    told = {
        n.message.split("CALL trueup.hand_over")[1]: n.severity
        for n in found
        if "CALL" in n.message
    }
    assert {call.split("'")[1]: severity for call, severity in told.items()} == {
        f"{schema}.models": "NOTICE",
        f"{schema}.requests": "NOTICE",
        f"{schema}.provider_quotas": "WARNING",
    }


WAITS = "SELECT FROM pg_locks WHERE relation = 'models'::regclass AND NOT granted"
TRIGGER = """
    CREATE FUNCTION public.fires() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM public.note(); RETURN NEW; END $$;
    CREATE TRIGGER zz_trueup_sync_of_mallory BEFORE UPDATE ON requests
        FOR EACH ROW EXECUTE FUNCTION public.fires();
"""


def test_a_backfill_fires_no_trigger_of_whoever_may_make_some(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    query(service.dsn, SPY)
    query(service.dsn, "GRANT CREATE ON SCHEMA public TO mallory")
    query(service.dsn, "GRANT SELECT, UPDATE, TRIGGER ON models, requests TO mallory")
    service.up("expand")
    with psycopg.connect(make_conninfo(service.dsn, user=mallory)) as attacker:
        attacker.execute(TRIGGER.encode())
        attacker.commit()
        # One that is made when the backfill has looked for triggers, and waits to write.
        mine = "CREATE TRIGGER late BEFORE UPDATE ON models FOR EACH ROW EXECUTE FUNCTION fires()"
        attacker.execute(mine)
        with ThreadPoolExecutor(1) as pool:
            backfill = pool.submit(service.up, "backfill")
            while not query(service.dsn, WAITS) and not backfill.done():
                pass
            attacker.commit()
            backfill.result()
    assert query(service.dsn, "SELECT * FROM seen") == []


def test_the_owner_of_a_table_runs_no_policy_as_the_owner_of_another(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    deploy = make_conninfo(service.dsn, user="trueup_test_deploy")
    query(service.dsn, "ALTER TABLE models OWNER TO mallory")
    query(service.dsn, "ALTER TABLE requests OWNER TO trueup_test_owner")
    query(service.dsn, "GRANT USAGE ON SCHEMA trueup TO trueup_test_deploy")
    query(service.dsn, "GRANT SELECT ON ALL TABLES IN SCHEMA public, trueup TO trueup_test_deploy")
    could = "mallory could run policies with the"
    checked = run_trueup("check", "--all", "--no-statements", *LOOK, dsn=deploy)
    assert f"{could} privileges of trueup_test_owner" in " ".join(checked.stdout.split())
    service.up("expand")
    query(service.dsn, "ALTER VIEW trueup.model_sides OWNER TO trueup_test_deploy")
    with pytest.raises(psycopg.Error, match=f"{could} rights of trueup_test_owner"):
        query(service.dsn, "CALL trueup.share()")
    query(service.dsn, "ALTER ROLE trueup_test_deploy BYPASSRLS")
    try:
        query(service.dsn, "CALL trueup.share()")
    finally:
        query(service.dsn, "ALTER ROLE trueup_test_deploy NOBYPASSRLS")
    query(service.dsn, "GRANT SELECT ON trueup.model_sides TO trueup_test_app")
    query(service.dsn, "ALTER TABLE requests OWNER TO mallory")
    query(
        service.dsn,
        "CALL trueup.hand_over('public.requests', 'request_sync', 'request_sync_switched')",
    )
    looks_up = "SELECT has_table_privilege(%s, 'trueup.model_sides', 'SELECT')"
    assert query(service.dsn, looks_up, "trueup_test_owner") == [(False,)]
    assert query(service.dsn, looks_up, "trueup_test_app") == [(True,)]  # as somebody granted it
