"""What another role made or put in a place never runs with the rights of who looks or migrates."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo
from support.runs import query, run_trueup
from support.variants import (
    ODD,
    SHIPPED,
    TEXT,
    MakeService,
    Service,
    write_generated,
)

from runner.errors import StatementError

LOOK = ("--service", str(SHIPPED))

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
